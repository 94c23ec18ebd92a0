/** Every bound of the service and its reason. A bound is in the unit its name ends with. */
export * from "./limits-backend.ts";
export * from "./limits-cache.ts";
export * from "./limits-keys.ts";
export * from "./limits-memory.ts";
export * from "./limits-router.ts";
export * from "./limits-watching.ts";

// Requests. Bodies are read whole into the isolate (128 MB), beside about 45 MB of models.
export const BODY_BYTES_MAX = 8 * 1024 * 1024;
export const MESSAGES_MAX = 256;
export const MESSAGE_CHARS_MAX = 400_000;
export const EMBEDDING_INPUTS_MAX = 256;
// Texts between which an isolate turns to other requests: half a second of work, where they are as
// long as the encoder reads.
export const EMBEDDING_INPUTS_STEP = 16;
export const QUERY_CHARS_MAX = 8_000;
export const SEARCH_K_MAX = 100;
// Passages joined on each side of a hit: 100 hits of 9 passages of 8,000 characters at most are
// 14 MB of the 32 that one RPC takes.
export const NEIGHBOURS_MAX = 4;
// Candidates that diversity chooses from; their vectors are 400 KB at dim 384.
export const DIVERSITY_POOL_MAX = 256;
// Hits that a reranker reads: one model run each, about 30 ms on the encoder's kernels.
export const RERANK_DEPTH_DEFAULT = 10;
export const RERANK_DEPTH_MAX = 50;
// Searches of one question, each led by what the last one found.
export const HOPS_MAX = 2;
// A list is read deeper, twice as deep each time, where one hit a document needs more documents.
export const SEARCH_DEPTH_MAX = 2_048;
// A decay slower than a century is none, and one faster than a minute forgets the question's own
// turn.
export const HALF_LIFE_DAYS_MIN = 1 / 1_440;
export const HALF_LIFE_DAYS_MAX = 36_500;
export const FILTER_DEPTH_MAX = 8;
export const FILTER_NODES_MAX = 128;
export const FILTER_VALUES_MAX = 1_000;

// HTTP alone.
// An error's message and the field that it names may quote a request, of which a part will do.
export const ERROR_CHARS_MAX = 1_000;
// A body past BODY_BYTES_MAX is still read to here, unkept, so that the client, which reads the
// reply only when it has sent everything, sees a 413 and not a reset connection.
export const BODY_DRAIN_BYTES_MAX = 64 * 1024 * 1024;
// Deeper JSON is refused before any recursive reader sees it.
export const JSON_DEPTH_MAX = 64;
// Values of a body, or of one of its documents. The most that a request has a use for are the
// 60,000 of a calibration. A body of as many that fit no schema takes a second to refuse; of twice
// as many the library that reads it overflows its stack, and 8 MB can hold four million.
export const JSON_VALUES_MAX = 65_536;
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
// Replies of writes kept by their idempotency keys, a tenant's: for a day, as most services keep
// them. A row has 2 MB; the longest reply, of 1,000 documents with ids of 256 escaped characters,
// has 1.6. What is under way is waited for as long as a request's CPU time allows, and a little.
export const REPLAYS_MAX = 10_000;
export const REPLAYS_BYTES_MAX = 32 * 1024 * 1024;
export const REPLAY_BYTES_MAX = 1_900_000;
export const REPLAY_MS_MAX = 24 * 60 * 60 * 1000;
export const REPLAY_RUNNING_MS_MAX = 6 * 60 * 1000;
export const REPLAY_RETRY_AFTER_S = 1;

