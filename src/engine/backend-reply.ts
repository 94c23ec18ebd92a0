/** Reads a backend's reply, whole or streamed, whatever brought it. */
import {
  BACKEND_IDLE_MS_MAX,
  BACKEND_LOGPROBS_BYTES_MAX,
  BACKEND_REPLY_BYTES_MAX,
  BACKEND_REPLY_MS_MAX,
} from "../limits.ts";
import { BackendFailure } from "./backend-failure.ts";
import { Watch } from "./backend-watch.ts";
import { CallPlaces } from "./call-places.ts";
import {
  broken,
  type Fields,
  type Reading,
  readChunk,
  readCompletion,
  topLogprobsOf,
} from "./completion.ts";
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
  /** The same where log probabilities were asked for. */
  logprobsBytes: number;
}

export const REPLY_LIMITS: ReplyLimits = {
  idleMs: BACKEND_IDLE_MS_MAX,
  wholeMs: BACKEND_REPLY_MS_MAX,
  bytes: BACKEND_REPLY_BYTES_MAX,
  logprobsBytes: BACKEND_LOGPROBS_BYTES_MAX,
};

/** Where a reply is read from, and how. */
export interface OpenReply {
  body: ReadableStream<Uint8Array>;
  /** Whether it is said to be an event stream; a backend may answer whole where a stream was asked
   *  for. */
  events: boolean;
  /** Makes OpenAI's shape of the backend's. */
  translate?: (body: Fields) => Fields;
}

/** One attempt. `open` asks for the reply, and may throw what the backend said instead; `explain`
 *  makes a failure of whatever was thrown. */
export interface Attempt {
  request: EngineRequest;
  firstByteMs: number;
  limits: ReplyLimits;
  open(watch: Watch): Promise<OpenReply | EnginePiece>;
  explain(error: unknown): BackendFailure;
}

/** The attempt's pieces. The idle bound runs only while waiting for the backend, not while the
 *  caller digests. One generator for all of it: each one more costs every token its promises. */
export async function* attempt(of: Attempt): AsyncGenerator<EnginePiece> {
  const { limits } = of;
  const top = topLogprobsOf(of.request.parameters);
  const most = top.topLogprobs === undefined ? limits.bytes : limits.logprobsBytes;
  const watch = new Watch(of.request.signal, limits.wholeMs);
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  let ended = false; // the answer, if not its body
  let drained = false;
  let parser: ReplyParser | null = null;
  try {
    watch.expect(of.firstByteMs, "no answer");
    const reply = await of.open(watch);
    if (!("body" in reply)) {
      ended = true;
      yield reply;
      return;
    }
    reader = reply.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    const { hidden } = of.request;
    const reading = { ...reply, ...top };
    parser = new BodyParser(reply.events, reading, hidden);
    for (let length = 0; !parser.ended; ) {
      const { done, value } = await watch.race(reader.read());
      watch.rest();
      drained = done;
      length += value?.byteLength ?? 0;
      if (length > most) throw broken(`the reply is longer than ${most} bytes`);
      for (const piece of parser.read(done ? null : value!)) yield piece;
      watch.expect(limits.idleMs, "nothing more");
    }
    ended = true;
  } catch (error) {
    const failure = reasonOf(error, watch, of);
    if (parser === null || !parser.finished || !isLost(failure)) throw failure;
    ended = true;
    yield parser.end(); // all that it had to say is here
  } finally {
    if (!drained) reader?.cancel().catch(() => {}); // it may have failed, which has been told
    watch.end(ended);
  }
}

/** What ended the attempt. A status that is known says more than that its words came late. */
function reasonOf(error: unknown, watch: Watch, { request, explain }: Attempt): unknown {
  const known = error instanceof BackendFailure && error.status !== null;
  const ended = known && !request.signal.aborted ? null : watch.reason();
  return ended ?? explain(error);
}

/** Whether the connection was lost or fell silent, and nothing wrong was said. */
function isLost(failure: unknown): boolean {
  return failure instanceof BackendFailure && (failure.again || failure.kind === "timed_out");
}

interface ReplyParser {
  /** Whether the last piece was given. */
  readonly ended: boolean;
  /** Whether a finish reason came: only what was used can be missing. */
  readonly finished: boolean;
  /** The pieces that these bytes complete; null ends the reply. Throws `broken`. */
  read(bytes: Uint8Array | null): Iterable<EnginePiece>;
  /** The last piece. */
  end(): EnginePiece;
}

/** A stream or a whole reply, by how it begins: what its content type says is often wrong. */
class BodyParser implements ReplyParser {
  readonly #events: boolean;
  readonly #reading: Reading;
  readonly #tellHidden: ((bytes: number) => void) | undefined;
  #parser: ReplyParser | null = null;

