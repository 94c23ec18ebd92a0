import { expect, it } from "vitest";
import { shorten } from "../../src/api/embeddings.ts";
import { EmbeddingReply } from "../../src/api/schema/memory.ts";
import { SearchReply } from "../../src/api/schema/search-reply.ts";
import { toBase64 } from "../../src/api/schema/vector.ts";
import { startApi } from "./fake-service.ts";

const SEARCH = "/v1/memory/search";
const EMBED = "/v1/embeddings";

it("a search answers with hits of the contract's fields and the time", async () => {
  const { call, service } = startApi();
  const response = await call(SEARCH, { json: { namespace: "docs", query: "lease" } });
  expect(await response.json()).toEqual({
    hits: [
      {
        document_id: "d1",
        passage_id: "d1#0",
        score: 0.9,
        text: "The lease ends on 3 May.",
        title: null,
        metadata: { language: "en" },
        start: 0,
        end: 24,
      },
    ],
    took_ms: 1.5,
  });
  expect(service.calls[0]![2]).toEqual({
    namespace: "docs",
    query: "lease",
    embedding: null,
    k: 8,
    mode: "hybrid",
    filter: null,
    explain: false,
  });
});

it("an explained hit tells the scores it was fused from, and the reply its stages", async () => {
  const json = { query: "lease", explain: true, filter: {}, embedding: null };
  const reply = SearchReply.parse(await (await startApi().call(SEARCH, { json })).json());
  expect(reply.hits[0]!.explain).toMatchObject({ bm25: 2.5, cosine: 0.8, bm25_rank: 1 });
  expect(reply.stages_ms).toEqual({ total: 1.25 });
  expect(reply).not.toHaveProperty("partial");
});

it("every way of finding reaches the service, with defaults where none is given", async () => {
  const { call, service } = startApi();
  const ways = {
    fusion: "rrf",
    cosine_weight: 0.5,
    recency: { half_life_days: 7 },
    neighbours: 2,
    group_by_document: true,
    partial: true,
    iterative: { hops: 2 },
  };
  const given = { ...ways, diversity: {}, rerank: true };
  await call(SEARCH, { json: { query: "lease", k: 5, ...given } });
  const rerank = { model: null, depth: 10 };
  const diversity = { lambda: 0.7, pool: 20 };
  expect(service.calls[0]![2]).toMatchObject({ ...ways, diversity, rerank, k: 5 });
  const chosen = { diversity: { lambda: 0, pool: 256 }, rerank: { model: "m", depth: 50 } };
  await call(SEARCH, { json: { query: "lease", ...chosen } });
  expect(service.calls[1]![2]).toMatchObject(chosen);
  const nullable = Object.keys({ ...given, filter: {} });
  const nulls = Object.fromEntries(nullable.map((field) => [field, null]));
  const off = { neighbours: 0, group_by_document: false, rerank: false, iterative: { hops: 1 } };
  for (const rest of [nulls, off]) await call(SEARCH, { json: { query: "lease", ...rest } });
  const plain = ["embedding", "explain", "filter", "k", "mode", "namespace", "query"];
  for (const [, , query] of service.calls.slice(2))
    expect(Object.keys(query as object).toSorted()).toEqual(plain);
});

it("a reply without some shards says how many are missing", async () => {
  const { call, service } = startApi();
  service.partial = { shards: 3, missing: 1 };
  const reply = await (await call(SEARCH, { json: { query: "lease", partial: true } })).json();
  expect(SearchReply.parse(reply).partial).toEqual({ shards: 3, missing: 1 });
});

it("a vector search with its own embedding needs no query", async () => {
  const { outcome } = startApi();
  const json = { embedding: [1, 0], mode: "vector" };
  expect(await outcome(SEARCH, { json })).toEqual([200, null]);
  expect(await outcome(SEARCH, { json: { ...json, mode: null } })).toEqual([
    400,
    "invalid_request",
  ]);
});

