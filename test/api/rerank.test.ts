import { describe, expect, it } from "vitest";
import { RERANK_DOCUMENTS_MAX } from "../../src/limits.ts";
import { startApi } from "./fake-service.ts";

const RERANK = "/v1/rerank";
const CLASSIFY = "/v1/classify";
const ASKED = { query: "when", documents: ["may", { text: "june" }] };

describe("POST /v1/rerank", () => {
  it("answers in Cohere's and Jina's shape, with documents where they are asked for", async () => {
    const { call, service } = startApi();
    const response = await call(RERANK, { json: { ...ASKED, return_documents: true } });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: `rerank-${response.headers.get("x-brink-trace")}`,
      model: "brink-reranker",
      results: [
        { index: 0, relevance_score: 0.9, document: { text: "may" } },
        { index: 1, relevance_score: 0.8, document: { text: "june" } },
      ],
      usage: { prompt_tokens: 7, total_tokens: 7 },
      meta: { billed_units: { search_units: 1 } },
    });
    const request = { model: null, query: "when", documents: ["may", "june"] };
    expect(service.calls).toEqual([["rerank", request]]);
  });

  it("keeps the first top_n and leaves the documents out", async () => {
    const { call } = startApi();
    const response = await call(RERANK, { json: { ...ASKED, model: "m", top_n: 1 } });
    expect(await response.json()).toMatchObject({
      model: "m",
      results: [{ index: 0, relevance_score: 0.9 }],
    });
    const many = { query: "q", documents: Array(101).fill("d"), top_n: 1_000 };
    const { results, meta } = (await (await call(RERANK, { json: many })).json()) as {
      results: object[];
      meta: { billed_units: { search_units: number } };
    };
    expect(results).toHaveLength(101);
    expect(meta.billed_units.search_units).toBe(2);
  });

  it("takes what clients name without a wish", async () => {
    const unsaid = { rank_fields: null, max_tokens_per_doc: null, max_chunks_per_doc: null };
    const { outcome } = startApi();
    const json = { ...ASKED, ...unsaid, truncation: true };
    expect(await outcome(RERANK, { json })).toEqual([200, null]);
  });

  it.each([
    ["no query", { documents: ["a"] }, "query"],
    ["an empty query", { ...ASKED, query: "" }, "query"],
    ["no documents", { query: "q", documents: [] }, "documents"],
    ["an empty document", { query: "q", documents: ["a", ""] }, "documents[1]"],
    ["an image", { query: "q", documents: [{ image: "data:" }] }, "documents[0]"],
    [
      "too many documents",
      { query: "q", documents: Array(RERANK_DOCUMENTS_MAX + 1).fill("d") },
      "documents",
    ],
    ["top_n of none", { ...ASKED, top_n: 0 }, "top_n"],
    ["an unknown field", { ...ASKED, rank: ["a"] }, "rank"],
    ["other fields than the text", { ...ASKED, rank_fields: ["a"] }, "rank_fields"],
    ["a length of its own", { ...ASKED, max_tokens_per_doc: 9 }, "max_tokens_per_doc"],
    ["long documents not cut", { ...ASKED, truncation: false }, "truncation"],
  ])("refuses %s", async (_, json, param) => {
    const { call, service } = startApi();
    const response = await call(RERANK, { json });
    const { error } = (await response.json()) as { error: { code: string; param: string } };
    expect([response.status, error.code]).toEqual([400, "invalid_request"]);
    expect(error.param.startsWith(param)).toBe(true);
    expect(service.calls).toEqual([]);
  });
});

describe("POST /v1/classify", () => {
  it("gives every label's score, and the best", async () => {
    const { call, service } = startApi();
    const response = await call(CLASSIFY, { json: { model: "m", input: "hello" } });
    expect(await response.json()).toEqual({
      model: "m",
      data: [
        {
          object: "classification",
          index: 0,
          prediction: "bad",
          score: 0.75,
          predictions: [
            { label: "good", score: 0.25 },
            { label: "bad", score: 0.75 },
          ],
        },
      ],
      usage: { prompt_tokens: 5, total_tokens: 5 },
    });
    expect(service.calls).toEqual([["classify", "m", ["hello"]]]);
  });

  it("refuses a call without a model, without texts, or with labels of its own", async () => {
    const { outcome } = startApi();
    for (const json of [
      { input: "a" },
      { model: "m" },
      { model: "m", input: [] },
      { model: "m", input: "a", labels: ["x"] },
    ])
      expect(await outcome(CLASSIFY, { json })).toEqual([400, "invalid_request"]);
  });
});