  constructor(events: boolean, reading: Reading, tellHidden?: (bytes: number) => void) {
    this.#events = events;
    this.#reading = reading;
    this.#tellHidden = tellHidden;
  }

  get ended(): boolean {
    return this.#parser?.ended ?? false;
  }

  get finished(): boolean {
    return this.#parser?.finished ?? false;
  }

  read(bytes: Uint8Array | null): Iterable<EnginePiece> {
    if (this.#parser !== null) return this.#parser.read(bytes);
    const start = bytes?.findIndex((byte) => !BLANK.has(byte)) ?? -1;
    if (bytes !== null && start < 0) return [];
    if (bytes === null) throw broken("the reply is empty");
    const first = bytes[start]!;
    const events = EVENT_STARTS.has(first) || (this.#events && first !== OBJECT_START);
    const Parser = events ? StreamParser : WholeParser;
    this.#parser = new Parser(this.#reading, this.#tellHidden);
    return this.#parser.read(bytes.subarray(start));
  }

  end(): EnginePiece {
    return this.#parser!.end();
  }
}

const codes = (chars: string) => new Set([...chars].map((char) => char.charCodeAt(0)));
/** White space, and the bytes of a byte order mark. */
const BLANK = codes("\xef\xbb\xbf \t\r\n");
/** Of `data:`, `event:` and comments; no JSON begins with these. */
const EVENT_STARTS = codes("de:");
const OBJECT_START = 0x7b;

class StreamParser implements ReplyParser {
  ended = false;
  readonly #reading: Reading;
  readonly #events = new SseReader();
  readonly #places = new CallPlaces();
  readonly #tellHidden: (bytes: number) => void;
  #finish: string | null = null;
  #usage: Usage | null = null;

  constructor(reading: Reading, tellHidden: (bytes: number) => void = () => {}) {
    this.#reading = reading;
    this.#tellHidden = tellHidden;
  }

  get finished(): boolean {
    return this.#finish !== null;
  }

  *read(bytes: Uint8Array | null): Iterable<EnginePiece> {
    for (const data of bytes === null ? this.#events.end() : this.#events.push(bytes)) {
      const said = data.trim();
      if (said === "[DONE]") {
        yield this.end();
        return;
      }
      if (said === "") continue; // some keep a connection open so
      const { finish_reason, usage, hidden, ...piece } = readChunk(data, this.#reading);
      if (hidden > 0) this.#tellHidden(hidden);
      this.#finish = finish_reason ?? this.#finish;
      this.#usage = usage ?? this.#usage;
      if (piece.tool_calls) piece.tool_calls = this.#places.place(piece.tool_calls as Fields[]);
      const { text, tool_calls, logprobs, annotations } = piece;
      if (text !== "" || (tool_calls ?? logprobs ?? annotations) !== undefined) yield piece;
    }
    if (bytes !== null) return;
    if (this.#finish === null)
      throw broken("the stream ended before the answer did, without a finish reason or [DONE]");
    yield this.end();
  }

  end(): EnginePiece {
    this.ended = true;
    const usage = this.#usage === null ? {} : { usage: this.#usage };
    return { text: "", finish_reason: this.#finish ?? "stop", ...usage };
  }
}

class WholeParser implements ReplyParser {
  ended = false;
  readonly finished = false;
  readonly #reading: Reading;
  readonly #tellHidden: (bytes: number) => void;
  readonly #decoder = new TextDecoder("utf-8");
  #text = "";

  constructor(reading: Reading, tellHidden: (bytes: number) => void = () => {}) {
    this.#reading = reading;
    this.#tellHidden = tellHidden;
  }

  read(bytes: Uint8Array | null): EnginePiece[] {
    if (bytes !== null) {
      this.#text += this.#decoder.decode(bytes, { stream: true });
      return [];
    }
    return [this.end()];
  }

  end(): EnginePiece {
    this.ended = true;
    const text = this.#text + this.#decoder.decode();
    const { hidden, ...piece } = readCompletion(text, this.#reading);
    this.#tellHidden(hidden);
    return piece;
  }
}

/** Whatever a fetch or a body threw, as a failure without the key. */
export function explain(error: unknown, key: string | null): BackendFailure {
  if (error instanceof BackendFailure) {
    error.message = redact(error.message, key); // a backend's words may quote it
    return error;
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const fact = cause instanceof Error ? cause.message : "the connection failed";
  const message = `the backend cannot be reached or broke off: ${fact.slice(0, 200)}`;
  return new BackendFailure("failed", redact(message, key), { again: true, cause: error });
}

export function redact(text: string, key: string | null): string {
  return key === null ? text : text.replaceAll(key, "[key]");
}
