/** One line of JSON a request. No text of the request's or of the answer's is in it unless the
 *  operator asks for that. */
import type { WatchingConfig } from "../env-watching.ts";
import { ERROR_CODES, loggedOf } from "../errors.ts";
import { LOG_DETAIL_CHARS_MAX } from "../limits.ts";
import { redact } from "./redact.ts";
import type { Trace } from "./trace.ts";
import { summaryOf, textsOf } from "./trace-record.ts";

export function logRequest(trace: Trace, { log, logText }: WatchingConfig): void {
  const failed = isFailed(trace);
  if (log === "errors" && !failed) return;
  const level = failed ? "error" : trace.failure !== null ? "warn" : "info";
  const { trace_id, at, ...rest } = summaryOf(trace);
  const line = {
    level,
    time: new Date(at).toISOString(),
    trace: trace_id,
    ...(trace.parent === null ? {} : { parent_trace: trace.parent.trace_id }),
    tenant: trace.caller?.tenant ?? null,
    ...rest,
    ...(failed ? describeError(trace.failure?.error) : {}),
    ...(logText ? { texts: textsOf(trace) } : {}),
  };
  if (failed) console.error(JSON.stringify(line));
  else console.log(JSON.stringify(line));
}

/** Whether the fault is the service's or a backend's, and not one that passes at a start. */
export function isFailed({ failure }: Trace): boolean {
  if (failure === null) return false;
  return failure.code !== "starting" && ERROR_CODES[failure.code].status >= 500;
}

/** What describeFailure() hides from the client. A message may quote what a backend said, which may
 *  quote the prompt: the error knows what it says to a log instead. */
function describeError(error: unknown): { detail?: string; cause?: string; stack?: string } {
  if (error === undefined) return {};
  const { cause, stack, code } = error as { cause?: unknown; stack?: unknown; code?: unknown };
  const frames = typeof stack === "string" ? stack.slice(stack.search(/\n {4}at /) + 1) : "";
  const bug = code === undefined || code === "internal";
  return {
    detail: redact(loggedOf(error), LOG_DETAIL_CHARS_MAX),
    ...(cause === undefined ? {} : { cause: redact(loggedOf(cause), LOG_DETAIL_CHARS_MAX) }),
    ...(bug && frames !== "" ? { stack: frames.slice(0, LOG_DETAIL_CHARS_MAX) } : {}),
  };
}
