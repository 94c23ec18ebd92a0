import { expect, it, vi } from "vitest";
import { type OnnxBinding, OnnxModels } from "../../src/engine/onnx.ts";
import { RERANK_DOCUMENTS_STEP } from "../../src/limits.ts";
import type { SearchHit, SearchReply, SearchRequest } from "../../src/memory/types.ts";
import { type PassageReading, type SpanReader, UNREAD } from "../../src/model/reader.ts";
import type { Reranker } from "../../src/model/reranker.ts";
import { type RetrieveDeps, retrieve, scoreHits } from "../../src/pipeline/retrieve.ts";
import type { MemoryQuery } from "../../src/pipeline/types.ts";

const VECTOR = Float32Array.of(0.6, 0.8);

function hit(id: string, score: number, rest: Partial<SearchHit> = {}): SearchHit {
  return {
    document_id: id,
    passage_id: `${id}#0`,
    score,
    text: `The motor was built by Tesla, says ${id}.`,
    title: null,
    metadata: {},
    start: 0,
    end: 10,
    bm25: score,
    cosine: score,
    ...rest,
  };
}

const QUERY: MemoryQuery = {
  namespace: "docs",
  query: "when was the builder of the motor born",
  embedding: null,
  k: 4,
  mode: "hybrid",
  filter: null,
  explain: false,
};

/** A memory of prepared replies, and what it was asked. */
function depsOf(replies: SearchHit[][], scores: number[] = []) {
  const asked: SearchRequest[] = [];
  const read: SearchHit[][] = [];
  const deps: RetrieveDeps = {
    search: async (request): Promise<SearchReply> => {
      const hits = replies[asked.push(request) - 1]!.slice(0, request.k);
      const vector = request.vectors ? { vector: Float32Array.of(1, 0) } : {};
      return {
        hits: hits.map((one) => ({ ...one, ...vector })),
        stages_ms: { show: 2, total: 5 },
        partial: null,
      };
    },
    embed: async () => VECTOR,
    score: async (_choice, _query, hits) => {
      read.push([...hits]);
      return { model: "judge", scores: scores.slice(0, hits.length) };
    },
  };
  return { deps, asked, read };
}

const ids = ({ hits }: SearchReply) => hits.map(({ document_id }) => document_id);

it("a plain search is one search, its options handed on, with the query's vector", async () => {
  const { deps, asked } = depsOf([[hit("a", 0.9)]]);
  const filter = { lang: "en" };
  const reply = await retrieve(deps, { ...QUERY, filter, neighbours: 2, cosine_weight: 0.5 });
  expect(ids(reply)).toEqual(["a"]);
  expect(asked.length).toBe(1);
  expect(asked[0]).toMatchObject({
    k: 4,
    filter,
    neighbours: 2,
    cosine_weight: 0.5,
    vector: VECTOR,
  });
  expect(asked[0]).not.toHaveProperty("namespace");
  const words = depsOf([[]]);
  await retrieve(words.deps, { ...QUERY, mode: "bm25" });
  expect(words.asked[0]!.vector).toBeNull();
});

it("a second search for what the best hit leaves open takes a quarter of the places", async () => {
  const first = ["a", "b", "c", "d"].map((id, i) => hit(id, 0.9 - i / 10));
  const { deps, asked } = depsOf([first, [hit("b", 0.8), hit("x", 0.7), hit("y", 0.6)]]);
  const reply = await retrieve(deps, { ...QUERY, iterative: { hops: 2 } });
  expect(ids(reply)).toEqual(["a", "b", "c", "x"]);
  expect(reply.hits.map(({ hop }) => hop)).toEqual([1, 1, 1, 2]);
  expect(reply.hits.every((one) => !("vector" in one))).toBe(true);
  const weights = new Map(asked[1]!.terms!.map(({ term, qtf }) => [term, qtf]));
  expect(weights.get("born")).toBe(1);
  expect(weights.get("motor")).toBeLessThan(1);
  expect(weights.has("tesla")).toBe(true);
  expect(asked[1]!.vector![0]!).toBeLessThan(VECTOR[0]!); // turned away from (1, 0)
  expect(reply.stages_ms).toMatchObject({ show: 2, second_show: 2 });
});

it("with one hit a document a second search brings other documents", async () => {
  const first = [hit("a", 0.9), hit("b", 0.8), hit("c", 0.7), hit("d", 0.6)];
  const again = hit("a", 0.9, { passage_id: "a#5" });
  const { deps } = depsOf([first, [again, hit("x", 0.5)]]);
  const asked = { ...QUERY, iterative: { hops: 2 }, group_by_document: true };
  expect(ids(await retrieve(deps, asked))).toEqual(["a", "b", "c", "x"]);
});

