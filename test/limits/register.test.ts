/** Which test reaches each bound of src/limits*.ts. A test that reaches one by the bound's name is
 *  found by that name; one that reaches it by its value stands below, and was seen to fail with
 *  the bound four times as high. A new bound needs either. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as limits from "../../src/limits.ts";

/** By value: the test's file, and words of its title or of what it looks at. */
const REACHED: Record<string, [file: string, words: string]> = {
  BACKEND_ATTEMPTS_MAX: ["test/engine/backend-pool.test.ts", "after six attempts at most"],
  BACKEND_ROUNDS_MAX: ["test/engine/backend-pool.test.ts", "leaves only those that it names"],
  CACHE_QUESTION_CHARS_MAX: ["test/pipeline/cache-key.test.ts", "a scope is of all but the last"],
  CIRCUIT_OUTCOMES: ["test/engine/backend-circuit.test.ts", "with one failure more"],
  DATA_POINT_BLOBS_BYTES_MAX: ["test/pipeline/data-point.test.ts", "the longest facts stay"],
  DATA_POINT_INDEX_BYTES_MAX: ["test/pipeline/data-point.test.ts", "the longest facts stay"],
  GGUF_HEADER_BYTES_MAX: ["test/model/gguf.test.ts", "a header that keeps growing"],
  GGUF_TENSOR_BYTES_MAX: ["test/model/gguf.test.ts", "dims that overflow"],
  GRAMMAR_WORK_MAX: ["test/generation/grammar.test.ts", "takes more than 32000000 steps"],
  LINE_ERRORS_KEPT_MAX: ["test/api/ndjson.test.ts", "the first 1,000 told"],
  PASSAGE_TOKENS_TARGET: ["test/index/chunk.test.ts", "keep their bounds"],
  RATE_SLOTS: ["test/ledger/minute-window.test.ts", "no 60 seconds hold more"],
  RETITLE_ATTEMPTS_MAX: ["test/pipeline/retitle.test.ts", "four times at most"],
  TEMPLATE_CHARS_MAX: ["test/model/chat-template.test.ts", "the limit is 65536"],
  TEMPLATE_SPACE_RUN_MAX: ["test/model/chat-template.test.ts", "1000 spaces in a row"],
  TOKEN_BYTES_MAX: ["test/model/tokenizer.test.ts", "a token too long"],
};

/** With a smaller bound that the test gives: the same, of what it gives the bound to. */
const REACHED_SMALLER: typeof REACHED = {
  BACKEND_LOGPROBS_BYTES_MAX: ["test/engine/logprobs.test.ts", "the reply has a bound of its own"],
  BACKEND_REPLY_BYTES_MAX: [
    "test/engine/backend.test.ts",
    "a stream that never ends is ended by its bytes",
  ],
  CACHE_BYTES_MAX: [
    "test/ledger/cache-object.test.ts",
    "the oldest go beyond the bounds of number and of bytes",
  ],
  CACHE_ENTRIES_MAX: [
    "test/ledger/cache-object.test.ts",
    "the oldest go beyond the bounds of number and of bytes",
  ],
  ISOLATE_INDEX_BYTES_MAX: ["test/memory/budget.test.ts", "drops the index used longest ago"],
  KEYS_PER_TENANT_MAX: [
    "test/ledger/ledger-object.test.ts",
    "a tenant at its limit of keys or namespaces",
  ],
  NAMESPACES_PER_TENANT_MAX: [
    "test/ledger/ledger-object.test.ts",
    "a tenant at its limit of keys or namespaces",
  ],
  OUTCOMES_BYTES_MAX: [
    "test/router/router-object.test.ts",
    "the ring keeps its number, its bytes and its time",
  ],
  OUTCOMES_KEPT_MAX: [
    "test/router/router-object.test.ts",
    "the ring keeps its number, its bytes and its time",
  ],
  REPLAYS_BYTES_MAX: [
    "test/ledger/replay-object.test.ts",
    "the oldest go beyond the bounds of number and of bytes",
  ],
  REPLAYS_MAX: [
    "test/ledger/replay-object.test.ts",
    "the oldest go beyond the bounds of number and of bytes",
  ],
  TRACES_BYTES_MAX: [
    "test/ledger/trace-object.test.ts",
    "the oldest go beyond the bounds of number, bytes and age",
  ],
  TRACES_KEPT_MAX: [
    "test/ledger/trace-object.test.ts",
    "the oldest go beyond the bounds of number, bytes and age",
  ],
};

