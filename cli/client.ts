/** Calls of a service's endpoints. */
import { setTimeout as wait } from "node:timers/promises";
import { addressOf } from "./address.ts";
import { CommandError, countOf, type Values } from "./command.ts";
import { fetchWithin, SilenceError } from "./deadline.ts";
import {
  CLI_ATTEMPTS_MAX,
  CLI_CALL_S,
  CLI_LONG_CALL_S,
  CLI_RETRY_MS,
  CLI_RETRY_MS_MAX,
  CLI_SILENCE_S_MAX,
} from "./limits.ts";
import { logBeside } from "./progress.ts";
import { oneLine } from "./table.ts";

/** The attempt after whose failure a repeated call is spoken of. */
const TOLD_AT = 2;
/** How often a call is tried that nothing comes of: each try may be minutes. */
const SILENT_ATTEMPTS_MAX = 2;

export interface Client {
  /** The reply's JSON. Throws ReplyError with the service's own message and code. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** As `call`, again where it fails for what may pass: only for what does no harm twice. `headers`
   *  come on top of those that every call has. */
  callAgain(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<unknown>;
  /** Sends lines of NDJSON, again where the call fails for what may pass: the caller's lines must
   *  be such that sending them twice does no harm. */
  sendLines(path: string, lines: string): Promise<unknown>;
  /** The reply as it comes, to a GET, or to a POST of the body. Throws as `call` does. */
  stream(path: string, body?: unknown): Promise<Response>;
}

/** The service refused a call, or did not answer. */
export class ReplyError extends CommandError {
  /** HTTP status; 0: there was no reply. */
  readonly status: number;
  override readonly code: string | null;
  /** What the service asks to wait before another try, in ms; null: it does not say. */
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    status: number,
    code: string | null = null,
    retryAfterMs: number | null = null,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same call may succeed later. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The service that the options, the environment or the local default name. Throws UsageError for
 *  a --timeout that is none. */
export function connect(values: Values): Client {
  const { url: root, key } = addressOf(values);
  const silenceMs = (path: string, body: BodyInit | undefined) =>
    1000 * countOf(values, "timeout", silenceS(path, body), 1, CLI_SILENCE_S_MAX);
  silenceMs("", undefined); // refused before anything is done
  const send = async (
    method: string,
    path: string,
    type: string,
    body?: BodyInit,
    more: Record<string, string> = {},
  ) => {
    const headers = {
      ...more,
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": type }),
    };
    const url = `${root}${path}`;
    const response = await reach(url, silenceMs(path, body), { method, headers, body });
    // Each reply of Brink's has it; another service may say 200 to all that it is asked.
    if (response.ok && response.headers.has("x-brink-trace")) return response;
    throw refusal(root, response, await textOf(root, response));
  };
  const jsonOf = async (response: Response): Promise<unknown> => {
    const text = await textOf(root, response);
    try {
      return JSON.parse(text);
    } catch {
      throw refusal(root, response, text);
    }
  };
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => {
    return jsonOf(
      body instanceof Uint8Array
        ? await send(method, path, "application/octet-stream", body as BodyInit, headers)
        : await send(method, path, "application/json", JSON.stringify(body), headers),
    );
  };
  return {
    call,
    callAgain: (...args) => repeat(() => call(...args)),
    sendLines: (path, lines) =>
      repeat(async () => jsonOf(await send("POST", path, "application/x-ndjson", lines))),
    stream: (path, body) =>
      body === undefined
        ? send("GET", path, "")
        : send("POST", path, "application/json", JSON.stringify(body)),
  };
}

/** Repeats what fails for what may pass, CLI_ATTEMPTS_MAX times in all. Waits get longer: whoever
 *  looks on is told at the second. */
async function repeat<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ReplyError && error.passes)) throw error;
      const silent = error.code === TIMEOUT;
      if (attempt >= (silent ? SILENT_ATTEMPTS_MAX : CLI_ATTEMPTS_MAX)) throw error;
      if (silent || attempt === TOLD_AT) logBeside(oneLine(`${error.message}; trying again`));
      const ms = error.retryAfterMs ?? CLI_RETRY_MS * 2 ** (attempt - 1);
      await wait(Math.min(ms, CLI_RETRY_MS_MAX));
    }
  }
}

/** For how long a call's reply may send nothing, in s, where no option says so. */
function silenceS(path: string, body: BodyInit | undefined): number {
  const bulk = body !== undefined && typeof body !== "string";
  const long = bulk || /^\/v1\/chat\/|\/(lines|compact)\b|\/complete$/.test(path);
  return long ? CLI_LONG_CALL_S : CLI_CALL_S;
}

async function reach(url: string, ms: number, init: RequestInit): Promise<Response> {
  try {
    return await fetchWithin(ms, url, init);
  } catch (error) {
    const { origin } = new URL(url);
    if (error instanceof SilenceError) throw silent(origin, error);
    const looks = "is it running? npx brink doctor looks";
    throw new ReplyError(`${origin} cannot be reached (${factOf(error)}): ${looks}`, 0);
  }
}

async function textOf(root: string, response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    const { origin } = new URL(root);
    if (error instanceof SilenceError) throw silent(origin, error);
    throw new ReplyError(`the reply of ${origin} broke off (${factOf(error)})`, 0);
  }
}

function silent(origin: string, { message }: SilenceError): ReplyError {
  return new ReplyError(`${origin} was given up: ${message}`, 0, TIMEOUT);
}

/** Of what fetch threw, which hides it in the cause. */
function factOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

function refusal(url: string, response: Response, text: string): ReplyError {
  const { status, headers } = response;
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = seconds >= 0 ? seconds * 1000 : null;
  const told = errorIn(text);
  if (told !== null)
    return new ReplyError(`${told.message} (${told.code})`, status, told.code, retryAfterMs);
  if (!mayBeBefore(status)) return new ReplyError(describeStranger(url, status), status, NOT_BRINK);
  const message = `${url} answered ${status} in words that are not Brink's: wait, or look at --url`;
  return new ReplyError(message, status, null, retryAfterMs);
}

/** What a refusal of the service's says; null: the text is none. */
export function errorIn(text: string): { message: string; code: string } | null {
  try {
    const { message, code } = (JSON.parse(text) as { error: Record<string, unknown> }).error;
    return typeof message === "string" && typeof code === "string" ? { message, code } : null;
  } catch {
    return null;
  }
}

/** The code, for programs, of a call of which nothing came in time. */
export const TIMEOUT = "timeout";

/** The code, for programs, of what is no reply of Brink's. */
export const NOT_BRINK = "not_brink";

export function describeStranger(url: string, status: number): string {
  return `${url} answered ${status}, and it is no Brink: look at --url`;
}

/** Whether the platform or a proxy before a service answers so while the service cannot. 501 is
 *  what a server of files says to a POST. */
export function mayBeBefore(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}
