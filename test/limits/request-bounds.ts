/** Bounds of what a request says: for each, a request of `n` of what it bounds. */
import type * as limits from "../../src/limits.ts";
import { FEATURES } from "../../src/router/features.ts";

export interface RequestBound {
  /** Its name in limits.ts. */
  name: keyof typeof limits;
  /** "METHOD path", the query included. */
  at: string | ((n: number) => string);
  body?: (n: number) => unknown;
  headers?: (n: number) => Record<string, string>;
  /** More than the bound by this, where it is no whole number. */
  step?: number;
}

const x = (n: number) => "x".repeat(n);
const list = <T>(n: number, item: T | ((i: number) => T)): T[] =>
  Array.from({ length: n }, (_, i) => (item instanceof Function ? item(i) : item));
const fields = <T>(n: number, value: T) =>
  Object.fromEntries(list(n, (i) => [`${i}`, value] as const));

const CHAT = "POST /v1/chat/completions";
const RESPONSES = "POST /v1/responses";
const SEARCH = "POST /v1/memory/search";
const DOCUMENTS = "/admin/namespaces/docs/documents";
const NAMESPACE = "PUT /admin/namespaces/docs";
const KEYS = "POST /admin/keys";
const ask = { role: "user", content: "a" };
const messages = [ask];

const chats: RequestBound[] = [
  { name: "MESSAGES_MAX", at: CHAT, body: (n) => ({ messages: list(n, ask) }) },
  {
    name: "MESSAGE_CHARS_MAX",
    at: CHAT,
    body: (n) => ({ messages: [{ role: "user", content: x(n) }] }),
  },
  {
    name: "JSON_VALUES_MAX", // the lists, the message and its fields are five
    at: CHAT,
    body: (n) => ({ messages, more: list(n - 5, 0) }),
  },
  { name: "STOP_STRINGS_MAX", at: CHAT, body: (n) => ({ messages, stop: list(n, "a") }) },
  {
    name: "LOGIT_BIAS_ENTRIES_MAX",
    at: CHAT,
    body: (n) => ({ messages, logit_bias: fields(n, 1) }),
  },
  {
    name: "TOP_LOGPROBS_MAX",
    at: CHAT,
    body: (n) => ({ messages, logprobs: true, top_logprobs: n }),
  },
  { name: "GENERATOR_CHOICES_MAX", at: CHAT, body: (n) => ({ messages, n }) },
  {
    name: "CONVERSATION_ID_CHARS_MAX",
    at: CHAT,
    body: () => ({ messages }),
    headers: (n) => ({ "x-brink-conversation": x(n) }),
  },
  {
    name: "BACKEND_HEDGE_MS_MAX",
    at: CHAT,
    body: () => ({ messages }),
    headers: (n) => ({ "x-brink-hedge": `${n}` }),
  },
  {
    name: "RESPONSE_METADATA_MAX",
    at: RESPONSES,
    body: (n) => ({ input: "a", metadata: fields(n, "a") }),
  },
  {
    name: "RESPONSE_METADATA_CHARS_MAX",
    at: RESPONSES,
    body: (n) => ({ input: "a", metadata: { a: x(n) } }),
  },
  {
    name: "RESPONSE_METADATA_KEY_CHARS_MAX",
    at: RESPONSES,
    body: (n) => ({ input: "a", metadata: { [x(n)]: "a" } }),
  },
];

const searches: RequestBound[] = [
  { name: "QUERY_CHARS_MAX", at: SEARCH, body: (n) => ({ query: x(n) }) },
  { name: "SEARCH_K_MAX", at: SEARCH, body: (k) => ({ query: "a", k }) },
  { name: "NEIGHBOURS_MAX", at: SEARCH, body: (neighbours) => ({ query: "a", neighbours }) },
  { name: "HOPS_MAX", at: SEARCH, body: (hops) => ({ query: "a", iterative: { hops } }) },
  { name: "RERANK_DEPTH_MAX", at: SEARCH, body: (depth) => ({ query: "a", rerank: { depth } }) },
  {
    name: "DIVERSITY_POOL_MAX",
    at: SEARCH,
    body: (pool) => ({ query: "a", diversity: { pool } }),
  },
  {
    name: "HALF_LIFE_DAYS_MAX",
    at: SEARCH,
    body: (half_life_days) => ({ query: "a", recency: { half_life_days } }),
  },
  { name: "VECTOR_DIM_MAX", at: SEARCH, body: (n) => ({ query: "a", embedding: list(n, 0.01) }) },
  {
    name: "EMBEDDING_INPUTS_MAX",
    at: "POST /v1/embeddings",
    body: (n) => ({ input: list(n, "a") }),
  },
  {
    name: "RERANK_DOCUMENTS_MAX",
    at: "POST /v1/rerank",
    body: (n) => ({ query: "a", documents: list(n, "a") }),
  },
];