// What the platform keeps, when it cannot be reached. It moves an object within seconds.
export const STORAGE_RETRY_AFTER_S = 1;
// A search waits for shards for SHARD_DEADLINE_MS_MAX; an object that gives no answer at all after
// a little more is as good as gone.
export const SEARCH_MS_MAX = 15_000;
// The models, some 30 MB, are loaded in less than a second; static assets that take this long do
// not come.
export const MODELS_LOAD_MS_MAX = 30_000;
// OpenAI's bounds of a response's metadata, which is sent back as it came.
export const RESPONSE_METADATA_MAX = 16;
export const RESPONSE_METADATA_KEY_CHARS_MAX = 64;
export const RESPONSE_METADATA_CHARS_MAX = 512;
// Precomputed vectors are checked against the encoder's dim later; no encoder is this wide.
export const VECTOR_DIM_MAX = 4_096;

// Documents. A SQLite row in a Durable Object holds 2 MB; text takes up to 3 bytes a UTF-16 unit.
export const DOCUMENT_CHARS_MAX = 500_000;
export const DOCUMENTS_PER_CALL_MAX = 1_000;
// Passages that one call has embedded: at .03 s of CPU time each (`npm run bench -- service --only
// largest`) within the 300 s that a request may compute. 8 MB of English prose have 7,500.
export const EMBEDDED_PASSAGES_MAX = 6_000;
export const DOCUMENT_ID_CHARS_MAX = 256;
export const TITLE_CHARS_MAX = 1_000;
export const METADATA_BYTES_MAX = 16 * 1024;
// How far from 1970 a Date of JavaScript goes; a number beyond is no time in ms.
export const TIME_MS_MAX = 8.64e15;
// A line of NDJSON: a text of DOCUMENT_CHARS_MAX characters that are all escaped has 3 MB.
export const DOCUMENT_LINE_BYTES_MAX = 4 * 1024 * 1024;
// Lines that are stored together: at 3 KB a line with its vector as many as a call of JSON has, and
// two batches, one read while the other is stored, stay far below what an isolate has room for.
export const LOAD_BATCH_BYTES = 2 * 1024 * 1024;
// Every refused line is counted; these are told with their reasons, 200 KB at most.
export const LINE_ERRORS_KEPT_MAX = 1_000;
export const LINE_ERROR_CHARS_MAX = 200;
export const JOB_NAME_CHARS_MAX = 200;
// A document that changes under each of these is somebody's busy counter.
export const RETITLE_ATTEMPTS_MAX = 4;
// A turn's document is CONVERSATION/TURN, within the bound of a document's id.
export const CONVERSATION_CHARS_MAX = 128;
export const SPEAKER_CHARS_MAX = 200;
// A policy of forgetting: a century, and as many documents as SHARDS_MAX objects hold.
export const FORGET_DAYS_MAX = 36_525;
export const FORGET_DOCUMENTS_MAX = 10_000_000;
export const NAMESPACE_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export const PASSAGE_TOKENS_TARGET = 200;
export const PASSAGE_TOKENS_MAX = 240;
// A word of any length can be one unknown token, so characters have a bound of their own.
export const PASSAGE_CHARS_MAX = 8_000;
// A passage carries the headings above it, six at most, and a hit shows them. A heading is cut to
// this for the path; a longer anchor is dropped, as cut it would lead nowhere.
export const HEADING_CHARS_MAX = 200;
export const ANCHOR_CHARS_MAX = 200;
// Lists and quotations nest three or four deep in real documents. Each level costs one more pass
// over its lines; what is deeper is read as prose.
export const MARKDOWN_DEPTH_MAX = 16;
// Each level of an HTML list puts two or three characters before every line of its Markdown.
export const HTML_LIST_DEPTH_MAX = 8;
// Words whose token counts are remembered: 1.4 MB. The frequent words of a corpus are a few
// thousand, and 98 % of English words have 20 characters or fewer.
export const TOKEN_CACHE_WORDS_MAX = 32_768;
export const TOKEN_CACHE_WORD_CHARS_MAX = 20;

