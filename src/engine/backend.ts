/** A backend: any model behind an OpenAI-compatible URL. */
import type { BackendConfig } from "../env.ts";
import { codeOf, ServiceError } from "../errors.ts";
import {
  BACKEND_ERROR_BYTES_MAX,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_IDLE_MS_MAX,
  BACKEND_REPLY_BYTES_MAX,
  BACKEND_RETRY_AFTER_MS_MAX,
} from "../limits.ts";
import { broken, readChunk, readCompletion, readErrorMessage } from "./completion.ts";
import type { Engine, EnginePiece, EngineRequest, Usage } from "./engine.ts";
import { SseReader } from "./sse.ts";

/** How long and how much a backend may take; a test makes them small. */
export interface BackendLimits {
  /** From the first attempt to the first byte of the reply, the retry included. */
  firstByteMs: number;
  /** Between two chunks of the reply. */
  idleMs: number;
  replyBytes: number;
  /** Mean pause before the one retry; the real one is half to one and a half of it. */
  retryPauseMs: number;
}

const LIMITS: BackendLimits = {
  firstByteMs: BACKEND_FIRST_BYTE_MS_MAX,
  idleMs: BACKEND_IDLE_MS_MAX,
  replyBytes: BACKEND_REPLY_BYTES_MAX,
  retryPauseMs: 300,
};

/** Statuses that another attempt may mend. */
const RETRIED = new Set([429, 502, 503, 504]);
/** Fields that are Brink's to set; a caller's own would contradict what is read back. */
const OWN_FIELDS = ["model", "messages", "stream", "stream_options", "memory", "n"];

/** Where completions are asked for. A URL without a path gets `/v1`; one that already ends in
 *  `/chat/completions` is used as it is; a query string is kept. */
export function completionsUrl(base: string): string {
  const url = new URL(base);
  const path = url.pathname.replace(/\/+$/, "");
  if (!path.endsWith("/chat/completions"))
    url.pathname = `${path === "" ? "/v1" : path}/chat/completions`;
  return url.href;
}

/** Asks one configured backend. One retry, before the first byte only, on a refused connection
 *  or a status that says to come back. Redirects are not followed: they would take the key to a
 *  host nobody configured. Errors carry the backend's status and a cut of its message, and never
 *  the key. The caller's abort reaches the backend and is rethrown as the signal's reason. */
export class BackendEngine implements Engine {
  readonly kind = "backend";
  readonly id: string;
  /** The model's own name, as the backend knows it. */
  readonly model: string;
  readonly #config: BackendConfig;
  readonly #url: string;
  readonly #limits: BackendLimits;

  constructor(config: BackendConfig, limits: Partial<BackendLimits> = {}) {
    this.id = `backend:${config.model}`;
    this.model = config.model;
    this.#config = config;
    this.#url = completionsUrl(config.url);
    this.#limits = { ...LIMITS, ...limits };
  }

