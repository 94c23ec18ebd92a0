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

// Documents. A SQLite row in a Durable Object holds 2 MB; text takes up to 3 bytes a UTF-16 unit.
export const DOCUMENT_CHARS_MAX = 500_000;
export const DOCUMENTS_PER_CALL_MAX = 1_000;
export const DOCUMENT_ID_CHARS_MAX = 256;
export const TITLE_CHARS_MAX = 1_000;
export const METADATA_BYTES_MAX = 16 * 1024;
export const NAMESPACE_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

// One memory object: 50,000 passages are 19 MB of int8 vectors plus about 20 MB of postings.
export const PASSAGES_MAX = 50_000;
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
export const GGUF_HEADER_BYTES_MAX = 16 * 1024 * 1024;

// The backend. A prompt's evidence is cut to this many WordPiece tokens, about as many of theirs.
export const EVIDENCE_TOKENS_MAX = 1_500;
export const BACKEND_FIRST_BYTE_MS_MAX = 20_000;
export const BACKEND_IDLE_MS_MAX = 30_000;
export const BACKEND_REPLY_BYTES_MAX = 4 * 1024 * 1024;

// The ledger: one object reads these on every request, so they stay small enough to scan.
export const KEYS_PER_TENANT_MAX = 1_000;
export const NAMESPACES_PER_TENANT_MAX = 1_000;
export const SETTING_BYTES_MAX = 256 * 1024;

// Linear memory: 128 MB of isolate less JavaScript's heap, code and buffers in flight. One forward
// pass takes at most 1,024 tokens, whose activations are 8 MB at dim 384 (see model/bert.ts).
export const LINEAR_MEMORY_BYTES_MAX = 64 * 1024 * 1024;
export const FORWARD_TOKENS_MAX = 1_024;