/** Pauses, deadlines and ages, which bound no memory, and what holds where nobody says. */
const TIMES_AND_DEFAULTS = /_(MS|S|DAYS)(_|$)|_DEFAULT$/;

/** What is estimated, how a formula or an algorithm is set, and how things lie. */
const SETTINGS = `ANSWER_TOKENS_ESTIMATE AUTO_CALIBRATION_LABELS_MIN
  BACKEND_CONCURRENCY BM25_DEPTH BUDGET_ANSWER_TOKENS BYTES_PER_TOKEN CACHE_CANDIDATES
  CACHE_PIECE_CHARS CACHE_SLICES CIRCUIT_FAILURE_RATE CIRCUIT_OPEN_JITTER COPY_PAGE_DOCUMENTS
  COPY_STEP_PAGES DRIFT_BINS EMBEDDING_INPUTS_STEP FAST_TOKENS_MIN FORGET_DOCUMENTS_STEP
  GENERATOR_ANSWER_TOKENS MERGE_SEGMENTS METADATA_PAGE_ROWS MIXED_TOKENS_MIN MODEL_NAME_PATTERN
  NAMESPACE_PATTERN NOTE_AGREED_CHARS_MAX NOTE_CANDIDATES
  ONNX_HEAP_BYTES ONNX_PAIR_BYTES ONNX_RESIDENT_RATIO ONNX_RUNTIME_BYTES ONNX_TOKENIZER_RATIO
  ONNX_TOKEN_BYTES PQ_ITERATIONS PREFILL_TOKENS READER_PASSAGES RERANK_PIECE_STRIDE
  SHARD_PASSAGES_SPLIT SHARD_RESIDENT_BYTES_SPLIT SNAPSHOT_PAGE_DOCUMENTS TIER_CLEAR_BATCHES
  TIER_DELETE_MAX TIER_DIM_MAX TIER_TOP_K_MAX TIER_UPSERT_MAX TOOLS_PREAMBLE_TOKENS
  VECTOR_DEPTH`.split(/\s+/);

const BY_VALUE = { ...REACHED, ...REACHED_SMALLER };

const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "test"]);
const tests = listed
  .toString()
  .trim()
  .split("\n")
  .filter((path) => /\.ts$/.test(path) && !/^test\/(simulation|limits\/register)/.test(path));
const named = new Set(
  tests
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, "utf8").match(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g) ?? []),
);

it("every bound is reached by a test, or is told of as none", () => {
  const known = new Set([...Object.keys(BY_VALUE), ...SETTINGS]);
  const unknown = Object.keys(limits).filter((name) => {
    return !named.has(name) && !known.has(name) && !TIMES_AND_DEFAULTS.test(name);
  });
  expect(unknown).toEqual([]);
});

it("nothing is listed that is no bound, or that a test names by now, or twice", () => {
  const all = [...Object.keys(BY_VALUE), ...SETTINGS];
  expect(all.filter((name) => !Object.hasOwn(limits, name))).toEqual([]);
  expect(SETTINGS.filter((name) => named.has(name))).toEqual([]);
  expect(new Set(all).size).toBe(all.length);
});

it("the tests that reach a bound by its value are there", () => {
  for (const [file, words] of Object.values(BY_VALUE))
    expect(readFileSync(file, "utf8"), `${file}: ${words}`).toContain(words);
});
