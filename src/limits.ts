/** Every bound of the service and its reason. A bound is in the unit its name ends with. */

// Requests. Bodies are read whole into the isolate (128 MB), beside about 45 MB of models.
export const BODY_BYTES_MAX = 8 * 1024 * 1024;
export const MESSAGES_MAX = 256;
export const MESSAGE_CHARS_MAX = 400_000;
export const EMBEDDING_INPUTS_MAX = 256;
export const QUERY_CHARS_MAX = 8_000;
export const SEARCH_K_MAX = 100;
export const FILTER_DEPTH_MAX = 8;
export const FILTER_NODES_MAX = 128;
export const FILTER_VALUES_MAX = 1_000;

// HTTP alone.
// A body past BODY_BYTES_MAX is still read to here, unkept, so that the client, which reads the
// reply only when it has sent everything, sees a 413 and not a reset connection.
export const BODY_DRAIN_BYTES_MAX = 64 * 1024 * 1024;
// Deeper JSON is refused before any recursive reader sees it.
export const JSON_DEPTH_MAX = 64;

// Made keys have about 40 characters; a much longer header is not worth a hash and a lookup.
export const KEY_CHARS_MAX = 256;
// How long a revoked key may go on working in an isolate that has seen it.
export const KEY_CACHE_MS_MAX = 30_000;
export const KEY_CACHE_ENTRIES_MAX = 1_000;
export const KEY_NAME_CHARS_MAX = 200;
export const KEY_NAMESPACES_MAX = 100;

export const SEARCH_K_DEFAULT = 8;
export const LIST_LIMIT_DEFAULT = 100;
export const CURSOR_CHARS_MAX = 1_024;
// Precomputed vectors are checked against the encoder's dim later; no encoder is this wide.
export const VECTOR_DIM_MAX = 4_096;

// Documents. A SQLite row in a Durable Object holds 2 MB; text takes up to 3 bytes a UTF-16 unit.
export const DOCUMENT_CHARS_MAX = 500_000;
export const DOCUMENTS_PER_CALL_MAX = 1_000;
export const DOCUMENT_ID_CHARS_MAX = 256;
export const TITLE_CHARS_MAX = 1_000;
export const METADATA_BYTES_MAX = 16 * 1024;
export const NAMESPACE_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

// One memory object: 25,000 passages take about 32 MB, beside 46 MB of models and 30 MB of
// JavaScript in the isolate of 128 MB that it may share with the Worker.
export const PASSAGES_MAX = 25_000;
// Passages stored in one transaction: 2,000 vectors are 3 MB, far below the 32 MB of one RPC, and
// what is stored so far survives a later failure.
export const UPSERT_PASSAGES_MAX = 2_000;
// An export page is one RPC reply, of which the runtime takes 32 MB; text counts 2 bytes a unit.
export const EXPORT_PAGE_CHARS_MAX = 4_000_000;
export const PAGE_DOCUMENTS_MAX = 1_000;
// The parsed filters whose matching documents an object remembers between writes.
export const FILTERS_REMEMBERED_MAX = 8;
export const PASSAGE_TOKENS_TARGET = 200;
export const PASSAGE_TOKENS_MAX = 240;
// A word of any length can be one unknown token, so characters have a bound of their own.
export const PASSAGE_CHARS_MAX = 8_000;

// Models. The encoder was trained on 256 positions; the reader on 384.
export const ENCODER_TOKENS_MAX = 256;
export const READER_TOKENS_MAX = 384;
export const READER_QUESTION_TOKENS_MAX = 64;
export const READER_ANSWER_TOKENS_MAX = 30;
export const READER_PASSAGES = 3;
// A passage longer than one row is read in windows, this many tokens apart; eight cover 1,100
// tokens, over four times a passage of the memory, and what follows is not read.
export const READER_WINDOW_STRIDE = 128;
export const READER_WINDOWS_MAX = 8;

// GGUF. Real headers have 30 keys, 700 tensors and a vocabulary of 260,000 or fewer. wasm32 can
// address no tensor and no offset beyond 2^32 bytes. A panel is 600 rows of a 384-column matrix.
export const GGUF_HEADER_BYTES_MAX = 16 * 1024 * 1024;
export const GGUF_KEYS_MAX = 4_096;
export const GGUF_TENSORS_MAX = 4_096;
export const GGUF_NAME_BYTES_MAX = 128;
export const GGUF_STRING_BYTES_MAX = 1024 * 1024;
export const GGUF_ARRAY_ITEMS_MAX = 1024 * 1024;
export const GGUF_ARRAY_DEPTH_MAX = 4;
export const GGUF_DIMS_MAX = 4;
export const GGUF_ALIGNMENT_BYTES_MAX = 64 * 1024;
export const GGUF_TENSOR_BYTES_MAX = 2 ** 32;
export const GGUF_PANEL_BYTES = 256 * 1024;

// The backend. A prompt's evidence is cut to this many WordPiece tokens, about as many of theirs.
export const EVIDENCE_TOKENS_MAX = 1_500;
export const BACKEND_FIRST_BYTE_MS_MAX = 20_000;
export const BACKEND_IDLE_MS_MAX = 30_000;
export const BACKEND_REPLY_BYTES_MAX = 4 * 1024 * 1024;
export const BACKEND_ERROR_BYTES_MAX = 8 * 1024;
// A Retry-After that is longer than this is not worth a caller's wait.
export const BACKEND_RETRY_AFTER_MS_MAX = 2_000;

// The ledger: one object reads these on every request, so they stay small enough to scan.
export const KEYS_PER_TENANT_MAX = 1_000;
export const NAMESPACES_PER_TENANT_MAX = 1_000;
export const SETTING_BYTES_MAX = 256 * 1024;

// How long an isolate may go on with a risk target that was changed through another, and how many
// tenants' targets it remembers; a forgotten one costs one call of the ledger.
export const TARGET_CACHE_MS_MAX = 30_000;
export const TARGET_CACHE_ENTRIES_MAX = 1_000;

// Linear memory: 128 MB of isolate less JavaScript's heap, code and buffers in flight. One forward
// pass takes at most 1,024 tokens, whose activations are 8 MB at dim 384 (see model/bert.ts).
export const LINEAR_MEMORY_BYTES_MAX = 64 * 1024 * 1024;
export const FORWARD_TOKENS_MAX = 1_024;
// What timing the matmuls takes at load, given back right after.
export const GEMM_TIMING_BYTES_MAX = 1024 * 1024;
// Rounding to 7 bits averages out over the tokens of a text. One of fewer than MIXED_TOKENS_MIN
// takes the exact path, one of fewer than FAST_TOKENS_MIN the exact path for attention's queries,
// keys and values, whose rounding shows most: cosines with the exact path then stay above .999.
export const MIXED_TOKENS_MIN = 12;
export const FAST_TOKENS_MIN = 32;
// An outlier column of 16 times the rest's size needs 4 of its own bits; 16 * 127 fits an i16.
export const SPLIT_COPIES_MAX = 16;
