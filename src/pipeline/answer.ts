/** The only file that knows the order of the stages of an answer: retrieve, read, score, route,
 *  then stream what the reader cut out or what a generator or a backend writes. */
import type { ChatMessage, Engine, EnginePiece, Usage } from "../engine/engine.ts";
import {
  type EdgeAnswer,
  piecesOf,
  READER_ID,
  readAnswer,
  renderAnswer,
} from "../engine/reader.ts";
import { codeOf, ServiceError } from "../errors.ts";
import { EVIDENCE_TOKENS_MAX } from "../limits.ts";
import type { SearchHit } from "../memory/types.ts";
import { scoreDifficulty } from "../router/difficulty.ts";
import { type Features, features } from "../router/features.ts";
import type { ActiveRouter } from "../router/router-types.ts";
import { citeMarks, toCitation } from "./citations.ts";
import { findDemands, refuseTheImpossible } from "./demands.ts";
import type { Models } from "./models.ts";
import { NOTE_ID } from "./notes.ts";
import { type AnswerNotes, noteReason, noteReply, noteReport } from "./notes-answer.ts";
import type { FoundNotes } from "./notes-find.ts";
import type { Note } from "./notes-types.ts";
import { type Answered, observed } from "./observe.ts";
import { buildPrompt } from "./prompt.ts";
import { decideRoute, fallBack, type RouteDecision } from "./route.ts";
import { Trace } from "./trace.ts";
import type { AnswerRequest, AnswerStream, BrinkReport, Citation, MemoryQuery } from "./types.ts";

/** What an answer draws on. */
export interface AnswerDeps {
  models: () => Promise<Models>;
  search: (query: MemoryQuery) => Promise<SearchHit[]>;
  /** Null where none is configured. */
  backend: Engine | null;
  /** For requests that name none of the generator's models; null where none is configured. */
  generator: Engine | null;
  /** The generator's model of that name, or null. */
  findGenerator: (model: string) => Promise<Engine | null>;
  /** What the tenant's answers are routed by. */
  router: () => Promise<ActiveRouter>;
  notes: AnswerNotes;
  /** Told of each answer once its last piece is out or its reader left; must not throw. */
  observe: (answered: Answered) => void;
}

/** One answer's stages share this. */
interface Work {
  deps: AnswerDeps;
  request: AnswerRequest;
  question: string;
  hits: SearchHit[];
  /** Null where the reader was not asked. */
  edge: EdgeWork | null;
  /** What a backend's prompt says of like questions. */
  corrections: Note[];
  trace: Trace;
}

/** Answers. Throws before anything was sent: `model_not_found`, `unsupported_parameter`,
 *  `backend_not_configured`, and with an engine named, its failures. With `auto`, an engine that
 *  fails before its first token is replaced by the next one down, and the answer says so. */
export async function answer(deps: AnswerDeps, request: AnswerRequest): Promise<AnswerStream> {
  const { model, named } = await resolveModel(request.model, deps);
  const generator = named ?? deps.generator;
  const question = questionOf(request.messages);
  const demands = findDemands(request);
  const available = { generator: generator !== null, backend: deps.backend !== null };
  refuseTheImpossible(model, demands, available);
  const { backendOnly, writtenOnly } = demands;
  const trace = new Trace();
  const mustWrite = backendOnly !== null || writtenOnly !== null;
  const reads = (model === "auto" || model === "edge") && !mustWrite;
  const near = reads && request.model !== READER_ID ? deps.notes.find(request) : [];
  const hits = await trace.time("retrieve", () => retrieve(deps, request, question));
  const edge = reads
    ? await readAtEdge(deps, trace, question, hits, request.memory !== null)
    : null;
  const answered = edge?.reading.answer ?? null;
  const { match, corrections } = await deps.notes.choose(request, question, await near, answered);
  const work: Work = { deps, request, question, hits, edge, corrections, trace };
  if (match !== null && (model === "edge" || match.difficulty <= edge!.threshold))
    return watched(work, await streamNote(work, match), [match.note]);
  if (match?.note.kind === "correction") work.corrections = [match.note];
  let decision = decideRoute({
    model,
    difficulty: edge?.difficulty ?? null,
    threshold: edge?.threshold ?? -1,
    backendConfigured: available.backend,
    generatorConfigured: available.generator,
    backendOnly,
    writtenOnly,
    abstained: edge !== null && edge.reading.answer === null,
  });
  for (;;) {
    if (decision.engine === "reader")
      return watched(work, await streamReader(work, edge!, decision), []);
    const engine = decision.engine === "backend" ? deps.backend! : generator!;
    try {
      const read = engine.kind === "backend" ? work.corrections : [];
      return watched(work, await streamEngine(work, engine, decision), read);
    } catch (error) {
      const code = codeOf(error);
      if (edge === null || model !== "auto" || code === null) throw error;
      decision = fallBack(decision, code, available.generator);
    }
  }
}

/** The same stream, of which `observe` hears. `notes` gave the answer or stood in the prompt. */
function watched(work: Work, stream: AnswerStream, notes: Note[]): AnswerStream {
  return observed({ ...work, notes: notes.map(({ id }) => id) }, stream, work.deps.observe);
}

type RoutedModel = "auto" | "edge" | "backend" | "generator";

async function resolveModel(
  id: string,
  deps: AnswerDeps,
): Promise<{ model: RoutedModel; named: Engine | null }> {
  const { backend } = deps;
  if (id === "auto" || id === "edge" || id === "backend") return { model: id, named: null };
  if (id === READER_ID) return { model: "edge", named: null };
  if (backend !== null && (id === backend.id || id === backend.model))
    return { model: "backend", named: null };
  const named = await deps.findGenerator(id.replace(/^generator:/, ""));
  if (named !== null) return { model: "generator", named };
  throw new ServiceError("model_not_found", `there is no model ${JSON.stringify(id)} here`, {
    param: "model",
  });
}

