/** Calls to the service that served this page. */
import { readEvents } from "./sse.js";

/** @typedef {import("./types.js").BrinkReport} BrinkReport */

const STARTING_RETRY_MS = 1_000;
const STARTING_TRIES_MAX = 180;

/** A failure with the service's own code; `network` and `broken_reply` are the console's.  */
export class ApiError extends Error {
  /** @param {string} message
   *  @param {{ code: string, status?: number, trace?: string | null, cause?: unknown }} about */
  constructor(message, { code, status = 0, trace = null, cause }) {
    super(message, { cause });
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.trace = trace;
  }
}

/** Fires `starting` (detail: what the service waits for), `started`, and `refused` where the key
 *  that is in use is not taken. */
export const events = new EventTarget();

let key = "";

/** @param {string} newKey sent from now on; empty for none */
export function useKey(newKey) {
  key = newKey;
}

/** @typedef {object} CallOptions
 * @property {string} [method]
 * @property {unknown} [body] Sent as JSON.
 * @property {string} [lines] Sent as NDJSON, in the body's place.
 * @property {AbortSignal} [signal] */

/** The reply's JSON. Waits while the service starts. Throws ApiError, or the signal's reason.
 * @param {string} path
 * @param {CallOptions} [options]
 * @returns {Promise<any>} */
export async function call(path, options = {}) {
  const response = await send(path, options);
  const trace = response.headers.get("x-brink-trace");
  try {
    return await response.json();
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new ApiError("the reply is not JSON", { code: "broken_reply", trace, cause });
  }
}

/** @param {string} path
 *  @param {CallOptions} options
 *  @returns {Promise<Response>} a reply of status 2xx */
async function send(path, options) {
  for (let tries = 1; ; tries++) {
    try {
      const response = await sendOnce(path, options);
      if (tries > 1) events.dispatchEvent(new Event("started"));
      return response;
    } catch (error) {
      const starting = error instanceof ApiError && error.code === "starting";
      if (!starting || tries === STARTING_TRIES_MAX) {
        if (tries > 1) events.dispatchEvent(new Event("started"));
        throw error;
      }
      events.dispatchEvent(new CustomEvent("starting", { detail: error.message }));
      await pause(STARTING_RETRY_MS, options.signal);
    }
  }
}

/** @param {string} path
 *  @param {CallOptions} options */
async function sendOnce(path, { method = "GET", body, lines, signal }) {
  const headers = new Headers();
  if (key !== "") setKey(headers);
  if (body !== undefined) headers.set("content-type", "application/json");
  if (lines !== undefined) headers.set("content-type", "application/x-ndjson");
  const text = body === undefined ? lines : JSON.stringify(body);
  const used = key;
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { method, headers, body: text, signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ApiError("the service did not answer", { code: "network", cause });
  }
  if (response.status === 401 && used === key) events.dispatchEvent(new Event("refused"));
  if (!response.ok) throw await readFailure(response);
  return response;
}

/** Refuses, in the service's place, what no header can carry, such as a quotation mark that was
 *  pasted along.
 * @param {Headers} headers */
function setKey(headers) {
  try {
    headers.set("authorization", `Bearer ${key}`);
  } catch (cause) {
    const message = "a key has no such characters: was something else pasted along?";
    throw new ApiError(message, { code: "invalid_key", status: 401, cause });
  }
}

/** @param {Response} response */
async function readFailure(response) {
  const { status } = response;
  const trace = response.headers.get("x-brink-trace");
  const body = await response.json().catch(() => null);
  return toApiError(body, status, trace);
}

/** OpenAI's error shape as an ApiError, whatever of it is there.
 * @param {any} body
 * @param {number} status
 * @param {string | null} trace */
function toApiError(body, status, trace) {
  const message = body?.error?.message ?? `the service answered with status ${status}`;
  return new ApiError(String(message), {
    code: String(body?.error?.code ?? `http_${status}`),
    status,
    trace,
  });
}

/** @param {number} ms
 *  @param {AbortSignal | undefined} signal
 *  @returns {Promise<void>} rejects with the signal's reason */
function pause(ms, signal) {
  return new Promise((done, fail) => {
    signal?.throwIfAborted();
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });
}

/** Streams an answer; resolves when it is whole.
 * @param {Record<string, unknown>} request the body, less `stream`
 * @param {AbortSignal} signal
 * @param {(text: string) => void} onText called with each piece
 * @returns {Promise<{ brink: BrinkReport | null, trace: string | null }>} */
export async function streamChat(request, signal, onText) {
  const body = { ...request, stream: true };
  const response = await send("/v1/chat/completions", { method: "POST", body, signal });
  const trace = response.headers.get("x-brink-trace");
  /** @type {BrinkReport | null} */
  let brink = null;
  try {
    for await (const data of readEvents(response.body ?? new ReadableStream())) {
      if (data === "[DONE]") return { brink, trace };
      const chunk = JSON.parse(data);
      if (chunk.error) throw toApiError(chunk, response.status, trace);
      const text = chunk.choices?.[0]?.delta?.content;
      if (typeof text === "string" && text !== "") onText(text);
      brink = chunk.brink ?? brink;
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ApiError) throw cause;
    throw new ApiError("the stream broke off", { code: "broken_reply", trace, cause });
  }
  throw new ApiError("the stream ended before the answer did", { code: "broken_reply", trace });
}

/** @param {string} namespace
 *  @param {...string} steps below it, not yet encoded */
export function namespacePath(namespace, ...steps) {
  return ["/admin/namespaces", namespace, ...steps]
    .map((step, i) => (i === 0 ? step : encodeURIComponent(step)))
    .join("/");
}
