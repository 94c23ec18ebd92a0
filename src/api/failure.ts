/** What a client is told of a failure: OpenAI's error shape and the code's status. */
import { cutText } from "../../index/cut.ts";
import { ERROR_CODES, toldCodeOf } from "../errors.ts";
import { ERROR_CHARS_MAX } from "../limits.ts";

export interface ErrorBody {
  error: { message: string; type: string; code: string; param: string | null };
}

/** Expected errors speak for themselves; a bug says only that it happened, and the log has the
 *  rest under the same trace. */
export function describeFailure(error: unknown): { status: number; body: ErrorBody } {
  const code = toldCodeOf(error);
  if (code === null || code === "internal")
    return {
      status: 500,
      body: {
        error: {
          message:
            "something went wrong inside Brink; the x-brink-trace header names the log entry",
          type: ERROR_CODES.internal.type,
          code: "internal",
          param: null,
        },
      },
    };
  const own = error as { message?: unknown; param?: unknown };
  const { param } = own;
  const message = code === "storage_unavailable" ? STORAGE_AWAY : own.message;
  return {
    status: ERROR_CODES[code].status,
    body: {
      error: {
        message: typeof message === "string" ? cut(message) : code,
        type: ERROR_CODES[code].type,
        code,
        param: typeof param === "string" ? cut(param) : null,
      },
    },
  };
}

/** Messages quote others that may be cut anywhere: no half of a surrogate pair is handed on. */
function cut(text: string): string {
  const whole = text.toWellFormed();
  return whole.length <= ERROR_CHARS_MAX ? whole : `${cutText(whole, ERROR_CHARS_MAX - 1)}…`;
}

/** The platform's own words are for the log. */
const STORAGE_AWAY = "what is stored cannot be reached just now: try again";

/** Logs what describeFailure hides, and nothing that is the client's own doing or will pass. */
export function logFailure(error: unknown, trace: string): void {
  const { status, body } = describeFailure(error);
  if (status < 500 || body.error.code === "starting") return;
  const expected = body.error.code !== "internal"; // its message says it all
  const stack = error instanceof Error && !expected ? error.stack : undefined;
  const detail = stack ?? String(error);
  const cause = error instanceof Error && error.cause !== undefined ? String(error.cause) : null;
  console.error(JSON.stringify({ trace, status, code: body.error.code, detail, cause }));
}