it("hits name the others of the reply that overlap them, whichever search found them", async () => {
  const of = (seq: number, start: number, score: number) =>
    hit("lease", score, { passage_id: `lease#${seq}`, start, end: start + 30 });
  const first = [of(0, 0, 0.9), hit("b", 0.8), hit("c", 0.7), of(1, 20, 0.6)];
  const second = [of(2, 25, 0.5)];
  for (const one of [...first, ...second]) one.overlaps = ["as its own search has it"];
  const query = { ...QUERY, neighbours: 1 };
  const overlaps = ({ hits }: SearchReply) =>
    hits.map(({ passage_id, overlaps }) => [passage_id, overlaps]);
  const hops = await retrieve(depsOf([first, second]).deps, { ...query, iterative: { hops: 2 } });
  expect(overlaps(hops)).toEqual([
    ["lease#0", ["lease#2"]],
    ["b#0", []],
    ["c#0", []],
    ["lease#2", ["lease#0"]],
  ]);
  const rerank = { model: null, depth: 4 };
  const { deps } = depsOf([first], [0.9, 0.1, 0.1, 0]);
  const cut = await retrieve(deps, { ...query, k: 2, rerank });
  expect(overlaps(cut)).toEqual([
    ["lease#0", []],
    ["b#0", []],
  ]);
});

it("of two searches the one that lost more shards says how many are missing", async () => {
  const missing = [1, 2, 0].map((n) => (n === 0 ? null : { shards: 3, missing: n }));
  for (const [one, other, expected] of [
    [0, 1, 1],
    [1, 2, 1],
    [2, 1, 1],
    [2, 2, 2],
  ] as const) {
    const { deps } = depsOf([[hit("a", 0.9)], []]);
    const partials = [missing[one]!, missing[other]!];
    const search: RetrieveDeps["search"] = async (request) => {
      return { ...(await deps.search(request)), partial: partials.shift() ?? null };
    };
    const reply = await retrieve({ ...deps, search }, { ...QUERY, iterative: { hops: 2 } });
    expect(reply.partial).toEqual(missing[expected]);
  }
});

it("where nothing is found there is no second search and nothing to read", async () => {
  const { deps, asked, read } = depsOf([[]]);
  const rerank = { model: null, depth: 10 };
  const reply = await retrieve(deps, { ...QUERY, iterative: { hops: 2 }, rerank });
  expect(reply.hits).toEqual([]);
  expect([asked.length, read.length]).toEqual([1, 0]);
});

it("a reranker orders the best hits, ties as they stood, and deeper ones stay behind", async () => {
  const found = ["a", "b", "c", "d", "e", "f"].map((id, i) => hit(id, 0.9 - i / 10));
  const { deps, asked, read } = depsOf([found], [0.1, 0.5, 0.5, 0.9]);
  const query = { ...QUERY, k: 6, rerank: { model: "judge", depth: 4 } };
  const reply = await retrieve(deps, query);
  expect(ids(reply)).toEqual(["d", "b", "c", "a", "e", "f"]);
  expect(reply.hits.map(({ rerank_score }) => rerank_score)).toEqual([
    0.9,
    0.5,
    0.5,
    0.1,
    undefined,
    undefined,
  ]);
  expect(reply.hits[0]!.score).toBeCloseTo(0.6, 12);
  expect(read[0]!.length).toBe(4);
  const deep = depsOf([found], [0, 0, 0, 0, 0, 1]);
  const best = await retrieve(deep.deps, { ...query, k: 1, rerank: { model: null, depth: 50 } });
  expect(ids(best)).toEqual(["f"]);
  expect(deep.asked[0]!.k).toBe(50);
  expect(asked[0]!.k).toBe(6);
});

it("an explained hit says who reranked it and where it stood", async () => {
  const explain = { bm25_rank: 1 } as SearchHit["explain"];
  const { deps } = depsOf([[hit("a", 0.9, { explain }), hit("b", 0.8, { explain })]], [0, 1]);
  const rerank = { model: null, depth: 2 };
  const { hits } = await retrieve(deps, { ...QUERY, explain: true, rerank });
  expect(hits[0]!.explain).toMatchObject({ bm25_rank: 1, rerank: { model: "judge", rank: 2 } });
});

it("the time of a search with everything is the sum of its parts", async () => {
  const { deps } = depsOf([[hit("a", 0.9)], []], [1]);
  const rerank = { model: null, depth: 2 };
  const { stages_ms } = await retrieve(deps, { ...QUERY, iterative: { hops: 2 }, rerank });
  const { embed, rerank: read, total } = stages_ms;
  expect(total).toBe(embed! + 5 + 5 + read!);
});