// Models. The encoder was trained on 256 positions; the reader on 384.
export const ENCODER_TOKENS_MAX = 256;
export const READER_TOKENS_MAX = 384;
export const READER_QUESTION_TOKENS_MAX = 64;
export const READER_ANSWER_TOKENS_MAX = 30;
export const READER_PASSAGES = 3;
// Of a passage's spans, those that its reading names: they hold nearly all of the probability, and
// the difficulty compares the texts of all of them.
export const READER_SPANS_MAX = 20;
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
// Of all arrays together, about 8 bytes of heap each. A vocabulary of 260,000 has its tokens,
// types, scores and, of byte pairs, 500,000 merges.
export const GGUF_ITEMS_MAX = 2 * 1024 * 1024;
export const GGUF_ARRAY_DEPTH_MAX = 4;
export const GGUF_DIMS_MAX = 4;
export const GGUF_ALIGNMENT_BYTES_MAX = 64 * 1024;
export const GGUF_TENSOR_BYTES_MAX = 2 ** 32;
export const GGUF_PANEL_BYTES = 256 * 1024;

// Decoders: sizes of models of up to 8 billion parameters, of which none is greater; what fits the
// isolate is far below and refused by its bytes, not by its shape.
export const DECODER_DIM_MAX = 8_192;
export const DECODER_LAYERS_MAX = 128;
export const DECODER_HEADS_MAX = 128;
export const DECODER_HEAD_DIM_MAX = 256;
export const DECODER_FFN_DIM_MAX = 32_768;
export const DECODER_VOCAB_MAX = 262_144;
export const DECODER_CONTEXT_MAX = 2 ** 20;
// The isolate has 128 MB; 118 leave room for requests in flight and for the runtime's own peaks.
// The runtime with this code takes 8; a tokenizer of typed arrays 25 bytes a token and 24 a merge.
// What a token takes has room for one merge; some vocabularies have two or more of them a token.
export const DECODER_BYTES_MAX = 118_000_000;
export const DECODER_RUNTIME_BYTES = 8_000_000;
export const DECODER_TOKENIZER_BYTES_PER_TOKEN = 64;
export const DECODER_TOKENIZER_BYTES_PER_MERGE = 24;
// A context that serves a grounded prompt with its answer, where the caller names none.
export const DECODER_CONTEXT_DEFAULT = 2_048;
// Rows of one step of prefill: enough to pass the weights seldom, few enough that activations stay
// at 4 MB for SmolLM2-135M. At most as many rows of logits as a speculation drafts.
export const DECODER_ROWS_STEP = 128;
export const DECODER_LOGIT_ROWS_MAX = 16;

// Tokenizers of decoders. The longest token of a real vocabulary has 512 bytes (a run of "="). A
// text of MESSAGE_CHARS_MAX characters has at most 1.2 million bytes, which all may be one word,
// each byte a symbol at first; merging takes 28 bytes of heap a symbol and 5 for the word, and an
// isolate has 10 MB beside a model: a word of more than 65,536 characters is merged in parts. A
// good hash fills no 256 slots in a row. Tokens that are looked for in every text are 256 in Llama
// 3 and 1,000 in the largest vocabularies; a node of their trie takes about 200 bytes.
export const TOKEN_BYTES_MAX = 1_024;
export const ENCODE_TOKENS_MAX = 131_072;
export const MERGE_SYMBOLS_MAX = 3 * 2 ** 16;
export const HASH_PROBES_MAX = 256;
export const SPECIAL_TOKENS_MAX = 8_192;
export const SPECIAL_NODES_MAX = 65_536;

// Chat templates, which come with model files. The longest in use have 20,000 characters. A value
// is bounded, and so is all work, counted as 16 a step, 256 a turn of a loop and 1 a character: it
// takes about half a second, and half a million characters of conversation stay within it.
export const TEMPLATE_CHARS_MAX = 64 * 1024;
export const TEMPLATE_SPACE_RUN_MAX = 1_000;
export const TEMPLATE_VALUE_MAX = 1_000_000;
export const TEMPLATE_ITEMS_MAX = 10_000;
export const TEMPLATE_WORK_MAX = 8_000_000;

