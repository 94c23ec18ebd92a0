/** Reads a backend's reply, whole or streamed, whatever brought it. */
import { BACKEND_IDLE_MS_MAX, BACKEND_REPLY_BYTES_MAX, BACKEND_REPLY_MS_MAX } from "../limits.ts";
import { BackendFailure } from "./backend-failure.ts";
import type { Watch } from "./backend-watch.ts";
import { broken, type Fields, readChunk, readCompletion } from "./completion.ts";
import type { EnginePiece, EngineRequest, Usage } from "./engine.ts";
import { SseReader } from "./sse.ts";

/** One way to a model: one attempt, with no retry and no other backend. */
export interface Transport {
  /** The last piece has the finish reason and, where the backend counts, the usage. Throws
   *  BackendFailure, and the reason of the request's signal where that ended it. `firstByteMs` is
   *  how long the first byte may take. */
  answer(request: EngineRequest, firstByteMs: number): AsyncGenerator<EnginePiece>;
}

/** How long and how much a reply may take; a test makes them small. */
export interface ReplyLimits {
  /** Between two chunks of the reply. */
  idleMs: number;
  /** From the request to the last byte. */
  wholeMs: number;
  bytes: number;
}

export const REPLY_LIMITS: ReplyLimits = {
  idleMs: BACKEND_IDLE_MS_MAX,
  wholeMs: BACKEND_REPLY_MS_MAX,
  bytes: BACKEND_REPLY_BYTES_MAX,
};

/** Where a reply is read from, and how. */
export interface OpenReply {
  body: ReadableStream<Uint8Array>;
  /** Whether it is an event stream; a backend may answer whole where a stream was asked for. */
  events: boolean;
  /** Makes OpenAI's shape of the backend's. */
  translate?: (body: Fields) => Fields;
}

/** The reply's pieces. The watch's step clock runs when this is called, for the first byte. */
export async function* readReply(
  reply: OpenReply,
  watch: Watch,
  limits: ReplyLimits,
): AsyncGenerator<EnginePiece> {
  if (!reply.events) {
    yield readCompletion(await readWhole(reply, watch, limits), reply.translate);
    return;
  }
  const events = new SseReader();
  const last: { finish: string | null; usage: Usage | null } = { finish: null, usage: null };
  let done = false;
  for await (const bytes of chunksOf(reply, watch, limits)) {
    for (const data of bytes === null ? events.end() : events.push(bytes)) {
      done ||= data.trim() === "[DONE]";
      if (done) break;
      const { finish_reason, usage, ...piece } = readChunk(data, reply.translate);
      last.finish = finish_reason ?? last.finish;
      last.usage = usage ?? last.usage;
      if (piece.text !== "" || piece.tool_calls !== undefined) yield piece;
    }
    if (done) break;
  }
  if (!done && last.finish === null)
    throw broken("the stream ended before the answer did, without a finish reason or [DONE]");
  const usage = last.usage === null ? {} : { usage: last.usage };
  yield { text: "", finish_reason: last.finish ?? "stop", ...usage };
}

async function readWhole(reply: OpenReply, watch: Watch, limits: ReplyLimits): Promise<string> {
  const decoder = new TextDecoder("utf-8");
  let text = "";
  for await (const bytes of chunksOf(reply, watch, limits))
    text += bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true });
  return text;
}

/** The reply's chunks, then null at its end. The idle bound runs only while waiting for the
 *  backend, not while the caller digests. */
async function* chunksOf(
  reply: OpenReply,
  watch: Watch,
  limits: ReplyLimits,
): AsyncGenerator<Uint8Array | null> {
  const reader = reply.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await watch.race(reader.read());
      watch.rest();
      if (done) break;
      length += value.byteLength;
      if (length > limits.bytes) throw broken(`the reply is longer than ${limits.bytes} bytes`);
      yield value;
      watch.expect(limits.idleMs, "nothing more");
    }
    yield null;
  } finally {
    reader.cancel().catch(() => {}); // it may have failed already, which has been told
  }
}

/** Whatever a fetch or a body threw, as a failure without the key. */
export function explain(error: unknown, key: string | null): BackendFailure {
  if (error instanceof BackendFailure) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const fact = cause instanceof Error ? cause.message : "the connection failed";
  const message = `the backend cannot be reached or broke off: ${fact.slice(0, 200)}`;
  return new BackendFailure("failed", redact(message, key), { again: true, cause: error });
}

export function redact(text: string, key: string | null): string {
  return key === null ? text : text.replaceAll(key, "[key]");
}
