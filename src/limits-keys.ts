/** Bounds of keys, limits, budgets and the record of use, and their reasons. */

// A minute's rate and a budget as no deployment needs them, so that sums stay exact integers: a
// million USD are 10^15 nano-USD, and a double counts to 9 x 10^15.
export const REQUESTS_PER_MINUTE_MAX = 1_000_000;
export const TOKENS_PER_MINUTE_MAX = 1_000_000_000;
export const BUDGET_USD_MAX = 1_000_000;
// USD for a million tokens: the dearest models take some hundred, and a configured answer's price
// stays exact.
export const PRICE_PER_MTOK_MAX = 1_000_000;
// How long both texts of a rotated key may work: a rollout of a new secret takes days, not months.
export const ROTATE_GRACE_S_MAX = 14 * 24 * 60 * 60;
// Earlier texts of one key that may still work; another rotation ends the oldest.
export const OLD_HASHES_MAX = 4;
// A minute in slots of a second, one more so that no 60 seconds ever hold more than the limit.
export const RATE_SLOTS = 61;
// What a request that is not answered yet is thought to take: about 4 bytes of English a token,
// and a short answer. The difference is made up once the answer is there.
export const BYTES_PER_TOKEN = 4;
export const ANSWER_TOKENS_ESTIMATE = 256;

// Money is held for an answer under way. None takes this long: a backend has seconds to its first
// byte and between two. What is held longer belongs to an isolate that has gone.
export const RESERVATION_MS_MAX = 15 * 60_000;
// How long it is remembered that a reservation was settled (a call that is sent again comes within
// seconds), or lapsed (its answer's end may come after all).
export const SETTLED_KEPT_MS = 60 * 60_000;
export const LAPSED_KEPT_MS = 24 * 60 * 60_000;
// Answers under way of one key; their sum is read at each reservation, 1 ms for so many.
export const RESERVATIONS_OPEN_MAX = 10_000;
// A month's days are summed from these; what is older counts for budgets in all, as one sum.
export const BUDGET_DAYS_KEPT = 62;
// A request under a budget that sets no bound of its answer gets this one, which the backend is
// then asked to keep: without a bound nothing could be held for it.
export const BUDGET_ANSWER_TOKENS = 4_096;
// Most tokens that an image can be: a large one in detail has 48,000 with the dearest of the usual
// counts. Parts that are neither text nor an image no budget can pay. And what a provider's own
// preamble to tools may add.
export const PART_TOKENS_MAX = 50_000;
export const TOOLS_PREAMBLE_TOKENS = 1_000;
// A revoked key's counters stay while an isolate may still believe in it, and are then destroyed.
export const QUOTA_RETIRED_MS = 60 * 60_000;

// The objects of keys and limits answer within milliseconds; one that takes longer is as good as
// gone, and the caller hears so while it still waits.
export const LEDGER_MS_MAX = 2_000;
export const LEDGER_RETRY_AFTER_S = 1;
// Settling is tried so often, with these pauses between; a reservation lapses where all fail.
export const SETTLE_ATTEMPTS_MAX = 4;
export const SETTLE_PAUSE_MS = 250;
// With LEDGER_UNREACHABLE=allow: how long an isolate may go on with a key that it looked up once.
export const KEY_STALE_MS_MAX = 60 * 60_000;
// One line in the log so often of a ledger that stays away, not one a request.
export const LEDGER_LOG_MS = 10_000;

// Use is recorded by the day: a quarter's, of all keys that a tenant may have, is 9 MB.
export const USAGE_DAYS_KEPT = 92;
export const USAGE_DAYS_DEFAULT = 30;
// Keys told apart in one reply: those that are there and as many that were revoked since.
export const USAGE_KEYS_SHOWN_MAX = 2_000;
// An isolate's counts go to the record together: one call for all requests of these seconds.
export const USAGE_FLUSH_MS = 2_000;
// Keys and days that one isolate may have counts of; a flush comes sooner where there are more.
export const USAGE_PENDING_MAX = 1_000;