// The ledger: one object reads these on every request, so they stay small enough to scan.
export const KEYS_PER_TENANT_MAX = 1_000;
export const NAMESPACES_PER_TENANT_MAX = 1_000;
export const SETTING_BYTES_MAX = 256 * 1024;

// Conversations whose backend an isolate remembers, some 150 bytes each; one that is forgotten is
// routed as if it were new. Providers keep a prompt's cache for five minutes without use.
export const CONVERSATIONS_MAX = 10_000;
export const PROMPT_CACHE_MS_MAX = 5 * 60_000;
// They cache no shorter prompts (OpenAI's and Anthropic's documentation, 2026): where less of one
// is held, other isolates lose nothing by not knowing.
export const PROMPT_CACHE_TOKENS_MIN = 1_024;
export const CONVERSATION_ID_CHARS_MAX = 128;

// Labelled answers of a calibration set: 20,000 settle a risk to half a percent, and take 160 KB.
export const CALIBRATION_SCORES_MAX = 20_000;

// Linear memory: 128 MB of isolate less JavaScript's heap, code and buffers in flight. One forward
// pass takes at most 1,024 tokens, whose activations are 8 MB at dim 384 (see model/bert.ts).
export const LINEAR_MEMORY_BYTES_MAX = 64 * 1024 * 1024;
export const FORWARD_TOKENS_MAX = 1_024;

// Model files. R2 takes parts of one size, 5 MiB or more; a part is one request's body. A model
// lies in an isolate of 128 MB, so no greater file can serve.
export const MODEL_PART_BYTES = BODY_BYTES_MAX;
export const MODEL_BYTES_MAX = 128 * 1024 * 1024;
export const MODEL_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
// A few pages of an R2 listing with its metadata; more models than an operator tends.
export const MODELS_MAX = 500;
// Parts of unfinished uploads are paid for. An operator who broke off yesterday may go on today.
export const UPLOADS_MAX = 8;
export const UPLOAD_IDLE_MS_MAX = 24 * 60 * 60 * 1000;

// The generator. A line of its answer is one token's text and log probabilities.
export const GENERATOR_CONTEXT_DEFAULT = 2_048;
export const GENERATOR_CONTEXT_MAX = 32_768;
// Where a request sets no max_tokens, passages leave this much of the context, or a quarter.
export const GENERATOR_ANSWER_TOKENS = 256;
export const GENERATOR_LINE_CHARS_MAX = 1024 * 1024;
// A short answer's time: by then a place in the line is likely free.
export const GENERATOR_BUSY_RETRY_AFTER_S = 2;
export const GENERATOR_CHOICES_MAX = 8;
export const LOGIT_BIAS_ENTRIES_MAX = 1_024;
export const TOP_LOGPROBS_MAX = 20;
export const STOP_STRINGS_MAX = 16;
// How long an isolate may go on with a model that was replaced or removed through another.
export const MODEL_CHECK_MS_MAX = 30_000;