it.each<[object, string]>([
  [{}, "query"],
  [{ query: " " }, "query"],
  [{ query: "x".repeat(8_001) }, "query"],
  [{ query: "x", k: 101 }, "k"],
  [{ query: "x", k: 1.5 }, "k"],
  [{ query: "x", mode: "both" }, "mode"],
  [{ query: "x", embedding: ["1"] }, "embedding[0]"],
  [{ query: "x", embedding: [] }, "embedding"],
  [{ query: "x", filter: [] }, "filter"],
  [{ query: "x", filter: { a: 1, or: [] } }, "filter"],
  [{ query: "x", top_k: 3 }, "top_k"],
  [{ query: "x", fusion: "sum" }, "fusion"],
  [{ query: "x", cosine_weight: 1.1 }, "cosine_weight"],
  [{ query: "x", recency: { half_life_days: 0 } }, "recency.half_life_days"],
  [{ query: "x", recency: { half_life_days: 1e9 } }, "recency.half_life_days"],
  [{ query: "x", recency: { half_life_days: 1, x: 1 } }, "recency.x"],
  [{ query: "x", diversity: { lambda: 2 } }, "diversity.lambda"],
  [{ query: "x", diversity: { pool: 257 } }, "diversity.pool"],
  [{ query: "x", neighbours: 5 }, "neighbours"],
  [{ query: "x", rerank: { depth: 51 } }, "rerank.depth"],
  [{ query: "x", rerank: { top_n: 5 } }, "rerank.top_n"],
  [{ query: "x", iterative: { hops: 3 } }, "iterative.hops"],
  [{ query: "x", iterative: true }, "iterative"],
  [{ embedding: [1], mode: "vector", rerank: true }, "rerank"],
  [{ query: "x", namespace: "a\0" }, "namespace"],
])("a search of %j is refused at %s", async (json, param) => {
  const response = await startApi().call(SEARCH, { json });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "invalid_request", param } });
});

it("embeddings come as numbers or base64, whole or shortened to unit length", async () => {
  const { call } = startApi();
  const embed = async (json: object) =>
    EmbeddingReply.parse(await (await call(EMBED, { json })).json());
  const floats = await embed({ input: ["a", "b"], model: "encoder" });
  expect(floats.data.map(({ index }) => index)).toEqual([0, 1]);
  expect(floats.usage).toEqual({ prompt_tokens: 6, total_tokens: 6 });
  expect(floats.data[0]!.embedding).toEqual([...Float32Array.of(0.6, 0, 0.8, 0)]);
  const short = await embed({ input: "a", dimensions: 2 });
  expect(short.data[0]!.embedding).toEqual([1, 0]);
  const coded = await embed({ input: "a", encoding_format: "base64" });
  const bytes = Buffer.from(coded.data[0]!.embedding as string, "base64");
  expect([0, 4, 8, 12].map((at) => bytes.readFloatLE(at))).toEqual(floats.data[0]!.embedding);
});

it("a shortened vector has length 1, and one of zeros stays zeros", () => {
  const vector = Float32Array.from({ length: 384 }, (_, i) => Math.sin(i * i));
  expect(Math.hypot(...shorten(vector, 100))).toBeCloseTo(1, 6);
  expect(shorten(new Float32Array(4), 2)).toEqual(new Float32Array(2));
  expect(toBase64(Float32Array.of(1))).toBe("AACAPw==");
});

it.each<[object, number, string, string]>([
  [{}, 400, "invalid_request", "input"],
  [{ input: "" }, 400, "invalid_request", "input"],
  [{ input: [] }, 400, "invalid_request", "input"],
  [{ input: ["a", ""] }, 400, "invalid_request", "input[1]"],
  [{ input: [1, 2, 3] }, 400, "invalid_request", "input[0]"],
  [{ input: Array(257).fill("a") }, 400, "invalid_request", "input"],
  [{ input: "a", dimensions: 5 }, 400, "invalid_request", "dimensions"],
  [{ input: "a", dimensions: 0 }, 400, "invalid_request", "dimensions"],
  [{ input: "a", encoding_format: "hex" }, 400, "invalid_request", "encoding_format"],
  [{ input: "a", model: "text-embedding-3-small" }, 404, "model_not_found", "model"],
  [{ input: "a", truncate: true }, 400, "invalid_request", "truncate"],
])("an embedding of %j is refused", async (json, status, code, param) => {
  const response = await startApi().call(EMBED, { json });
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { code, param } });
});
