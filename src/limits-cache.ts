/** Bounds of the caches of answers, and their reasons. */

// A kept answer comes within milliseconds; after half a second the edge has made its own.
export const CACHE_MS_MAX = 500;
// A tenant's cache lies on so many objects: each takes some 1,000 calls a second.
export const CACHE_SLICES = 8;
// Of one of them. An answer has 3 KB as a rule, so that number binds first.
export const CACHE_ENTRIES_MAX = 5_000;
export const CACHE_BYTES_MAX = 32 * 1024 * 1024;
// The longest answer that is kept, with its citations: 100,000 tokens. A row has 2 MB.
export const CACHE_ENTRY_BYTES_MAX = 512 * 1024;
// Text is kept in pieces of about this size, so that a stream comes as a stream again and a piece's
// frame stays small beside its text.
export const CACHE_PIECE_CHARS = 32;
export const CACHE_TTL_S_DEFAULT = 60 * 60;
export const CACHE_TTL_S_MAX = 30 * 24 * 60 * 60;
// Questions of the semantic cache that one lookup compares, the newest of its scope: 400 KB of
// vectors, and about 2 ms. An object keeps as many in all.
export const CACHE_QUESTIONS_MAX = 1_000;
export const CACHE_QUESTIONS_BYTES_MAX = 8 * 1024 * 1024;
// Of these, the nearest are compared by their words.
export const CACHE_CANDIDATES = 8;
// Longer questions are texts to work on, and the encoder reads no more than their beginning.
export const CACHE_QUESTION_CHARS_MAX = 1_000;
// What an answer said, as far as another question's reading is held against it.
export const CACHE_ANSWER_CHARS_MAX = 1_000;
// As the policies of notes: what another isolate changed shows within this time.
export const CACHE_POLICY_MS_MAX = 30_000;
export const CACHE_POLICIES_KEPT_MAX = 1_000;
