/** The answer that was decided on, as a stream with its report. */
import type { ChatMessage, Engine, EnginePiece, Usage } from "../engine/engine.ts";
import { piecesOf, READER_ID, renderAnswer } from "../engine/reader.ts";
import { codeOf } from "../errors.ts";
import type { SearchHit } from "../memory/types.ts";
import { citeMarks, toCitation } from "./citations.ts";
import { type EdgeWork, judgementOf } from "./edge-work.ts";
import type { Models } from "./models.ts";
import { NOTE_ID } from "./notes.ts";
import { noteReason, noteReply, noteReport } from "./notes-answer.ts";
import type { FoundNotes } from "./notes-find.ts";
import type { Note } from "./notes-types.ts";
import { buildPrompt } from "./prompt.ts";
import type { RouteDecision } from "./route.ts";
import type { AnswerStream, BrinkReport, Citation } from "./types.ts";
import type { AnswerDeps, Work } from "./work.ts";

/** What the reader cut out of the passages. */
export async function streamReader(
  work: Work,
  edge: EdgeWork,
  decision: RouteDecision,
): Promise<AnswerStream> {
  const { deps, question, hits } = work;
  const { evidence, answer, readings } = edge.reading;
  const text = renderAnswer(edge.reading, work.request.memory !== null);
  const usage = countUsage(await deps.models(), question, hits.slice(0, readings.length), text);
  const citations = evidence === null ? [] : [toCitation(1, evidence)];
  const report = describe(work, decision, { engine: READER_ID, answer, citations });
  return {
    model: READER_ID,
    route: "edge",
    difficulty: edge.difficulty,
    standIn: decision.standIn,
    pieces: piecesOf(text, usage),
    report: () => report,
  };
}

/** The answer of a note to the same question. */
export async function streamNote(
  work: Work,
  match: NonNullable<FoundNotes["match"]>,
): Promise<AnswerStream> {
  const { deps, question, hits } = work;
  const { text, citations } = await noteReply(match, hits);
  const usage = countUsage(await deps.models(), question, [], text);
  const { difficulty, note } = match;
  const decision = { route: "edge" as const, reason: noteReason(match) };
  const given = { engine: NOTE_ID, answer: note.answer, citations };
  const report = { ...describe(work, decision, given), difficulty, note: noteReport(match) };
  const pieces = piecesOf(text, usage);
  return { model: NOTE_ID, route: "edge", difficulty, pieces, report: () => report };
}

/** An answer that an engine writes from a prompt. Resolves with its first piece at hand: until
 *  then another engine can still take over. */
export async function streamEngine(
  work: Work,
  engine: Engine,
  decision: RouteDecision,
): Promise<AnswerStream> {
  const { deps, request, question, hits, corrections, trace } = work;
  const grounds = engine.kind === "backend" && hits.length + corrections.length > 0;
  const prompt = grounds
    ? await groundPrompt(deps, request.messages, hits, corrections)
    : { messages: request.messages, passages: hits };
  const { parameters, stream, signal, hedgeMs } = request;
  const prefer = work.conversation.before?.held?.engine;
  const scope = request.caller.tenant;
  const { messages, passages } = prompt;
  const asked = { scope, question, messages, hits: passages, parameters, stream };
  const span = trace.begin(engine.kind);
  const watch = trace.attempts(engine.kind);
  const pieces = engine
    .answer({ ...asked, hedgeMs, prefer, watch, signal })
    [Symbol.asyncIterator]();
  const stage = `${engine.kind}_first_token`;
  const first = await trace
    .clock(stage, () => pieces.next())
    .catch((error) => {
      span.end(codeOf(error) ?? "internal");
      throw error;
    });
  let citations: Citation[] = [];
  async function* relay(): AsyncIterable<EnginePiece> {
    let text = "";
    let inPrompt = passages;
    try {
      for (let next = first; !next.done; next = await pieces.next()) {
        const { passages: fitted, served: _, ...piece } = next.value;
        if (fitted !== undefined) inPrompt = passages.slice(0, fitted);
        text += piece.text;
        yield piece;
      }
      citations = await citeMarks(text, inPrompt);
    } catch (error) {
      span.end(codeOf(error) ?? "internal");
      throw error;
    } finally {
      span.end();
      await pieces.return?.(undefined); // a reader that left early ends the engine's work too
    }
  }
  const { id, model } = first.value?.served ?? engine;
  const attempts = first.value?.served?.attempts ?? [];
  return {
    model,
    route: decision.route,
    difficulty: judgementOf(work.before, work.edge).difficulty,
    standIn: decision.standIn,
    pieces: relay(),
    report: () => ({
      ...describe(work, decision, { engine: id, answer: null, citations }),
      ...(attempts.length > 1 ? { attempts } : {}),
    }),
  };
}

function countUsage(
  models: Models,
  question: string,
  read: readonly SearchHit[],
  text: string,
): Usage {
  const count = (piece: string) => models.encoder.countTokens(piece);
  const prompt = read.reduce((sum, hit) => sum + count(hit.text), 0) + count(question);
  const completion = count(text);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}

/** What every report tells. */
function describe(
  { request, before, edge, hits, trace }: Work,
  { route, wanted, reason }: Pick<RouteDecision, "route" | "wanted" | "reason">,
  given: Pick<BrinkReport, "engine" | "answer" | "citations">,
): BrinkReport {
  const { difficulty, contributions } = judgementOf(before, edge);
  const features = edge === null ? before?.features : edge.features;
  return {
    route,
    ...(wanted === undefined ? {} : { wanted }),
    reason,
    ...given,
    difficulty,
    ...(before === null ? {} : { difficulty_before: before.score }),
    ...(edge?.prior ? { difficulty_prior: edge.prior.difficulty } : {}),
    timings_ms: trace.timingsMs,
    ...(request.explain && features ? { features } : {}),
    ...(request.explain && contributions ? { contributions } : {}),
    ...(request.explain ? bestSpan(edge, hits) : {}),
  };
}

function bestSpan(edge: EdgeWork | null, hits: readonly SearchHit[]): Partial<BrinkReport> {
  const choice = edge?.reading.choice ?? null;
  if (choice === null) return {};
  const { passage, start, end, score, abstain } = choice;
  const { passage_id, text } = hits[passage]!;
  return { best_span: { text: text.slice(start, end), passage_id, score, turned_down: abstain } };
}

/** What a backend is asked, grounded by what was found. */
export async function groundPrompt(
  deps: Pick<AnswerDeps, "models">,
  messages: ChatMessage[],
  hits: readonly SearchHit[],
  corrections: readonly Note[],
) {
  const { encoder } = await deps.models();
  const count = (piece: string) => encoder.countTokens(piece);
  return buildPrompt(messages, hits, count, { corrections, place: "last" });
}
