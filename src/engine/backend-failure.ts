/** What can go wrong with one attempt at one backend, and what that means for the next. */
import { type ErrorCode, ServiceError } from "../errors.ts";

export type FailureKind =
  /** It is down, unreachable, or answers with what cannot be read. */
  | "failed"
  | "timed_out"
  /** It has had enough requests for now. */
  | "rate_limited"
  /** The request itself is at fault: any other backend would refuse it too. */
  | "refused";

/** Never carries a key. Thrown and caught in one isolate, so its class can be asked for. */
export class BackendFailure extends ServiceError {
  readonly kind: FailureKind;
  /** Whether the same backend may answer when asked again. */
  readonly again: boolean;
  /** For how long the backend asked to be left alone, ms. */
  readonly retryAfterMs: number | null;
  /** The HTTP status that it answered; null where there was no answer. */
  readonly status: number | null;

  constructor(
    kind: FailureKind,
    message: string,
    options: {
      code?: ErrorCode;
      again?: boolean;
      retryAfterMs?: number | null;
      status?: number;
      logged?: string;
      cause?: unknown;
    } = {},
  ) {
    const otherwise = kind === "timed_out" ? "backend_timeout" : "backend_unavailable";
    const { cause, logged } = options;
    super(options.code ?? otherwise, message, {
      cause,
      ...(logged === undefined ? {} : { logged }),
    });
    this.kind = kind;
    this.again = options.again ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.status = options.status ?? null;
  }
}

/** Statuses that are the request's own doing, and what a caller is told by. */
const REFUSALS: Record<number, ErrorCode | undefined> = {
  400: "invalid_request",
  404: "model_not_found",
  413: "invalid_request",
  422: "invalid_request",
};

/** By OpenAI's `error.code`, where clients go by it: they shorten what they send and ask again. */
const TOLD: Record<string, ErrorCode | undefined> = {
  context_length_exceeded: "context_length_exceeded",
};

/** What an HTTP status other than 2xx means. `said` is the reply's own message, or empty; `told`
 *  its `error.code`. */
export function failureOf(
  status: number,
  said: string,
  retryAfterMs: number | null = null,
  told = "",
): BackendFailure {
  const message = (fact: string) =>
    `the backend answered ${status}${fact === "" ? "" : ": "}${fact}`;
  const known = { status, logged: message("") };
  if (status >= 300 && status < 400)
    return new BackendFailure("failed", message("redirects are not followed"), { status });
  if (status === 401 || status === 403)
    return new BackendFailure("failed", message("it refused its key"), { status });
  const code = REFUSALS[status];
  if (code !== undefined)
    return new BackendFailure("refused", message(said), { code: TOLD[told] ?? code, ...known });
  const limited = status === 429;
  const again = limited || status === 408 || (status >= 500 && status !== 501);
  const kind = limited ? "rate_limited" : "failed";
  return new BackendFailure(kind, message(said), { again, retryAfterMs, ...known });
}