// Generation. A waiting request holds its prompt and a connection; at a few seconds each, the last
// of eight waits as long as clients do.
export const GENERATIONS_WAITING_MAX = 8;
// Nobody waits for ever: 2,048 tokens take a model of 135 million parameters about 12 s, and most
// clients give up after a minute or two.
export const GENERATION_WAIT_MS_MAX = 120_000;
// A turn that is not renewed for so long is another's: its request was dropped in mid-work. Between
// two tokens, two parts of a prompt or two reads of a model's file pass some seconds at most.
export const GENERATION_LEASE_MS_MAX = 30_000;
// The event loop waits for a part of the prompt: 256 tokens take a small model about 0.3 s.
export const PREFILL_TOKENS = 256;
// Grammars. An automaton of 8,192 states takes about 1 MB beside a model that fills the isolate,
// and a few milliseconds; a pattern of more is mostly counted repetition.
export const GRAMMAR_DFA_STATES_MAX = 8_192;
export const GRAMMAR_NFA_STATES_MAX = 32_768;
export const GRAMMAR_REPEAT_MAX = 1_000;
// Groups in groups of a pattern, which its readers follow by recursion; real ones have five.
export const GRAMMAR_GROUPS_MAX = 64;
// Work on a schema, about a second at most: of its patterns, states and edges that are looked at,
// and code points that are asked for a property, 1.1 million each; of its combinations, 8 for two
// alternatives that are compared, 32 for two that are merged, and more by what they have. A dozen
// patterns with a property or two stay below, and a thousand alternatives that a property tells
// apart.
export const GRAMMAR_WORK_MAX = 32_000_000;
// Properties whose code points are kept, up to 12 KB each.
export const GRAMMAR_PROPERTIES_KEPT_MAX = 32;
// Least items and named properties of one array or object, and alternatives of a whole schema: far
// above what real schemas have. Of a thousand, a tenth of a second: their keys are automata.
export const GRAMMAR_COUNT_MAX = 1_000;
export const GRAMMAR_SHAPES_MAX = 4_096;
// Schemas that lead to each other by $ref or a combination before a value begins: a reader follows
// them by recursion. Alternatives of one oneOf are compared pair by pair.
export const GRAMMAR_REFERENCES_MAX = 256;
export const GRAMMAR_ONE_OF_MAX = 1_000;
// Nesting of what is written. JSON_DEPTH_MAX readers accept more.
export const GRAMMAR_DEPTH_MAX = 24;
// Alternatives of a grammar, .4 KB each with what they are of. An object has four for each property
// and each count of them that minProperties or maxProperties tells apart, an array one or two for
// each of minItems; both once for each depth at which they may stand.
export const GRAMMAR_ALTERNATIVES_MAX = 16_384;
// States kept of the automaton that is built while text is checked: 2 KB each.
export const GRAMMAR_STATES_MAX = 1_024;
export const GRAMMAR_MASKS_MAX = 64;
// Automata of patterns that are kept: one of 8,192 states may have 2 MB.
export const GRAMMAR_PATTERNS_BYTES_MAX = 4 * 1024 * 1024;
// Compiled grammars kept by a generator, by their schema's text: up to 7 MB each before any text is
// read, of which the states then take 2 and more.
export const GRAMMARS_KEPT_MAX = 2;

// ONNX models, in an isolate of their own. Its 128 MB hold, beside the weights: the heap with code
// and a vocabulary; onnxruntime's linear memory, 17 MB before any model. A weight takes 1.35 times
// its bytes there (f32 matrices are packed anew before the originals go; measured 1.0 to 1.33, see
// docs/onnx.md), and once more outside while its model is loaded. A run takes 100 bytes a pair of
// tokens (12 heads' scores in f32, twice: measured 24 MB at 512 tokens) and 16 KiB a token.
export const ONNX_ISOLATE_BYTES_MAX = 124_000_000;
export const ONNX_HEAP_BYTES = 10_000_000;
export const ONNX_RUNTIME_BYTES = 17_000_000;
export const ONNX_RESIDENT_RATIO = 1.35;
export const ONNX_PAIR_BYTES = 100;
export const ONNX_TOKEN_BYTES = 16 * 1024;
// A vocabulary of 30,000 pieces is 0.7 MB of JSON and takes 8 times that as maps while it is read.
export const ONNX_TOKENIZER_BYTES_MAX = 8 * 1024 * 1024;
export const ONNX_TOKENIZER_RATIO = 8;
// A manifest of ONNX_LABELS_MAX labels of usual length has half of this.
export const ONNX_MANIFEST_CHARS_MAX = 64 * 1024;
export const ONNX_VOCAB_MAX = 512 * 1024;
export const ONNX_TOKENS_MAX = 8_192;
// Of a text no more is read than this many characters a token; GPT-2's longest token has 128.
export const ONNX_PIECE_CHARS_MAX = 128;
export const ONNX_LABELS_MAX = 1_000;
// How long an isolate may go on with a model whose files were replaced.
export const ONNX_RECHECK_MS_MAX = 30_000;
// Cohere's bound. Every document is one run of the model, or by brink-reranker two a piece: 70 ms.
export const RERANK_DOCUMENTS_MAX = 1_000;
// A piece is what the encoder sees whole. Four, so many tokens apart, are the first 854 tokens of a
// document.
export const RERANK_PIECES_MAX = 4;
// All documents' pieces of one request: at .11 s of CPU time each (`npm run bench -- service --only
// largest`) within the 300 s that a request may compute. Of more than 500 documents fewer are read.
export const RERANK_PIECES_TOTAL_MAX = 2_000;
export const RERANK_PIECE_STRIDE = 200;
// Documents between which an isolate turns to other requests: a second or two of work.
export const RERANK_DOCUMENTS_STEP = 16;