  /** The last piece has the finish reason and, where the backend counts, the usage. */
  async *answer(request: EngineRequest): AsyncGenerator<EnginePiece> {
    const { firstByteMs, idleMs } = this.#limits;
    const watch = new Watch(request.signal);
    try {
      // A whole reply has its first byte when its last token is made, so it may take both bounds.
      watch.expect(request.stream ? firstByteMs : firstByteMs + idleMs, "no answer");
      const reply = await this.#open(request, watch);
      if (reply.events) yield* this.#readStream(reply, watch);
      else yield readCompletion(await this.#readWhole(reply, watch));
    } catch (error) {
      throw watch.reason() ?? this.#explain(error);
    } finally {
      watch.end();
    }
  }

  /** The reply with its first chunk read, after one retry at most. */
  async #open(request: EngineRequest, watch: Watch): Promise<OpenReply> {
    for (let attempt = 1; ; attempt++) {
      let failure: unknown;
      let pauseMs = this.#limits.retryPauseMs * (0.5 + Math.random());
      try {
        const response = await watch.race(this.#fetch(request, watch.signal));
        if (response.ok) return await openReply(response, watch);
        failure = await this.#describeStatus(response, watch);
        if (!RETRIED.has(response.status)) throw failure;
        pauseMs = Math.max(pauseMs, retryAfterMs(response));
      } catch (error) {
        if (watch.signal.aborted || codeOf(error) !== null) throw error;
        failure = error;
      }
      if (attempt === 2 || pauseMs > BACKEND_RETRY_AFTER_MS_MAX) throw failure;
      await watch.pause(pauseMs);
    }
  }

  #fetch(request: EngineRequest, signal: AbortSignal): Promise<Response> {
    const parameters = Object.fromEntries(
      Object.entries(request.parameters).filter(([name]) => !OWN_FIELDS.includes(name)),
    );
    const body = {
      ...parameters,
      model: this.#config.model,
      messages: request.messages,
      stream: request.stream,
      ...(request.stream ? { stream_options: { include_usage: true } } : {}),
    };
    const { key } = this.#config;
    return fetch(this.#url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: request.stream ? "text/event-stream" : "application/json",
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(body),
      redirect: "manual",
      signal,
    });
  }

  async *#readStream(reply: OpenReply, watch: Watch): AsyncGenerator<EnginePiece> {
    const events = new SseReader();
    const last: { finish: string | null; usage: Usage | null } = { finish: null, usage: null };
    let done = false;
    for await (const bytes of this.#chunks(reply, watch)) {
      for (const data of bytes === null ? events.end() : events.push(bytes)) {
        done ||= data.trim() === "[DONE]";
        if (done) break;
        const { finish_reason, usage, ...piece } = readChunk(data);
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

  async #readWhole(reply: OpenReply, watch: Watch): Promise<string> {
    const decoder = new TextDecoder("utf-8");
    let text = "";
    for await (const bytes of this.#chunks(reply, watch))
      text += bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true });
    return text;
  }

  /** The reply's chunks, then null at its end. The idle bound runs only while waiting for the
   *  backend, not while the caller digests. */
  async *#chunks(reply: OpenReply, watch: Watch): AsyncGenerator<Uint8Array | null> {
    let length = 0;
    try {
      for (let next = reply.first; !next.done; next = await watch.race(reply.reader.read())) {
        watch.rest();
        length += next.value.byteLength;
        if (length > this.#limits.replyBytes)
          throw broken(`the reply is longer than ${this.#limits.replyBytes} bytes`);
        yield next.value;
        watch.expect(this.#limits.idleMs, "nothing more");
      }
      watch.rest();
      yield null;
    } finally {
      reply.reader.cancel().catch(() => {}); // it may have failed already, which has been told
    }
  }

  async #describeStatus(response: Response, watch: Watch): Promise<ServiceError> {
    const { status } = response;
    const failed = (fact: string) =>
      new ServiceError(
        "backend_unavailable",
        this.#redact(`the backend answered ${status}${fact}`),
      );
    if (status >= 300 && status < 400) return failed(": redirects are not followed");
    if (status === 401 || status === 403) return failed(": it refused its key");
    const text = await readStart(response, watch).catch(() => "");
    const said = readErrorMessage(text);
    return failed(said === "" ? "" : `: ${said}`);
  }

  #redact(text: string): string {
    const { key } = this.#config;
    return key === null ? text : text.replaceAll(key, "[key]");
  }

  /** Whatever fetch or the body threw, as an error of the list. */
  #explain(error: unknown): unknown {
    if (codeOf(error) !== null) return error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const fact = cause instanceof Error ? cause.message : "the connection failed";
    return new ServiceError(
      "backend_unavailable",
      this.#redact(`the backend cannot be reached or broke off: ${fact.slice(0, 200)}`),
      { cause: error },
    );
  }
}

interface OpenReply {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  first: ReadableStreamReadResult<Uint8Array>;
  /** Whether it is an event stream; a backend may answer whole where a stream was asked for. */
  events: boolean;
}

async function openReply(response: Response, watch: Watch): Promise<OpenReply> {
  if (response.body === null) throw broken("the reply is empty");
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const first = await watch.race(reader.read());
  const type = response.headers.get("content-type") ?? "";
  return { reader, first, events: type.toLowerCase().startsWith("text/event-stream") };
}

/** The first BACKEND_ERROR_BYTES_MAX of a reply, or a little more. */
async function readStart(response: Response, watch: Watch): Promise<string> {
  const decoder = new TextDecoder("utf-8");
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  let text = "";
  for (let length = 0; length < BACKEND_ERROR_BYTES_MAX; ) {
    const { done, value } = await watch.race(reader.read());
    if (done) break;
    length += value.byteLength;
    text += decoder.decode(value, { stream: true });
  }
  reader.cancel().catch(() => {});
  return text;
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get("retry-after") ?? "0");
  return Number.isFinite(seconds) ? seconds * 1_000 : 0;
}

/** One request's clock and its end: whichever comes first of the caller's abort and a bound. */
class Watch {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #onCallerAbort: () => void;
  readonly #ended: Promise<never>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timeout: ServiceError | null = null;

  constructor(caller: AbortSignal) {
    this.#caller = caller;
    this.#ended = new Promise((_, reject) => {
      this.signal.addEventListener("abort", () => reject(this.signal.reason), { once: true });
    });
    this.#ended.catch(() => {}); // nobody may be waiting when it ends
    this.#onCallerAbort = () => this.#controller.abort(caller.reason);
    if (caller.aborted) this.#onCallerAbort();
    caller.addEventListener("abort", this.#onCallerAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the clock anew; past `ms` everything raced against it fails with `backend_timeout`. */
  expect(ms: number, what: string): void {
    this.rest();
    this.#timer = setTimeout(() => {
      this.#timeout = new ServiceError("backend_timeout", `the backend gave ${what} in ${ms} ms`);
      this.#controller.abort(this.#timeout);
    }, ms);
  }

  /** Stops the clock until the next `expect`. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  /** The promise, or a rejection when the watch ends first: not every runtime's body reads heed
   *  the signal of their fetch. */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#ended]);
  }

  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await this.race(pause).finally(() => clearTimeout(timer));
  }

  /** Why the watch ended early: the bound, or what the caller gave; null if it did not. */
  reason(): unknown {
    if (this.#timeout !== null) return this.#timeout;
    return this.#caller.aborted ? this.#caller.reason : null;
  }

  /** Stops the clock and whatever of the request is still under way. */
  end(): void {
    this.rest();
    this.#caller.removeEventListener("abort", this.#onCallerAbort);
    this.#controller.abort();
  }
}
