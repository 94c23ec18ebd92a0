/** A model behind an OpenAI-compatible URL. */
import { BACKEND_ERROR_BYTES_MAX, BACKEND_ERROR_MS_MAX } from "../limits.ts";
import { type BackendFailure, failureOf } from "./backend-failure.ts";
import {
  attempt,
  explain,
  type OpenReply,
  REPLY_LIMITS,
  type ReplyLimits,
  redact,
  type Transport,
} from "./backend-reply.ts";
import { readRetryAfterMs } from "./backend-retry.ts";
import type { Watch } from "./backend-watch.ts";
import { broken, readErrorCode, readErrorMessage } from "./completion.ts";
import type { EnginePiece, EngineRequest } from "./engine.ts";

/** Fields that are Brink's to set; a caller's own would contradict what is read back. */
const OWN_FIELDS = ["model", "messages", "stream", "stream_options", "memory", "n"];

/** Where completions are asked for. A URL without a path gets `/v1`; one that already ends in
 *  `/chat/completions` is used as it is; a query string is kept. */
export function completionsUrl(base: string): string {
  const url = new URL(base);
  const path = url.pathname.replace(/(?<!\/)\/+$/, "");
  if (!path.endsWith("/chat/completions"))
    url.pathname = `${path === "" ? "/v1" : path}/chat/completions`;
  return url.href;
}

/** The caller's parameters, less those that are Brink's own. */
export function parametersOf(request: EngineRequest): Record<string, unknown> {
  const given = Object.entries(request.parameters);
  return Object.fromEntries(given.filter(([name]) => !OWN_FIELDS.includes(name)));
}

/** Asks an OpenAI-compatible server once. Redirects are not followed: they would take the key, and
 *  the service, to a host nobody configured. Errors carry the status and a cut of the message, and
 *  never the key. The caller's abort reaches the server. */
export class HttpBackend implements Transport {
  readonly #model: string;
  readonly #key: string | null;
  readonly #url: string;
  readonly #limits: ReplyLimits;

  constructor(
    config: { url: string; key: string | null; model: string },
    limits: Partial<ReplyLimits> = {},
  ) {
    this.#model = config.model;
    this.#key = config.key;
    this.#url = completionsUrl(config.url);
    this.#limits = { ...REPLY_LIMITS, ...limits };
  }

  answer(request: EngineRequest, firstByteMs: number): AsyncGenerator<EnginePiece> {
    const limits = this.#limits;
    const open = (watch: Watch) => this.#open(request, watch);
    return attempt({
      ...{ request, firstByteMs, limits, open },
      explain: (error) => explain(error, this.#key),
    });
  }

  async #open(request: EngineRequest, watch: Watch): Promise<OpenReply> {
    const response = await watch.race(this.#fetch(request, watch.signal));
    if (!response.ok) throw await this.#refusal(response, watch);
    if (response.body === null) throw broken("the reply is empty");
    const type = response.headers.get("content-type") ?? "";
    const events = type.toLowerCase().startsWith("text/event-stream");
    return { body: response.body as ReadableStream<Uint8Array>, events };
  }

  #fetch(request: EngineRequest, signal: AbortSignal): Promise<Response> {
    const body = {
      ...parametersOf(request),
      model: this.#model,
      messages: request.messages,
      stream: request.stream,
      ...(request.stream ? { stream_options: { include_usage: true } } : {}),
    };
    return fetch(this.#url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: request.stream ? "text/event-stream" : "application/json",
        ...(this.#key === null ? {} : { authorization: `Bearer ${this.#key}` }),
        ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
      },
      body: JSON.stringify(body),
      redirect: "manual",
      signal,
    });
  }

  async #refusal(response: Response, watch: Watch): Promise<BackendFailure> {
    const text = await readStart(response, watch);
    const waitMs = readRetryAfterMs(response.headers.get("retry-after"), Date.now());
    const said = redact(readErrorMessage(text), this.#key);
    return failureOf(response.status, said, waitMs, readErrorCode(text));
  }
}

/** The first BACKEND_ERROR_BYTES_MAX of a reply, or a little more; what came of it within
 *  BACKEND_ERROR_MS_MAX, where it does not end or breaks off. */
async function readStart(response: Response, watch: Watch): Promise<string> {
  const decoder = new TextDecoder("utf-8");
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  let text = "";
  watch.expect(BACKEND_ERROR_MS_MAX, "no end of its error");
  try {
    for (let length = 0; length < BACKEND_ERROR_BYTES_MAX; ) {
      const { done, value } = await watch.race(reader.read());
      if (done) break;
      length += value.byteLength;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // Its status is known, and says more than how its words ended.
  }
  reader.cancel().catch(() => {});
  return text;
}