const reading = (logSum: number): PassageReading => ({ ...UNREAD, logSum });
const noOnnx = new OnnxModels(null);
const notNeeded = () => Promise.reject(new Error("not needed"));

it("without an ONNX reranker the reader's belief counts beside the score", async () => {
  const readers: string[][] = [];
  const reader = {
    read: (_question: string, texts: string[]) => {
      readers.push(texts);
      return [reading(-4), reading(6), UNREAD];
    },
  } as unknown as SpanReader;
  const hits = [hit("a", 0.8), hit("b", 0.4), hit("c", 0.2)];
  const deps = { onnx: noOnnx, reader: async () => reader, reranker: notNeeded };
  const { model, scores } = await scoreHits({ model: null, depth: 3 }, "q", hits, deps);
  expect(model).toBe("brink-reader");
  const sure = (logit: number) => 1 / (1 + Math.exp(-logit / 4));
  const expected = [0.3 * sure(-4) + 0.7, 0.3 * sure(6) + 0.7 / 2, 0.7 / 4];
  for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(expected[i]!, 12);
  expect(readers).toEqual([hits.map(({ text }) => text)]);
});

it("Brink's own reranker, by its id, reads titles and texts, some at a time", async () => {
  const steps: string[][] = [];
  const own = {
    score: (_query: string, texts: string[]) => {
      steps.push(texts);
      return texts.map((_, i) => i / 100);
    },
  } as unknown as Reranker;
  const hits = Array.from({ length: RERANK_DOCUMENTS_STEP + 1 }, (_, i) => {
    return hit(`${i}`, 0.5, { title: i === 0 ? "Motors" : null });
  });
  const deps = { onnx: noOnnx, reader: notNeeded, reranker: async () => own };
  const choice = { model: "brink-reranker", depth: 50 };
  const { model, scores } = await scoreHits(choice, "q", hits, deps);
  expect(model).toBe("brink-reranker");
  expect(scores).toEqual([...hits.slice(1).map((_, i) => i / 100), 0]);
  expect(steps.map(({ length }) => length)).toEqual([RERANK_DOCUMENTS_STEP, 1]);
  expect(steps[0]!.slice(0, 2)).toEqual([`Motors\n${hits[0]!.text}`, hits[1]!.text]);
});

it("an ONNX reranker is taken where there is one, or by its id", async () => {
  const asked: unknown[] = [];
  const onnx = {
    list: async () => [
      { id: "e", kind: "encoder" },
      { id: "cross", kind: "reranker" },
    ],
    rerank: async (...call: unknown[]) => {
      asked.push(call);
      return { scores: [0.25], tokens: 1 };
    },
  } as unknown as OnnxModels;
  const deps = { onnx, reader: notNeeded, reranker: notNeeded };
  const one = [hit("a", 0.9, { title: "Motors" })];
  const scored = await scoreHits({ model: null, depth: 1 }, "q", one, deps);
  expect(scored).toEqual({ model: "cross", scores: [0.25] });
  await scoreHits({ model: "other", depth: 1 }, "q", one, deps);
  expect(asked).toEqual([
    ["cross", "q", [`Motors\n${one[0]!.text}`]],
    ["other", "q", [`Motors\n${one[0]!.text}`]],
  ]);
  const unbound = scoreHits({ model: "cross", depth: 1 }, "q", one, { ...deps, onnx: noOnnx });
  await expect(unbound).rejects.toMatchObject({ code: "model_not_found" });
});

it("where the ONNX Worker is away the reader takes the place of what nobody named", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const gone = async () => {
    throw new Error("Worker exceeded memory limit.");
  };
  const cross = { id: "cross", kind: "reranker" };
  const reader = { read: () => [reading(1)] } as unknown as SpanReader;
  const one = [hit("a", 0.9)];
  for (const models of [gone, async () => [cross]]) {
    const onnx = new OnnxModels({ models, rerank: gone } as unknown as OnnxBinding);
    const deps = { onnx, reader: async () => reader, reranker: notNeeded };
    const { model } = await scoreHits({ model: null, depth: 1 }, "q", one, deps);
    expect(model).toBe("brink-reader");
    const named = scoreHits({ model: "cross", depth: 1 }, "q", one, deps);
    await expect(named).rejects.toMatchObject({ code: "model_unavailable" });
  }
  expect(logged).toHaveBeenCalledTimes(2);
  logged.mockRestore();
});
