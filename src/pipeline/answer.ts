/** The only file that knows the order of the stages of an answer: look whether it was given before,
 *  retrieve, read, score, route, then stream what the reader cut out or what a generator or a
 *  backend writes. */
import type { Engine } from "../engine/engine.ts";
import { READER_ID } from "../engine/reader.ts";
import { codeOf, ServiceError } from "../errors.ts";
import type { SearchHit } from "../memory/types.ts";
import { describeContributions } from "../router/feature-words.ts";
import type { Rung } from "../router/ladder.ts";
import type { AnswerCache } from "./cache.ts";
import { conversed, findConversation, findStay, turnOf } from "./conversing.ts";
import { findDemands, refuseTheImpossible } from "./demands.ts";
import { type EdgeWork, judgeBefore, judgementOf, leavesUnread, readAtEdge } from "./edge-work.ts";
import { NO_NOTES } from "./notes-find.ts";
import type { Note, NoteCandidate } from "./notes-types.ts";
import { observed } from "./observe.ts";
import { questionOf } from "./question.ts";
import { decideRoute, fallBack } from "./route.ts";
import { streamEngine, streamNote, streamReader } from "./streams.ts";
import { tapped } from "./tap.ts";
import { Trace } from "./trace.ts";
import type { AnswerRequest, AnswerStream } from "./types.ts";
import type { AnswerDeps, Work } from "./work.ts";

/** Answers. Throws before anything was sent: `model_not_found`, `unsupported_parameter`,
 *  `backend_not_configured`, and with an engine named, its failures. With `auto`, an engine that
 *  fails before its first token is replaced by the next one down, and the answer says so. */
export async function answer(deps: AnswerDeps, request: AnswerRequest): Promise<AnswerStream> {
  const { model, named } = await resolveModel(request, deps);
  const generator = model === "generator" ? named : deps.generator;
  const backend = model === "backend" ? (named ?? deps.backend) : deps.backend;
  const demands = findDemands(request);
  const available = { generator: generator !== null, backend: backend !== null };
  refuseTheImpossible(model, demands, available);
  const { backendOnly, writtenOnly } = demands;
  const mustWrite = backendOnly !== null || writtenOnly !== null;
  const reads = (model === "auto" || model === "edge") && !mustWrite;
  const cache = await deps.openCache();
  if (cache.hit !== null) return cache.hit;
  const near = reads && request.model !== READER_ID ? deps.notes.find(request) : [];
  const work = await beginWork(deps, request, cache);
  const stay = reads && model === "auto" ? findStayHere(work) : null;
  const others = model === "auto" && (available.backend || available.generator);
  if (reads && stay === null) await weigh(work, others);
  const note = await chooseNote(work, await near, model === "edge");
  if (note !== null) return watched(work, await streamNote(work, note), [note.note]);
  const like = await cache.like(work.question, edgeAnswerOf(work));
  if (like !== null) return like;
  let decision = decideRoute({
    model,
    forced: request.route !== undefined,
    stay,
    ...explain(work),
    backendConfigured: available.backend,
    generatorConfigured: available.generator,
    backendOnly,
    writtenOnly,
    prior: work.edge?.prior ?? null,
    abstained: work.edge !== null && work.edge.reading.answer === null,
    rung: findRung(work),
  });
  const backendCan = available.backend && demands.generatorOnly === null;
  const left = { reader: reads, generator: available.generator, backend: backendCan };
  for (;;) {
    if (decision.engine === "reader")
      return watched(work, await streamReader(work, work.edge!, decision), []);
    const standard = decision.engine === "backend" ? backend! : generator!;
    const engine = decision.rung?.startsWith("backend:")
      ? deps.findBackend(decision.rung)!
      : standard;
    try {
      const inPrompt = engine.kind === "backend" ? work.corrections : [];
      return watched(work, await streamEngine(work, engine, decision), inPrompt);
    } catch (error) {
      const code = codeOf(error);
      if (engine.kind === "generator") left.generator = false;
      // What a backend is not to be asked for no edge could do either; a generator's limits are its
      // own.
      const refused = engine.kind === "backend" && code === "unsupported_parameter";
      const others = model === "auto" && code !== null && !refused;
      const next = others ? fallBack(decision, code, left) : null;
      if (next === null) throw error;
      decision = next;
      if (reads) work.edge ??= await read(work);
    }
  }
}

