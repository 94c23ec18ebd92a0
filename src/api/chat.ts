/** POST /v1/chat/completions -> 200, whole or streamed, in OpenAI's shapes plus `brink`. */
import type { EnginePiece, Usage } from "../engine/engine.ts";
import type { AnswerStream } from "../pipeline/types.ts";
import { readJson } from "./body.ts";
import { Choices, describeLogprobs, describeUsage } from "./choices.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { describeFailure, logFailure } from "./failure.ts";
import { type ChatCall, ChatRequest, parseChat } from "./schema/chat.ts";
import { ChatReply, jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";
import { eventStream } from "./sse.ts";

export const chat = newApi();

endpoint(
  chat,
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Answer a conversation",
    description:
      "With `stream: true` the reply is text/event-stream: `data:` lines of ChatChunk, then " +
      "`data: [DONE]`. A failure after the first token is a `data:` line with `error` and no " +
      "[DONE]. The headers x-brink-route and x-brink-difficulty say where the answer came from.",
    security: NEEDS_KEY,
    request: { body: jsonBody(ChatRequest) },
    responses: replies(200, "The answer", ChatReply),
  },
  async (c) => {
    const call = parseChat(await readJson(c), c.var.caller);
    const gone = goneSignal(c);
    const answer = await c.var.service.answer({
      ...call,
      signal: gone.signal,
      trace_id: c.var.trace,
    });
    c.header("x-brink-route", answer.route);
    if (answer.difficulty !== null) c.header("x-brink-difficulty", answer.difficulty.toFixed(4));
    const reply = newReply(c, answer);
    if (!call.stream) return c.json(await wholeReply(reply));
    return streamReply(c, reply, call, gone);
  },
);

/** Aborted when the client has gone: by its request's signal or by cancelling the stream. */
function goneSignal(c: ApiContext): AbortController {
  const gone = new AbortController();
  const signal = c.req.raw.signal as AbortSignal | undefined;
  if (signal?.aborted) gone.abort(signal.reason);
  signal?.addEventListener("abort", () => gone.abort(signal.reason), { once: true });
  return gone;
}

interface Reply {
  id: string;
  created: number;
  answer: AnswerStream;
  pieces: AsyncIterator<EnginePiece>;
}

function newReply(c: ApiContext, answer: AnswerStream): Reply {
  return {
    id: `chatcmpl-${c.var.trace}`,
    created: Math.floor(Date.now() / 1000),
    answer,
    pieces: answer.pieces[Symbol.asyncIterator](),
  };
}

async function wholeReply({ id, created, answer, pieces }: Reply) {
  const choices = new Choices();
  for (let next = await pieces.next(); !next.done; next = await pieces.next())
    choices.add(next.value);
  return {
    id,
    object: "chat.completion" as const,
    created,
    model: answer.model,
    ...choices.done(),
    brink: answer.report(),
  };
}

/** The first piece is awaited before the reply begins: what fails until then has its own status. */
async function streamReply(
  c: ApiContext,
  reply: Reply,
  call: ChatCall,
  gone: AbortController,
): Promise<Response> {
  const first = await reply.pieces.next();
  const log = (error: unknown) => {
    if (!gone.signal.aborted) logFailure(error, c.var.trace); // nobody's fault but the leaver's
  };
  const events = chunkEvents(reply, first, call.include_usage, log);
  c.header("content-type", "text/event-stream; charset=utf-8");
  c.header("cache-control", "no-store, no-transform");
  c.header("x-accel-buffering", "no");
  return c.body(eventStream(events, () => gone.abort()));
}

async function* chunkEvents(
  reply: Reply,
  first: IteratorResult<EnginePiece>,
  includeUsage: boolean,
  log: (error: unknown) => void,
): AsyncGenerator<string> {
  const { id, created, answer, pieces } = reply;
  const chunk = (rest: { choices: unknown[]; usage?: unknown; brink?: unknown }): string => {
    const usage = includeUsage ? { usage: null } : {};
    const object = "chat.completion.chunk";
    return JSON.stringify({ id, object, created, model: answer.model, ...usage, ...rest });
  };
  const finishes = new Map<number, string>();
  let usage: Usage | null = null;
  try {
    for (let next = first; !next.done; next = await pieces.next()) {
      const { index = 0, finish_reason } = next.value;
      if (!finishes.has(index)) yield chunk({ choices: [choiceDelta(index, ROLE)] });
      finishes.set(index, finish_reason ?? finishes.get(index) ?? "stop");
      usage = next.value.usage ?? usage;
      for (const choice of deltasOf(next.value)) yield chunk({ choices: [choice] });
    }
    if (finishes.size === 0) yield chunk({ choices: [choiceDelta(0, ROLE)] });
    const ends = finishes.size === 0 ? [[0, "stop"] as const] : [...finishes];
    for (const [i, [index, finish]] of ends.entries()) {
      const brink = i === ends.length - 1 ? { brink: answer.report() } : {};
      yield chunk({ choices: [choiceDelta(index, {}, null, finish)], ...brink });
    }
    if (includeUsage) yield chunk({ choices: [], usage: usage && describeUsage(usage) });
    yield "[DONE]";
  } catch (error) {
    log(error);
    yield JSON.stringify(describeFailure(error).body);
  } finally {
    await pieces.return?.();
  }
}

const ROLE = { role: "assistant", content: "" };

function choiceDelta(
  index: number,
  delta: object,
  logprobs: ReturnType<typeof describeLogprobs> = null,
  finish_reason: string | null = null,
) {
  return { index, delta, logprobs, finish_reason };
}

/** A piece's text with its log probabilities, and its tool calls; nothing for an empty piece. */
function deltasOf({ index = 0, text, logprobs, tool_calls }: EnginePiece) {
  const deltas: ReturnType<typeof choiceDelta>[] = [];
  if (text !== "" || logprobs?.length)
    deltas.push(choiceDelta(index, { content: text }, describeLogprobs(logprobs)));
  if (tool_calls?.length) deltas.push(choiceDelta(index, { tool_calls }));
  return deltas;
}
