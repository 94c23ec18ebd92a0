/** The bounds of the memory's objects, with their reasons; src/limits.ts has the others and hands
 *  these on. */

// One memory object. Its index has a bound in bytes, INDEX_BYTES_MAX; a merge or a load blocks
// other calls, and takes longer the more there are.
export const PASSAGES_MAX = 150_000;
// Sharding. The runtime opens six connections at once from one request, so a level of the tree has
// six. SHARDS_MAX is two levels: six children that each search themselves and ask six more. With
// the bound on a shard below that is 4.6 million passages.
export const SHARD_FANOUT = 6;
export const SHARDS_MAX = SHARD_FANOUT + SHARD_FANOUT * SHARD_FANOUT;
// A shard at its bound answers in tens of milliseconds; one that rebuilds its index after waking
// takes seconds. Each level waits for three quarters of what its parent does.
export const SHARD_DEADLINE_MS_MAX = 10_000;
// A shard past either of these is split in two, which leaves room for writes meanwhile.
export const SHARD_PASSAGES_SPLIT = 110_000;
export const SHARD_RESIDENT_BYTES_SPLIT = 40_000_000;
// Writes that wait for their turn: at 50 ms each the last waits three seconds.
export const WRITES_WAITING_MAX = 64;
export const MEMORY_BUSY_RETRY_AFTER_S = 2;
// Searches that lost a passage before it was shown start anew; the last time writes wait.
export const SEARCH_ATTEMPTS_MAX = 3;
// Copies. A page is one RPC reply, whose bytes the shard bounds too. Whoever takes it over counts
// its terms anew, half a millisecond a passage: a split's page must not hold up searches, where
// objects share a thread. A step copies this many pages before it lets go, since an alarm has 15
// minutes and CPU has 5.
export const COPY_PAGE_DOCUMENTS = 64;
export const COPY_STEP_PAGES = 16;
// A split rests so long before each page: objects of one process that only call each other keep its
// event loop from sockets, and 4 clients that search without pause got nothing until the end.
export const COPY_REST_MS = 20;
// Pages of what was written while a copy ran; then writes wait for the rest.
export const COPY_CATCH_UP_PAGES = 64;
// Work that fails is tried again after this long, and given up after so many failures in a row.
export const WORK_RETRY_MS = 5_000;
export const WORK_FAILURES_MAX = 20;
// The last alarm, Unix ms: the runtime sets none for after 2189, and what expires may be later.
export const ALARM_MS_MAX = Date.UTC(2189, 0, 1);
// Forgetting looks at the age of documents this often, and removes so many at a time.
export const FORGET_INTERVAL_MS = 60_000;
export const FORGET_DOCUMENTS_STEP = 500;
// Snapshots. A part is one page of a copy of this many documents, unpacked in memory when it is
// read back; a document takes at most 1.5 MB of text and as much of vectors.
export const SNAPSHOT_PAGE_DOCUMENTS = 512;
export const SNAPSHOT_PART_BYTES_MAX = 32 * 1024 * 1024;
export const SNAPSHOT_PASSES_MAX = 4;
export const SNAPSHOT_PARTS_MAX = 10_000;
export const SNAPSHOTS_MAX = 100;
// Records of bulk jobs, the oldest finished ones of which give way; each keeps its first errors.
export const JOBS_MAX = 100;
// Passages stored in one transaction: 2,000 vectors are 3 MB, far below the 32 MB of one RPC, and
// what is stored so far survives a later failure.
export const UPSERT_PASSAGES_MAX = 2_000;
// An export page is one RPC reply, of which the runtime takes 32 MB; text counts 2 bytes a unit.
export const EXPORT_PAGE_CHARS_MAX = 4_000_000;
export const PAGE_DOCUMENTS_MAX = 1_000;
// The filters whose matching documents an object remembers: 13 KB each at 100,000 documents, and
// each is tested on every document written. A longer filter is worked out anew each time.
export const FILTERS_REMEMBERED_MAX = 16;
export const FILTER_REMEMBERED_CHARS_MAX = 4_096;
// One memory object's index, in linear memory and typed arrays: 45 MB beside 46 MB of models and 30
// MB of JavaScript in the isolate of 128 MB that it may share with the Worker. At 250 bytes a
// passage 180,000 passages fit. Models and the indexes of all objects in the isolate together:
export const INDEX_BYTES_MAX = 45_000_000;
export const ISOLATE_INDEX_BYTES_MAX = 96_000_000;
// Segments. A memtable takes 16 bytes a posting and its passages are read when an object wakes, so
// it is sealed at 4,096; a merge blocks queries, and 32,768 passages take it about 0.3 s. A segment
// numbers its slots in 16 bits, a memtable too: SEAL_PASSAGES twice and a document fit.
export const SEAL_PASSAGES = 4_096;
export const SEGMENT_PASSAGES_MAX = 32_768;
export const MERGE_SEGMENTS = 4;
export const DOCUMENT_PASSAGES_MAX = 16_384;
// How deep the lists of a search are that are fused: the best by BM25, and the best by the estimate
// of their cosine, from which exact cosines choose.
export const BM25_DEPTH = 128;
export const VECTOR_DEPTH = 256;
// Characters (code points) of a metadata string that its index holds; two that agree so far are
// told apart by reading the document. Tags, dates and most addresses are shorter.
export const METADATA_VALUE_CHARS_MAX = 96;
// Field names whose numbers an object remembers; a forgotten one costs a look-up.
export const METADATA_FIELDS_REMEMBERED_MAX = 1_024;
// Rows a page when matching documents are read as one JSON list of at most 17 bytes each: a row of
// SQLite, this result's too, has at most 2 MB.
export const METADATA_PAGE_ROWS = 65_536;
// Passages that one statement fetches to weigh them: 2 MB with their vectors and counts.
export const SCORED_ROWS_MAX = 2_048;
// A page of a copy is one RPC reply of at most 32 MB; a document greater than this is one alone.
export const COPY_PAGE_BYTES_MAX = 8 * 1024 * 1024;
export const COPY_PAGE_DOCUMENTS_MAX = 1_000;
// A document as it travels, whole: 32 MB are what one call takes and a snapshot's part has, less
// what a page has besides, removals and a codebook. A book of 500,000 characters has 4 MB by this.
export const DOCUMENT_BYTES_MAX = 28_000_000;
// Documents whose time is over that one call removes before it reads; the alarm removes the rest,
// and a call that finds more removes them in turns of this many.
export const EXPIRED_REMOVED_MAX = 1_000;
// How many passages a scan of codes hands on to be scored by their int8 rows: past some hundreds
// nothing more is found (docs/vectors.md), and each is a row to read.
export const CODE_DEPTH_MAX = 4_096;
// Product quantization of cold vectors: 16 vectors a centroid and 8 rounds take 6 s to train at 384
// dimensions, part by part.
export const PQ_SAMPLE_MAX = 4_096;
export const PQ_ITERATIONS = 8;
// The archive. A code byte for four dimensions is 96 bytes at 384, which docs/vectors.md measures.
// Fewer vectors than these give a codebook that is them and little else. A step encodes and writes
// so many rows in about 0.1 s, between which the object answers.
export const ARCHIVE_PART_WIDTH = 4;
export const ARCHIVE_VECTORS_MIN = 1_024;
export const ARCHIVE_ROWS_STEP = 500;
// A century, as for forgetting.
export const ARCHIVE_DAYS_MAX = 36_525;
// Cloudflare Vectorize (developers.cloudflare.com/vectorize/platform/limits, 2026-11): vectors of
// one upsert from a Worker, results of a query that returns neither values nor metadata, and
// dimensions. It takes 100 ids in a deletion and refuses more (error 40007).
export const TIER_UPSERT_MAX = 1_000;
export const TIER_DELETE_MAX = 100;
export const TIER_TOP_K_MAX = 100;
export const TIER_DIM_MAX = 1_536;
// Writes that Vectorize does not show yet are held here, 500 bytes each at 384 dimensions.
export const TIER_PENDING_MAX = 10_000;
// Its clock and ours may differ by this; a write takes it seconds, and minutes under load.
export const TIER_CLOCK_SKEW_MS = 10_000;
export const TIER_RESEND_MS = 15 * 60_000;
// The journal is sent, and what was taken up is looked for, this often while writes wait.
export const TIER_SYNC_MS = 2_000;
// Vectorize answers in tens of milliseconds; a search that waited this long goes by its own codes.
export const TIER_DEADLINE_MS = 2_000;
// Batches of deletions at once when a whole object's vectors go: as many as connections.
export const TIER_CLEAR_BATCHES = 6;