const turns = [{ speaker: "a", text: "b" }];
const remembered: RequestBound[] = [
  {
    name: "CONVERSATION_CHARS_MAX",
    at: "POST /v1/memory/remember",
    body: (n) => ({ conversation: x(n), turns }),
  },
  {
    name: "SPEAKER_CHARS_MAX",
    at: "POST /v1/memory/remember",
    body: (n) => ({ conversation: "a", turns: [{ speaker: x(n), text: "b" }] }),
  },
  {
    name: "DOCUMENT_CHARS_MAX",
    at: `POST ${DOCUMENTS}`,
    body: (n) => ({ documents: [{ text: x(n) }] }),
  },
  {
    name: "TITLE_CHARS_MAX",
    at: `POST ${DOCUMENTS}`,
    body: (n) => ({ documents: [{ text: "a", title: x(n) }] }),
  },
  {
    name: "DOCUMENT_ID_CHARS_MAX",
    at: `POST ${DOCUMENTS}`,
    body: (n) => ({ documents: [{ id: x(n), text: "a" }] }),
  },
  {
    name: "METADATA_BYTES_MAX",
    at: `POST ${DOCUMENTS}`,
    body: (n) => ({ documents: [{ text: "a", metadata: { a: x(n - '{"a":""}'.length) } }] }),
  },
  {
    name: "DOCUMENTS_PER_CALL_MAX",
    at: `POST ${DOCUMENTS}`,
    body: (n) => ({ documents: list(n, { text: "a" }) }),
  },
  { name: "CURSOR_CHARS_MAX", at: (n) => `GET ${DOCUMENTS}?cursor=${x(n)}` },
  {
    name: "JOB_NAME_CHARS_MAX",
    at: "POST /admin/namespaces/docs/jobs",
    body: (n) => ({ name: x(n) }),
  },
  {
    name: "FORGET_DAYS_MAX",
    at: NAMESPACE,
    body: (n) => ({ forget: { max_age_days: n } }),
    step: 0.001,
  },
  {
    name: "FORGET_DOCUMENTS_MAX",
    at: NAMESPACE,
    body: (n) => ({ forget: { max_documents: n } }),
  },
  { name: "SHARDS_MAX", at: NAMESPACE, body: (shards) => ({ shards }) },
];

const administered: RequestBound[] = [
  { name: "KEY_NAME_CHARS_MAX", at: KEYS, body: (n) => ({ name: x(n) }) },
  {
    name: "KEY_NAMESPACES_MAX",
    at: KEYS,
    body: (n) => ({ namespaces: list(n, (i) => `n${i}`), default_namespace: "n0" }),
  },
  {
    name: "REQUESTS_PER_MINUTE_MAX",
    at: KEYS,
    body: (n) => ({ requests_per_minute: n }),
  },
  { name: "TOKENS_PER_MINUTE_MAX", at: KEYS, body: (n) => ({ tokens_per_minute: n }) },
  {
    name: "BUDGET_USD_MAX",
    at: KEYS,
    body: (n) => ({ budget_usd: n, budget_period: "month" }),
    step: 0.01,
  },
  {
    name: "ROTATE_GRACE_S_MAX",
    at: "POST /admin/keys/key-1/rotate",
    body: (n) => ({ grace_seconds: n }),
  },
  { name: "TRACES_PAGE_MAX", at: (n) => `GET /admin/traces?limit=${n}` },
  { name: "OUTCOMES_PAGE_MAX", at: (n) => `GET /admin/router/outcomes?limit=${n}` },
  { name: "NOTES_PAGE_MAX", at: (n) => `GET /admin/namespaces/docs/notes?limit=${n}` },
  {
    name: "NOTE_TTL_DAYS_MAX",
    at: "PUT /admin/namespaces/docs/note-policy",
    body: (n) => ({ ttl_days: n }),
    step: 0.001,
  },
  { name: "CACHE_TTL_S_MAX", at: "PUT /admin/cache", body: (n) => ({ ttl_s: n }) },
  {
    name: "MODEL_BYTES_MAX",
    at: "POST /admin/models/tiny/uploads",
    body: (bytes) => ({ bytes, sha256: "0a".repeat(32) }),
  },
];

const one = { mean: 0, std: 1, weight: 0.5 };
const model = (rest: object) => ({
  version: "difficulty-abc",
  weights: Object.fromEntries(FEATURES.map((name) => [name, one])),
  bias: 0.1,
  calibration: { version: "c", scores: [[0.5, 1]], abstained: 2 },
  ...rest,
});

const routed: RequestBound[] = [
  {
    name: "WEIGHTS_VERSION_CHARS_MAX",
    at: "POST /admin/router/versions",
    body: (n) => ({ model: model({ version: x(n) }) }),
  },
  {
    name: "ROUTER_NOTE_CHARS_MAX",
    at: "POST /admin/router/versions",
    body: (n) => ({ model: model({}), note: x(n) }),
  },
  {
    name: "CALIBRATION_SCORES_MAX",
    at: "POST /admin/router/versions",
    body: (n) => ({
      model: model({ calibration: { version: "c", scores: list(n, [0.5, 1]), abstained: 2 } }),
    }),
  },
];

export const REQUEST_BOUNDS: readonly RequestBound[] = [
  ...chats,
  ...searches,
  ...remembered,
  ...administered,
  ...routed,
];
