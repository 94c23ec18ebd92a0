/** When to ask a backend again. */
import { BACKEND_PAUSE_BASE_MS, BACKEND_PAUSE_CAP_MS } from "../limits.ts";

/** Full jitter: random between 0 and min(cap, base * 2^(retry - 1)), ms; `retry` counts from 1 and
 *  `random` is in [0, 1). Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
 *  2015, where of the kinds of jitter it took the fewest calls for contending clients:
 *  https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export function fullJitterMs(retry: number, random: number): number {
  return random * Math.min(BACKEND_PAUSE_CAP_MS, BACKEND_PAUSE_BASE_MS * 2 ** (retry - 1));
}

/** A Retry-After header in ms from `now`: whole seconds or an HTTP date (RFC 9110, 10.2.3). Null
 *  where it is absent or neither; 0 for a date that has passed. */
export function readRetryAfterMs(header: string | null, now: number): number | null {
  const text = header?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  if (!/^[A-Z][a-z]{2},? /.test(text)) return null; // Date.parse would take far more
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