/** The text of the last user message; empty when it has none. */
export function questionOf(messages: readonly ChatMessage[]): string {
  const content = messages.findLast(({ role }) => role === "user")?.content ?? "";
  if (typeof content === "string") return content.trim();
  const texts = content.map((part) => (part.type === "text" ? String(part.text) : ""));
  return texts.join("\n").trim();
}

async function retrieve(
  deps: AnswerDeps,
  request: AnswerRequest,
  question: string,
): Promise<SearchHit[]> {
  if (request.memory === null || question === "") return [];
  const query = { ...request.memory, query: question, embedding: null, explain: false };
  return deps.search(query);
}

/** The edge's answer, always worked out before the route is chosen: its confidence is the best
 *  evidence there is of whether it is good enough. */
interface EdgeWork {
  reading: EdgeAnswer;
  difficulty: number | null;
  threshold: number;
  features: Features | null;
  router: ActiveRouter;
}

async function readAtEdge(
  deps: AnswerDeps,
  trace: Trace,
  question: string,
  hits: SearchHit[],
  withMemory: boolean,
): Promise<EdgeWork> {
  const [models, router] = await Promise.all([deps.models(), deps.router()]);
  const reading = await trace.time("read", () => readAnswer(models.reader, question, hits));
  const { choice, readings } = reading;
  const found = choice !== null && !choice.abstain;
  const values = choice === null ? null : features({ question, hits, readings, choice });
  // An abstention is no answer, so it is certainly not good enough.
  const difficulty = found ? scoreDifficulty(router.model, values!) : withMemory ? 1 : null;
  return { reading, difficulty, threshold: router.threshold, features: values, router };
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

async function streamReader(
  { deps, request, question, hits, trace }: Work,
  edge: EdgeWork,
  { route, wanted, reason }: RouteDecision,
): Promise<AnswerStream> {
  const { evidence, answer, readings } = edge.reading;
  const text = renderAnswer(edge.reading);
  const usage = countUsage(await deps.models(), question, hits.slice(0, readings.length), text);
  const report: BrinkReport = {
    route,
    ...(wanted === undefined ? {} : { wanted }),
    reason,
    engine: READER_ID,
    answer,
    difficulty: edge.difficulty,
    citations: evidence === null ? [] : [toCitation(1, evidence)],
    timings_ms: trace.timingsMs,
  };
  if (request.explain && edge.features !== null) report.features = edge.features;
  return {
    model: READER_ID,
    route: "edge",
    difficulty: edge.difficulty,
    pieces: piecesOf(text, usage),
    report: () => report,
  };
}

/** The answer of a note to the same question. */
async function streamNote(
  { deps, request, question, hits, edge, trace }: Work,
  match: NonNullable<FoundNotes["match"]>,
): Promise<AnswerStream> {
  const { text, citations } = await noteReply(match, hits);
  const usage = countUsage(await deps.models(), question, [], text);
  const { difficulty, note } = match;
  const report: BrinkReport = {
    route: "edge",
    reason: noteReason(match),
    engine: NOTE_ID,
    answer: note.answer,
    difficulty,
    citations,
    timings_ms: trace.timingsMs,
    note: noteReport(match),
  };
  if (request.explain && edge?.features) report.features = edge.features;
  const pieces = piecesOf(text, usage);
  return { model: NOTE_ID, route: "edge", difficulty, pieces, report: () => report };
}

/** An answer that an engine writes from a prompt. Resolves with its first piece at hand: until
 *  then another engine can still take over. */
async function streamEngine(
  { deps, request, question, hits, edge, corrections, trace }: Work,
  engine: Engine,
  { route, wanted, reason }: RouteDecision,
): Promise<AnswerStream> {
  const grounds = engine.kind === "backend" && hits.length + corrections.length > 0;
  const prompt = grounds
    ? await groundPrompt(deps, request.messages, hits, corrections)
    : { messages: request.messages, passages: hits };
  const { parameters, stream, signal } = request;
  const scope = request.caller.tenant;
  const { messages, passages } = prompt;
  const pieces = engine
    .answer({ scope, question, messages, hits: passages, parameters, stream, signal })
    [Symbol.asyncIterator]();
  const first = await trace.time(`${engine.kind}_first_token`, () => pieces.next());
  let citations: Citation[] = [];
  async function* relay(): AsyncIterable<EnginePiece> {
    let text = "";
    let inPrompt = passages;
    try {
      for (let next = first; !next.done; next = await pieces.next()) {
        const { passages: fitted, ...piece } = next.value;
        if (fitted !== undefined) inPrompt = passages.slice(0, fitted);
        text += piece.text;
        yield piece;
      }
      citations = await citeMarks(text, inPrompt);
    } finally {
      await pieces.return?.(undefined); // a reader that left early ends the engine's work too
    }
  }
  const difficulty = edge?.difficulty ?? null;
  return {
    model: engine.model,
    route,
    difficulty,
    pieces: relay(),
    report: () => ({
      route,
      ...(wanted === undefined ? {} : { wanted }),
      reason,
      engine: engine.id,
      answer: null,
      difficulty,
      citations,
      timings_ms: trace.timingsMs,
    }),
  };
}

async function groundPrompt(
  deps: AnswerDeps,
  messages: ChatMessage[],
  hits: SearchHit[],
  corrections: readonly Note[],
) {
  const { encoder } = await deps.models();
  const count = (piece: string) => encoder.countTokens(piece);
  return buildPrompt(messages, hits, count, EVIDENCE_TOKENS_MAX, corrections);
}