// What timing the matmuls takes at load, given back right after.
export const GEMM_TIMING_BYTES_MAX = 1024 * 1024;
// Rounding to 7 bits averages out over the tokens of a text. One of fewer than MIXED_TOKENS_MIN
// takes the exact path, one of fewer than FAST_TOKENS_MIN the exact path for attention's queries,
// keys and values, whose rounding shows most: cosines with the exact path then stay above .999.
export const MIXED_TOKENS_MIN = 12;
export const FAST_TOKENS_MIN = 32;
// An outlier column of 16 times the rest's size needs 4 of its own bits; 16 * 127 fits an i16.
export const SPLIT_COPIES_MAX = 16;
// Of passages that say the same as a hit so many are told of.
export const DUPLICATES_SHOWN_MAX = 20;

// Notes: answers that were found good, kept to answer the like. A question is a title, and its
// answer one passage: 4,000 characters are the longest answers that are read again rather than
// written anew. NOTES_MAX of them are 30 MB of rows and take 1.5 MB in memory.
export const NOTE_QUESTION_CHARS_MAX = TITLE_CHARS_MAX;
export const NOTE_ANSWER_CHARS_MAX = 4_000;
export const NOTE_SOURCES_MAX = 8;
// A page of a list with answers and embeddings is half a megabyte.
export const NOTES_PAGE_MAX = 100;
export const NOTES_MAX = 5_000;
// Corrections that wait for an administrator: more than one would look through in an hour.
export const NOTES_PENDING_MAX = 200;
// A month is how long most documents stay as they are; nobody vouches for a year.
export const NOTE_TTL_DAYS_DEFAULT = 30;
export const NOTE_TTL_DAYS_MAX = 365;
// Notes that are looked at for a question: the best few, of which a correction beats an answer.
export const NOTE_CANDIDATES = 8;
// Corrections of like questions that a backend's prompt gets as data.
export const NOTES_IN_PROMPT_MAX = 2;
// When a note was last used is written down once a day: a write for each use would be dear.
export const NOTE_TOUCH_MS = 24 * 60 * 60 * 1000;
// How long an isolate goes on with an old policy, or believing that a namespace has no notes.
export const NOTES_CACHE_MS_MAX = 30_000;
export const NOTES_CACHE_ENTRIES_MAX = 1_000;
// How long an answer waits for its notes: as long as a wake of their object takes, and a little.
export const NOTES_MS_MAX = 2_000;
// A backend that said the same so often to the same question is taken at its word by policy
// "agreed"; so is one that says, in a sentence or two, what the reader found by itself.
export const NOTE_AGREED_TIMES = 3;
export const NOTE_AGREED_CHARS_MAX = 300;
// What an answer leaves behind for learning: a longer text is cut, and becomes no note.
export const OUTCOME_CHARS_MAX = 8_000;
// What the prior reads of a prompt: the longest that it was trained on has 4,868.
export const PRIOR_CHARS_MAX = 5_000;
