/** The only file that knows the order of the stages of an answer: retrieve, read, score, route,
 *  then stream from the edge or from a backend. */
import type { BackendEngine } from "../engine/backend.ts";
import type { ChatMessage, EnginePiece, Usage } from "../engine/engine.ts";
import { type Evidence, nearestEvidence } from "../engine/evidence.ts";
import {
  type EdgeAnswer,
  piecesOf,
  READER_ID,
  readAnswer,
  renderAnswer,
} from "../engine/reader.ts";
import { codeOf, ServiceError } from "../errors.ts";
import type { SearchHit } from "../memory/types.ts";
import { type Features, features, scoreDifficulty, thresholdForRisk } from "./difficulty.ts";
import type { Models } from "./models.ts";
import { buildPrompt, citedNumbers } from "./prompt.ts";
import { decideRoute, type RouteDecision } from "./route.ts";
import { Trace } from "./trace.ts";
import type { AnswerRequest, AnswerStream, BrinkReport, Citation, MemoryQuery } from "./types.ts";

/** What an answer draws on. */
export interface AnswerDeps {
  models: () => Promise<Models>;
  search: (query: MemoryQuery) => Promise<SearchHit[]>;
  /** Null where none is configured. */
  backend: BackendEngine | null;
  maxRisk: () => Promise<number>;
}

/** Answers. Throws before anything was sent: `model_not_found`, `unsupported_parameter`,
 *  `backend_not_configured`, and with a backend named, its failures. With `auto`, a backend that
 *  fails before its first token is replaced by the edge's answer, which says so. */
export async function answer(deps: AnswerDeps, request: AnswerRequest): Promise<AnswerStream> {
  const model = resolveModel(request.model, deps.backend);
  const question = questionOf(request.messages);
  const backendOnly = findBackendOnly(request);
  refuseWhatNoEngineCan(model, backendOnly, deps.backend);
  const trace = new Trace();
  const hits = await trace.time("retrieve", () => retrieve(deps, request, question));
  const edge =
    model === "backend" || backendOnly !== null
      ? null
      : await readAtEdge(deps, trace, question, hits, request.memory !== null);
  const decision = decideRoute({
    model,
    difficulty: edge?.difficulty ?? null,
    threshold: edge?.threshold ?? -1,
    backendConfigured: deps.backend !== null,
    backendOnly,
    abstained: edge !== null && edge.reading.answer === null,
  });
  const answerAtEdge = (how: RouteDecision) =>
    streamEdge(deps, request, question, hits, edge!, how, trace);
  if (decision.route === "edge") return answerAtEdge(decision);
  try {
    return await streamBackend(deps, deps.backend!, request, question, hits, edge, decision, trace);
  } catch (error) {
    if (edge === null || model !== "auto" || codeOf(error) === null) throw error;
    const reason = `${decision.reason}; the backend failed (${codeOf(error)}), so this is the \
edge's best evidence`;
    return answerAtEdge({ route: "edge", wanted: "backend", reason });
  }
}

type RoutedModel = "auto" | "edge" | "backend";