/** What was found before anything is read. */
async function beginWork(
  deps: AnswerDeps,
  request: AnswerRequest,
  cache: AnswerCache,
): Promise<Work> {
  const question = questionOf(request.messages);
  const trace = deps.trace ?? new Trace();
  const [hits, conversation] = await Promise.all([
    trace.time("retrieve", () => retrieve(deps, request, question)),
    findConversation(deps.conversations, request),
  ]);
  const turn = turnOf(request, hits);
  const unknown = { before: null, edge: null, corrections: [], notesAway: false };
  return { deps, request, question, hits, ...unknown, trace, conversation, turn, cache };
}

/** The edge is not asked where the conversation stays with the backend whatever it would say. */
function findStayHere({ deps, conversation, turn }: Work) {
  const stay = findStay(conversation, turn, deps.pricesOf);
  if (stay === null || deps.findBackend(stay.engine) === null) return null;
  return { ...stay, engine: stay.engine === deps.backend!.id ? null : stay.engine };
}

/** The note that answers, or null; corrections of like questions go into `work`. */
async function chooseNote(work: Work, near: NoteCandidate[] | null, edgeOnly: boolean) {
  const { deps, request, question } = work;
  const answered = edgeAnswerOf(work);
  const found = near && (await deps.notes.choose(request, question, near, answered));
  work.notesAway = found === null;
  const { match, corrections } = found ?? NO_NOTES;
  work.corrections = corrections;
  if (match === null) return null;
  if (edgeOnly || match.difficulty <= (await deps.router()).threshold) return match;
  if (match.note.kind === "correction") work.corrections = [match.note];
  return null;
}

function edgeAnswerOf({ edge }: Work): string | null {
  return edge?.reading.answer ?? null;
}

/** The same stream, of which `observe`, the cache and the conversation's memory hear. `notes` gave
 *  the answer or stood in the prompt. */
function watched(work: Work, stream: AnswerStream, notes: Note[]): AnswerStream {
  const { deps, conversation, turn, cache } = work;
  const { tap, report } = conversed(conversation, turn, stream, deps.conversations, deps.pricesOf);
  const told = { ...stream, report, standIn: work.notesAway || stream.standIn };
  const seen = { ...work, notes: notes.map(({ id }) => id) };
  const watching = observed(seen, told, (answered) => {
    deps.observe({ ...answered, outcome: cache.named(answered.outcome) });
  });
  const { taps, ...status } = cache.keeping(told, edgeAnswerOf(work));
  return { ...told, ...status, pieces: tapped(stream.pieces, [tap, watching, ...taps]) };
}

type RoutedModel = "auto" | "edge" | "backend" | "generator";

async function resolveModel(
  { model, route }: AnswerRequest,
  deps: AnswerDeps,
): Promise<{ model: RoutedModel; named: Engine | null }> {
  const id = route ?? model;
  if (id === "auto" || id === "edge" || id === "backend") return { model: id, named: null };
  if (id === READER_ID) return { model: "edge", named: null };
  const backend = deps.findBackend(id);
  if (backend !== null) return { model: "backend", named: backend };
  const named = await deps.findGenerator(id.replace(/^generator:/, ""));
  if (named !== null) return { model: "generator", named };
  throw new ServiceError("model_not_found", `there is no model ${JSON.stringify(id)} here`, {
    param: "model",
  });
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

/** Reads, unless the question leaves for one of the `others` whatever the reader would find. */
async function weigh(work: Work, others: boolean): Promise<void> {
  const { deps, question, hits, trace } = work;
  const router = await trace.span("router", () => deps.router());
  work.before = await trace.span("score_before", () => judgeBefore(router, question, hits));
  if (!others || !leavesUnread(work.before)) work.edge = await read(work);
}

async function read(work: Work): Promise<EdgeWork> {
  const { deps, request, trace, question, hits } = work;
  const [models, router] = await Promise.all([deps.models(), deps.router()]);
  work.before ??= judgeBefore(router, question, hits);
  const { before } = work;
  return readAtEdge(models, router, before, trace, question, hits, request.memory !== null);
}

/** The cheapest engine above the reader that may answer so hard a question, or null. */
function findRung({ edge }: Work): Rung | null {
  const difficulty = edge?.difficulty ?? null;
  if (edge === null || difficulty === null) return null;
  return edge.router.ladder.find(({ threshold }) => difficulty <= threshold) ?? null;
}

/** What a route is decided by, and the words for it. */
function explain({ before, edge }: Work) {
  const { contributions, ...judgement } = judgementOf(before, edge);
  return { ...judgement, weighed: describeContributions(contributions ?? {}) };
}
