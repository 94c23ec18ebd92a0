/** The bounds of backends, with their reasons; limits.ts has the rest. */

// A prompt's evidence is cut to this many WordPiece tokens, about as many of theirs.
export const EVIDENCE_TOKENS_MAX = 1_500;

// Configuration. A variable of a Worker has 5 KB, which is 16 backends with room for long URLs.
export const BACKENDS_MAX = 16;
export const BACKENDS_CHARS_MAX = 5 * 1024;
export const BACKEND_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
export const BACKEND_TEXT_CHARS_MAX = 2_048;
export const BACKEND_ORDER_MAX = 100;
export const BACKEND_WEIGHT_MIN = 0.001;
export const BACKEND_WEIGHT_MAX = 1_000;

// Time. One attempt's first byte, where the configuration names no other: people wait no longer
// for a first word, and providers that are well send it within a few seconds.
export const BACKEND_FIRST_BYTE_MS = 20_000;
export const BACKEND_FIRST_BYTE_MS_MAX = 300_000;
// Between two chunks, and what a whole reply may take beyond its first byte's time.
export const BACKEND_IDLE_MS_MAX = 30_000;
// For the words of an error, once its status is known: those come with it, and another backend may
// be waiting to be asked.
export const BACKEND_ERROR_MS_MAX = 2_000;
// All attempts together until one has its first byte: three that time out. A backend whose own
// deadline is longer has that.
export const BACKEND_TOTAL_MS_MAX = 60_000;
// From the request to the last byte. A stream that still drips after ten minutes is no answer.
export const BACKEND_REPLY_MS_MAX = 600_000;

// Size.
export const BACKEND_REPLY_BYTES_MAX = 4 * 1024 * 1024;
// With log probabilities: a token and its 20 likeliest take 1 to 2 KB.
export const BACKEND_LOGPROBS_BYTES_MAX = 8 * 1024 * 1024;
export const BACKEND_ERROR_BYTES_MAX = 8 * 1024;
// Web pages that one message or part of it says it drew on: searches of the web give up to 50.
export const ANNOTATIONS_MAX = 100;

// Retries. Every backend is asked before any is asked again; three rounds are what the clients of
// providers do, and six attempts the most that one question may cost.
export const BACKEND_ROUNDS_MAX = 3;
export const BACKEND_ATTEMPTS_MAX = 6;
// Pauses between rounds: at random up to 250 ms, then up to 500 (engine/backend-retry.ts).
export const BACKEND_PAUSE_BASE_MS = 250;
export const BACKEND_PAUSE_CAP_MS = 2_000;
// A Retry-After that is longer than this is not worth a caller's wait, but the backend is left
// alone for as long; one of hours, which some send for a spent quota, is tried again sooner.
export const BACKEND_RETRY_AFTER_MS_MAX = 2_000;
export const BACKEND_HOLD_MS_MAX = 300_000;

// The circuit of one backend in one isolate. Of its last 20 outcomes within a minute, at least
// half of at least 8 failed: with two requests' attempts alone it stays closed. Open, it saves its
// callers the wait for 10 s, 25 % more or less so that isolates do not all come back at once; then
// one request tries it.
export const CIRCUIT_OUTCOMES = 20;
export const CIRCUIT_OUTCOMES_MIN = 8;
export const CIRCUIT_WINDOW_MS = 60_000;
export const CIRCUIT_FAILURE_RATE = 0.5;
export const CIRCUIT_OPEN_MS = 10_000;
export const CIRCUIT_OPEN_JITTER = 0.25;

// Requests under way at one backend from one isolate, where the configuration names no other, and
// those that wait for a place: each holds its prompt, of some 10 KB, and its connection.
export const BACKEND_CONCURRENCY = 256;
export const BACKEND_CONCURRENCY_MAX = 10_000;
export const BACKEND_QUEUE_MAX = 64;
export const BACKEND_QUEUE_MS_MAX = 2_000;
// After how many seconds a caller that found no place may come again.
export const BACKEND_BUSY_RETRY_AFTER_S = 2;

// Hedging: sooner than 10 ms is asking two at once, and after a minute the first has timed out.
export const BACKEND_HEDGE_MS_MIN = 10;
export const BACKEND_HEDGE_MS_MAX = 60_000;
