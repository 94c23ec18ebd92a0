/** The extractive engine: reads the best passages and cuts out the answer with its evidence. */
import { READER_PASSAGES } from "../limits.ts";
import type { SearchHit } from "../memory/types.ts";
import type { PassageReading, ReaderChoice, SpanReader } from "../model/reader.ts";
import type { EnginePiece, Usage } from "./engine.ts";
import { type Evidence, evidenceAround, nearestEvidence } from "./evidence.ts";

export const READER_ID = "brink-reader";
const NO_ANSWER = "The memory holds no answer to this question.";
const NO_MEMORY =
  "No memory was consulted, so there is nothing to answer from: name one as memory.namespace in " +
  "the request, or give the key a default namespace.";

export interface EdgeAnswer {
  /** The bare extracted answer; null when the reader finds none in the passages. */
  answer: string | null;
  /** What the answer stands in; for want of one the sentence nearest to the question, or null where
   *  nothing is near. */
  evidence: Evidence | null;
  readings: PassageReading[];
  /** Null without passages, or where no passage has a token to choose. */
  choice: ReaderChoice | null;
}

/** Reads the first READER_PASSAGES hits. */
export async function readAnswer(
  reader: SpanReader,
  question: string,
  hits: readonly SearchHit[],
): Promise<EdgeAnswer> {
  const read = hits.slice(0, READER_PASSAGES);
  const readings = reader.read(
    question,
    read.map((hit) => hit.text),
  );
  const choice = reader.choose(readings);
  if (choice === null || choice.abstain)
    return { answer: null, evidence: await nearestEvidence(read, question), readings, choice };
  const hit = read[choice.passage]!;
  const evidence = await evidenceAround(hit, choice.start, choice.end);
  return { answer: hit.text.slice(choice.start, choice.end), evidence, readings, choice };
}

/** The reply's text: the answer and the evidence it stands in, or that there is none. `consulted`
 *  is whether a memory was searched at all. */
export function renderAnswer({ answer, evidence }: EdgeAnswer, consulted: boolean): string {
  if (evidence === null) return consulted ? NO_ANSWER : NO_MEMORY;
  const quote = `“${evidence.hit.text.slice(evidence.start, evidence.end)}” [1]`;
  if (answer !== null) return `${answer}\n\n${quote}`;
  return `${NO_ANSWER} The closest passage says:\n\n${quote}`;
}

/** The rendered answer as the pieces of a stream, the last with finish reason and usage. */
export async function* piecesOf(text: string, usage: Usage): AsyncIterable<EnginePiece> {
  const cut = text.indexOf("\n\n");
  if (cut > 0) yield { text: text.slice(0, cut) };
  yield { text: text.slice(Math.max(0, cut)), finish_reason: "stop", usage };
}
