/** Bounds of the HTTP surface alone; those that other parts share are in ../limits.ts. */

/** A body past BODY_BYTES_MAX is still read to here, unkept, so that the client, which reads the
 *  reply only when it has sent everything, sees a 413 and not a reset connection. */
export const BODY_DRAIN_BYTES_MAX = 64 * 1024 * 1024;
/** Deeper JSON is refused before any recursive reader sees it. */
export const JSON_DEPTH_MAX = 64;

/** Made keys have about 40 characters; a much longer header is not worth a hash and a lookup. */
export const KEY_CHARS_MAX = 256;
/** How long a revoked key may go on working in an isolate that has seen it. */
export const KEY_CACHE_MS_MAX = 30_000;
export const KEY_CACHE_ENTRIES_MAX = 1_000;
export const KEY_NAME_CHARS_MAX = 200;
export const KEY_NAMESPACES_MAX = 100;

export const SEARCH_K_DEFAULT = 8;
export const LIST_LIMIT_DEFAULT = 100;
export const CURSOR_CHARS_MAX = 1_024;
/** Precomputed vectors are checked against the encoder's dim later; no encoder is this wide. */
export const VECTOR_DIM_MAX = 4_096;
