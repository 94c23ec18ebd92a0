/** The extractive engine: reads the best passages and cuts out the answer with its evidence. */
import { sentences } from "../../index/sentences.ts";
import { READER_PASSAGES } from "../limits.ts";
import type { SearchHit } from "../memory/types.ts";
import type { PassageReading, ReaderChoice, SpanReader } from "../model/reader.ts";
import type { EnginePiece, Usage } from "./engine.ts";

export const READER_ID = "brink-reader";

/** A sentence or two of a hit: `[start, end)` in UTF-16 units of the hit's text. */
export interface Evidence {
  hit: SearchHit;
  start: number;
  end: number;
}

export interface EdgeAnswer {
  /** The bare extracted answer; null when the reader finds none in the passages. */
  answer: string | null;
  /** What the answer stands in, or the closest there is; null without passages. */
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
  if (choice === null) {
    const evidence = read[0] === undefined ? null : await evidenceAround(read[0], 0, 1);
    return { answer: null, evidence, readings, choice };
  }
  const hit = read[choice.passage]!;
  const evidence = await evidenceAround(hit, choice.start, choice.end);
  const answer = choice.abstain ? null : hit.text.slice(choice.start, choice.end);
  return { answer, evidence, readings, choice };
}

/** The sentences of the hit's text that `[start, end)` touches, white space around them cut. */
async function evidenceAround(hit: SearchHit, start: number, end: number): Promise<Evidence> {
  const all = await sentences(hit.text);
  const first = all.findLast((sentence) => sentence.start <= start) ?? { start: 0, end };
  const last = all.find((sentence) => sentence.end >= end) ?? { start, end: hit.text.length };
  return trim({ hit, start: Math.min(first.start, start), end: Math.max(last.end, end) });
}

function trim(evidence: Evidence): Evidence {
  const text = evidence.hit.text.slice(evidence.start, evidence.end);
  const start = evidence.start + (text.length - text.trimStart().length);
  return { ...evidence, start, end: evidence.end - (text.length - text.trimEnd().length) };
}

/** The reply's text: the answer and the evidence it stands in, or that there is none. */
export function renderAnswer({ answer, evidence }: EdgeAnswer): string {
  if (evidence === null) return "The memory holds nothing about this question.";
  const quote = `“${evidence.hit.text.slice(evidence.start, evidence.end)}” [1]`;
  if (answer !== null) return `${answer}\n\n${quote}`;
  return `The memory holds no answer to this question. The closest passage says:\n\n${quote}`;
}

/** The rendered answer as the pieces of a stream, the last with finish reason and usage. */
export async function* piecesOf(text: string, usage: Usage): AsyncIterable<EnginePiece> {
  const cut = text.indexOf("\n\n");
  if (cut > 0) yield { text: text.slice(0, cut) };
  yield { text: text.slice(Math.max(0, cut)), finish_reason: "stop", usage };
}