function resolveModel(id: string, backend: BackendEngine | null): RoutedModel {
  if (id === "auto" || id === "edge" || id === "backend") return id;
  if (id === READER_ID) return "edge";
  if (backend !== null && (id === backend.id || id === backend.model)) return "backend";
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

/** What in the request only a backend can honour, in words, or null. Extraction has nothing for
 *  sampling parameters to act on, so those are accepted. */
function findBackendOnly({ messages, parameters }: AnswerRequest): string | null {
  const { tools, response_format } = parameters;
  if (Array.isArray(tools) && tools.length > 0) return "tools";
  const format = response_format as { type?: unknown } | null | undefined;
  if (format && format.type !== "text") return `response_format ${String(format.type)}`;
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const other = parts.find((part) => part.type !== "text");
  return other === undefined ? null : `a content part of type ${other.type}`;
}

function refuseWhatNoEngineCan(
  model: RoutedModel,
  backendOnly: string | null,
  backend: BackendEngine | null,
): void {
  if (backendOnly !== null && (model === "edge" || (model === "auto" && backend === null)))
    throw new ServiceError(
      "unsupported_parameter",
      `${backendOnly} needs a backend${backend === null ? ", and none is configured" : ""}`,
    );
  if (model === "backend" && backend === null)
    throw new ServiceError(
      "backend_not_configured",
      "no backend is configured: set BACKEND_URL, BACKEND_KEY and BACKEND_MODEL",
      { param: "model" },
    );
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
}

async function readAtEdge(
  deps: AnswerDeps,
  trace: Trace,
  question: string,
  hits: SearchHit[],
  withMemory: boolean,
): Promise<EdgeWork> {
  const models = await deps.models();
  const reading = await trace.time("read", () => readAnswer(models.reader, question, hits));
  const { choice, readings } = reading;
  const found = choice !== null && !choice.abstain;
  const values = choice === null ? null : features({ question, hits, readings, choice });
  // An abstention is no answer, so it is certainly not good enough.
  const difficulty = found ? scoreDifficulty(models.difficulty, values!) : withMemory ? 1 : null;
  const threshold = thresholdForRisk(models.difficulty, await deps.maxRisk());
  return { reading, difficulty, threshold, features: values };
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

async function streamEdge(
  deps: AnswerDeps,
  request: AnswerRequest,
  question: string,
  hits: SearchHit[],
  edge: EdgeWork,
  decision: RouteDecision,
  trace: Trace,
): Promise<AnswerStream> {
  const { evidence, answer, readings } = edge.reading;
  const text = renderAnswer(edge.reading);
  const usage = countUsage(await deps.models(), question, hits.slice(0, readings.length), text);
  const report: BrinkReport = {
    ...decision,
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

async function streamBackend(
  deps: AnswerDeps,
  backend: BackendEngine,
  request: AnswerRequest,
  question: string,
  hits: SearchHit[],
  edge: EdgeWork | null,
  decision: RouteDecision,
  trace: Trace,
): Promise<AnswerStream> {
  const prompt =
    hits.length === 0
      ? { messages: request.messages, passages: [] }
      : await groundPrompt(deps, request.messages, hits);
  const pieces = backend
    .answer({
      question,
      messages: prompt.messages,
      hits: prompt.passages,
      parameters: request.parameters,
      stream: request.stream,
      signal: request.signal,
    })
    [Symbol.asyncIterator]();
  // The first token decides whether a fallback is still possible, so it is awaited here.
  const first = await trace.time("backend_first_token", () => pieces.next());
  let citations: Citation[] = [];
  async function* relay(): AsyncIterable<EnginePiece> {
    let text = "";
    try {
      for (let next = first; !next.done; next = await pieces.next()) {
        text += next.value.text;
        yield next.value;
      }
      citations = await citeMarks(text, prompt.passages);
    } finally {
      await pieces.return?.(undefined); // a reader that left early ends the backend's work too
    }
  }
  const difficulty = edge?.difficulty ?? null;
  return {
    model: backend.model,
    route: "backend",
    difficulty,
    pieces: relay(),
    report: () => ({
      ...decision,
      engine: backend.id,
      answer: null,
      difficulty,
      citations,
      timings_ms: trace.timingsMs,
    }),
  };
}

async function groundPrompt(deps: AnswerDeps, messages: ChatMessage[], hits: SearchHit[]) {
  const { encoder } = await deps.models();
  return buildPrompt(messages, hits, (piece) => encoder.countTokens(piece));
}

/** The passages that the text's [n] marks name, each with its sentence nearest to the text. */
async function citeMarks(text: string, passages: readonly SearchHit[]): Promise<Citation[]> {
  const citations: Citation[] = [];
  for (const number of citedNumbers(text, passages.length)) {
    const hit = passages[number - 1]!;
    const whole = { hit, start: 0, end: hit.text.length };
    citations.push(toCitation(number, (await nearestEvidence([hit], text)) ?? whole));
  }
  return citations;
}

function toCitation(mark: number, { hit, start, end }: Evidence): Citation {
  const { document_id, passage_id, title, score } = hit;
  const quote = hit.text.slice(start, end).trim();
  return { mark, document_id, passage_id, title, quote, score };
}
