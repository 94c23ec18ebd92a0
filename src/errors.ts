/** The closed list of error codes with the HTTP status and OpenAI `type` of each. Clients may
 *  depend on a code; its message is for people and may change. */
export const ERROR_CODES = {
  invalid_json: { status: 400, type: "invalid_request_error" },
  invalid_request: { status: 400, type: "invalid_request_error" },
  invalid_model_file: { status: 500, type: "server_error" },
  model_too_large: { status: 413, type: "invalid_request_error" },
  body_too_large: { status: 413, type: "invalid_request_error" },
  unsupported_media_type: { status: 415, type: "invalid_request_error" },
  unsupported_parameter: { status: 400, type: "invalid_request_error" },
  missing_key: { status: 401, type: "authentication_error" },
  invalid_key: { status: 401, type: "authentication_error" },
  no_keys_configured: { status: 401, type: "authentication_error" },
  forbidden: { status: 403, type: "permission_error" },
  namespace_forbidden: { status: 403, type: "permission_error" },
  rate_limited: { status: 429, type: "rate_limit_error" },
  insufficient_quota: { status: 429, type: "insufficient_quota" },
  ledger_unavailable: { status: 503, type: "server_error" },
  not_found: { status: 404, type: "invalid_request_error" },
  method_not_allowed: { status: 405, type: "invalid_request_error" },
  model_not_found: { status: 404, type: "invalid_request_error" },
  namespace_not_found: { status: 404, type: "invalid_request_error" },
  document_not_found: { status: 404, type: "invalid_request_error" },
  job_not_found: { status: 404, type: "invalid_request_error" },
  conflict: { status: 409, type: "invalid_request_error" },
  version_conflict: { status: 409, type: "invalid_request_error" },
  idempotency_key_in_use: { status: 409, type: "invalid_request_error" },
  idempotency_key_reused: { status: 422, type: "invalid_request_error" },
  memory_full: { status: 413, type: "invalid_request_error" },
  memory_busy: { status: 503, type: "server_error" },
  shard_unavailable: { status: 503, type: "server_error" },
  storage_unavailable: { status: 503, type: "server_error" },
  snapshot_not_found: { status: 404, type: "invalid_request_error" },
  snapshot_damaged: { status: 422, type: "invalid_request_error" },
  snapshots_not_configured: { status: 503, type: "server_error" },
  vectorize_not_configured: { status: 503, type: "server_error" },
  model_unavailable: { status: 503, type: "server_error" },
  starting: { status: 503, type: "server_error" },
  generator_not_configured: { status: 503, type: "server_error" },
  generator_busy: { status: 503, type: "server_error" },
  generator_unavailable: { status: 502, type: "server_error" },
  context_length_exceeded: { status: 400, type: "invalid_request_error" },
  backend_not_configured: { status: 503, type: "server_error" },
  backend_unavailable: { status: 502, type: "server_error" },
  backend_busy: { status: 503, type: "server_error" },
  backend_timeout: { status: 504, type: "server_error" },
  misconfigured: { status: 500, type: "server_error" },
  storage_too_new: { status: 500, type: "server_error" },
  internal: { status: 500, type: "server_error" },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether what failed by the code may well pass when it is sent again as it was. */
export function mayPass(code: ErrorCode): boolean {
  return ERROR_CODES[code].status >= 500;
}

/** An expected failure: `code` is stable, `message` states the fact and the limit, `param` names
 *  the request field at fault. Object RPC strips the class but keeps `code` and `param`, so
 *  readers use `codeOf`, never instanceof. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  /** The message for a log, where the caller's may quote a prompt; null where it cannot. */
  readonly logged: string | null;

  constructor(
    code: ErrorCode,
    message: string,
    options?: { param?: string; cause?: unknown; logged?: string },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ServiceError";
    this.code = code;
    this.param = options?.param ?? null;
    this.logged = options?.logged ?? null;
  }
}

/** What a log may say of an error: its words without those of others that it quotes. */
export function loggedOf(error: unknown): string {
  const { logged } = (error ?? {}) as { logged?: unknown };
  return typeof logged === "string" ? logged : String(error);
}

/** The code an error carries, or null for a bug. Survives Durable Object RPC. */
export function codeOf(error: unknown): ErrorCode | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  const code = (error as { code: unknown }).code;
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : null;
}

type Fields = Record<string, unknown>;

/** How R2's messages end that have nothing to do with what was asked: an internal error, no
 *  service, too many requests. */
const BUCKET_AWAY = / \((10001|10043|10058)\)$/;

/** The code that a caller is told: that of the error, or `storage_unavailable` where the platform
 *  threw it because an object or R2 cannot be reached or has too much to do; null for a bug. The
 *  marks are those of Cloudflare's documentation of Durable Objects, "Error handling". */
export function toldCodeOf(error: unknown): ErrorCode | null {
  const { retryable, overloaded, durableObjectReset, message } = (error ?? {}) as Fields;
  const marked = [retryable, overloaded, durableObjectReset].includes(true);
  const away = marked || (typeof message === "string" && BUCKET_AWAY.test(message));
  return codeOf(error) ?? (away ? "storage_unavailable" : null);
}

/** Throws a bare Error when an invariant of the program, not of its input, is broken. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
