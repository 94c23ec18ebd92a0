import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import type { Filter } from "../../index/filter.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf } from "../../src/errors.ts";
import { DOCUMENT_CHARS_MAX, EXPORT_PAGE_CHARS_MAX } from "../../src/limits.ts";
import type { MemoryObject } from "../../src/memory/memory-object.ts";
import { NAMESPACE_DEFAULTS, type SearchRequest } from "../../src/memory/types.ts";
import { DIM, embedWords, hitsOf, type Memory, passage, prepared, store } from "./documents.ts";

const MODES = ["hybrid", "bm25", "vector"] as const;
const UNITS = ["passage", "document"] as const;

function asking(query: string, rest: Partial<SearchRequest> = {}): SearchRequest {
  const vector = rest.mode === "bm25" ? null : embedWords(query);
  return { query, vector, k: 10, mode: "hybrid", filter: null, explain: false, ...rest };
}

/** The ids of the documents that a search by terms finds, best first. */
async function found(memory: Memory, query: string, rest: Partial<SearchRequest> = {}) {
  const hits = await hitsOf(memory, asking(query, { mode: "bm25", ...rest }));
  return hits.map((hit) => hit.document_id);
}

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

/** The object of that name, made a namespace with the default options. */
async function made<T extends MemoryObject>(
  binding: DurableObjectNamespace<T>,
  name: string,
): Promise<Memory> {
  const memory = binding.getByName(name) as unknown as Memory;
  await memory.configure(NAMESPACE_DEFAULTS);
  return memory;
}

afterEach(() => {
  vi.useRealTimers();
});

it.each(MODES)(
  "search in mode %s finds a passage again after its object is evicted",
  async (mode) => {
    const memory = await made(env.MEMORY, `t/evicted-${mode}`);
    await store(memory, [prepared("lease", "The lease ends on 3 May.\nThe rent is due monthly.")]);
    const request = asking("when does the lease end", { mode, k: 1, explain: true });
    const before = await hitsOf(memory, request);
    await evictDurableObject(memory);
    expect(await hitsOf(memory, request)).toEqual(before);
    expect(before).toMatchObject([
      { document_id: "lease", passage_id: "lease#0", start: 0, end: 24 },
    ]);
  },
);

it("what is written is found by the next call, and what it replaced is not", async () => {
  const memory = await made(env.MEMORY, "t/replaced");
  await store(memory, [prepared("a", "amber\nbirch", { title: "cedar", metadata: { n: 1 } })]);
  expect(await found(memory, "cedar")).toEqual(["a", "a"]);
  await store(memory, [prepared("a", "delta", { title: "ember", metadata: { n: 2 } })]);
  for (const gone of ["amber", "birch", "cedar"]) expect(await found(memory, gone)).toEqual([]);
  expect(await hitsOf(memory, asking("ember"))).toMatchObject([
    { passage_id: "a#0", text: "delta", title: "ember", metadata: { n: 2 } },
  ]);
  expect(await found(memory, "delta", { filter: { n: 1 } })).toEqual([]);
  expect(await memory.stats()).toMatchObject({ documents: 1, passages: 1 });
  expect(await memory.compact()).toMatchObject({ documents: 1, passages: 1, terms: 2 });
});

it("of the same id twice in one call the last counts", async () => {
  const memory = await made(env.MEMORY, "t/twice");
  const outcome = await store(memory, [prepared("a", "amber\nbirch"), prepared("a", "cedar")]);
  expect(outcome).toMatchObject([
    { id: "a", status: "stored", version: 1, passages: 2 },
    { id: "a", status: "stored", version: 2, passages: 1 },
  ]);
  expect(await found(memory, "amber birch cedar")).toEqual(["a"]);
});

it("removed documents are neither found, listed nor exported", async () => {
  const memory = await made(env.MEMORY, "t/removed");
  await store(
    memory,
    ["a", "b", "c"].map((id) => prepared(id, "amber")),
  );
  expect(await memory.remove(["a", "a", "nobody"])).toBe(1);
  expect(await found(memory, "amber")).toEqual(["b", "c"]);
  expect(await memory.get("a")).toBeNull();
  const ids = async () => (await memory.list(null, 10)).documents.map(({ id }) => id);
  expect(await ids()).toEqual(["b", "c"]);
  expect((await memory.export(null)).documents.map(({ id }) => id)).toEqual(["b", "c"]);
  await evictDurableObject(memory);
  expect(await found(memory, "amber")).toEqual(["b", "c"]);
});

it("removal by a filter removes what passes it and nothing else", async () => {
  const memory = await made(env.MEMORY, "t/removed-where");
  const documents = [2019, 2021, 2023].map((year) =>
    prepared(`${year}`, "amber", { metadata: { year } }),
  );
  await store(memory, [...documents, prepared("no year", "amber")]);
  expect(await found(memory, "amber", { filter: { year: { lt: 2022 } } })).toEqual([
    "2019",
    "2021",
  ]);
  expect(await memory.removeWhere({ year: { lt: 2022 } })).toBe(2);
  expect(await found(memory, "amber")).toEqual(["2023", "no year"]);
});

it.each(MODES)("in mode %s a filter applies before the best k are taken", async (mode) => {
  const memory = await made(env.MEMORY, `t/filter-${mode}`);
  const better = Array.from({ length: 30 }, (_, i) =>
    prepared(`en ${i}`, "amber amber amber", { metadata: { lang: "en" } }),
  );
  const rest = { metadata: { lang: "de", tags: ["x", "y"], year: 2020, owner: null } };
  await store(memory, [...better, prepared("de", "amber and many other words", rest)]);
  const passing: Filter[] = [
    { lang: "de" },
    { lang: { eq: "de" } },
    { lang: { ne: "en" } },
    { lang: { in: ["de", "fr"] } },
    { lang: { nin: ["en"] } },
    { year: { gt: 2019 } },
    { year: { gte: 2020 } },
    { year: { lt: 2021, lte: 2020 } },
    { owner: { exists: true } },
    { tags: { prefix: "x" } },
    { and: [{ tags: "y" }, { owner: null }] },
    { or: [{ lang: "fr" }, { year: 2020 }] },
    { not: { lang: "en" } },
  ];
  for (const filter of passing)
    expect(await found(memory, "amber", { mode, k: 3, filter })).toEqual(["de"]);
});

it("an expired document is not found, listed or counted, and its alarm removes it", async () => {
  const memory = await made(env.MEMORY, "t/expiry");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  const at = Date.now() + 3_600_000;
  await store(memory, [prepared("soon", "amber", { expires_at: at }), prepared("ever", "amber")]);
  expect(await found(memory, "amber")).toEqual(["soon", "ever"]);
  await runInDurableObject(memory, async (_, state) => {
    expect(await state.storage.getAlarm()).toBe(at);
  });
  vi.setSystemTime(at);
  expect(await found(memory, "amber")).toEqual(["ever"]);
  expect(await memory.get("soon")).toBeNull();
  expect((await memory.list(null, 10)).documents.map(({ id }) => id)).toEqual(["ever"]);
  expect(await memory.stats()).toMatchObject({ documents: 1, passages: 1 });
  await runDurableObjectAlarm(memory);
  await runInDurableObject(memory, async (_, state) => {
    expect(await state.storage.getAlarm()).toBeNull();
    expect(state.storage.sql.exec("SELECT id FROM documents").toArray()).toEqual([{ id: "ever" }]);
  });
});

it("ids and texts in any script come back as they were", async () => {
  const memory = await made(env.MEMORY, "t/unicode");
  const ids = ["ключ", "鍵/1#2", "😀", "a\u0000b", "__proto__", "x".repeat(256)];
  const text = "猫\u0000と犬\nمرحبا\n\u2028😀 fin";
  await store(
    memory,
    ids.map((id) => prepared(id, text)),
  );
  expect((await memory.find([...ids, "nobody"])).map((found) => found !== null)).toEqual([
    ...ids.map(() => true),
    false,
  ]);
  for (const id of ids) expect(await memory.get(id)).toMatchObject({ id, text });
  expect((await found(memory, "猫", { k: 100 })).sort()).toEqual([...ids].sort());
  expect(await memory.remove(ids)).toBe(ids.length);
});

it("of a batch that is too much, what fits is stored and the rest is memory_full", async () => {
  const memory = await made(env.SMALL_MEMORY, "t/full");
  await store(memory, [prepared("a", "amber\nbirch\ncedar")]);
  const large = prepared("d", "fern ".repeat(100_000));
  const batch = [prepared("b", "delta"), prepared("c", "ember")];
  expect(await codeFrom(store(memory, [batch[0]!, large]))).toBe("memory_full");
  expect(await found(memory, "delta ember fern")).toEqual(["b"]);
  expect(await found(memory, "amber")).toEqual(["a"]);
  await store(memory, [prepared("a", "amber\nbirch"), ...batch]);
  expect(await memory.stats()).toMatchObject({ documents: 3, passages: 4 });
});

it("a failure in the middle of a write leaves the memory as it was", async () => {
  const memory = await made(env.MEMORY, "t/atomic");
  await store(memory, [prepared("a", "amber")]);
  const before = await hitsOf(memory, asking("amber birch"));
  const broken = prepared("c", "cedar", { metadata: { unserializable: 1n } });
  const batch = [prepared("b", "birch"), prepared("a", "delta"), broken];
  await expect(async () => store(memory, batch)).rejects.toThrow();
  expect(await hitsOf(memory, asking("amber birch"))).toEqual(before);
  expect(await memory.get("b")).toBeNull();
  await store(memory, [prepared("b", "birch")]);
  expect(await found(memory, "birch")).toEqual(["b"]);
});

it("a vector of another dimension or with NaN is invalid_request, stored or asked", async () => {
  const memory = await made(env.MEMORY, "t/dimension");
  await store(memory, [prepared("a", "amber")]);
  const with_ = (vector: Float32Array) => ({
    ...prepared("b", "birch"),
    passages: [passage(0, 5, quantizeVector(vector))],
  });
  expect(await codeFrom(store(memory, [with_(new Float32Array(DIM - 1))]))).toBe("invalid_request");
  expect(await codeFrom(store(memory, [with_(new Float32Array(DIM).fill(Number.NaN))]))).toBe(
    "invalid_request",
  );
  const query = asking("amber", { vector: new Float32Array(3) });
  expect(await codeFrom(hitsOf(memory, query))).toBe("invalid_request");
  expect(await codeFrom(hitsOf(memory, { ...query, vector: null }))).toBe("invalid_request");
  expect(await found(memory, "birch")).toEqual([]);
});

it("objects of other names share nothing", async () => {
  const one = await made(env.MEMORY, "one/docs");
  const two = await made(env.MEMORY, "two/docs");
  await store(one, [prepared("a", "amber")]);
  expect(await found(two, "amber")).toEqual([]);
  expect(await two.get("a")).toBeNull();
});

it.each(UNITS)(
  "an explanation adds up to the scores it explains, units being %ss",
  async (bm25_unit) => {
    const memory = env.MEMORY.getByName(`t/explain-${bm25_unit}`);
    await memory.configure({ ...NAMESPACE_DEFAULTS, bm25_unit, k1: 1.2, b: 0.5 });
    await store(memory, [prepared("a", "amber birch birch\ncedar"), prepared("b", "birch delta")]);
    const hits = await hitsOf(memory, asking("birch amber birch", { explain: true }));
    for (const { bm25, score, explain } of hits) {
      const sum = explain!.bm25_terms!.reduce((all, { contribution }) => all + contribution, 0);
      expect(sum).toBeCloseTo(bm25!, 12);
      expect(explain).toMatchObject({ fused: score, recency: null, diversity: null, filter: [] });
    }
    expect(hits[0]!.explain).toMatchObject({ bm25_rank: 1, vector_rank: 1 });
    expect(hits[0]!.explain!.bm25_terms!.map(({ term }) => term)).toEqual(["birch", "amber"]);
  },
);

it("with whole documents as units a document is one hit, by its best passage", async () => {
  const memory = env.MEMORY.getByName("t/document-unit");
  await memory.configure({ ...NAMESPACE_DEFAULTS, bm25_unit: "document" });
  await store(memory, [prepared("a", "birch\namber amber\ncedar"), prepared("b", "amber")]);
  for (const mode of MODES) {
    const hits = await hitsOf(memory, asking("amber", { mode }));
    expect(hits.map((hit) => hit.passage_id).sort()).toEqual(["a#1", "b#0"]);
  }
});

it("what BM25 counts is fixed once documents are stored; other options may change", async () => {
  const memory = env.MEMORY.getByName("t/options");
  const options = { ...NAMESPACE_DEFAULTS, bm25_unit: "document", k1: 0.9, b: 0.4 } as const;
  await memory.configure(options);
  await store(memory, [prepared("a", "amber")]);
  await memory.configure(options);
  expect(await memory.options()).toEqual(options);
  const other = { ...options, bm25_unit: "passage" } as const;
  expect(await codeFrom(memory.configure(other))).toBe("conflict");
  await memory.configure({ ...options, b: 0.5 });
  expect(await memory.options()).toEqual({ ...options, b: 0.5 });
});

it("pages of the list and of the export lead through everything once", async () => {
  const memory = await made(env.MEMORY, "t/pages");
  const ids = Array.from({ length: 23 }, (_, i) => `document ${i}`);
  await store(
    memory,
    ids.map((id) => prepared(id, "amber")),
  );
  for (const page of ["list", "export"] as const) {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { documents, cursor: next }: { documents: { id: string }[]; cursor: string | null } =
        await memory[page](cursor, 5);
      seen.push(...documents.map(({ id }) => id));
      cursor = next;
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    expect(await codeFrom(memory[page]("garbage", 5))).toBe("invalid_request");
  }
});

it("a document of the largest size, at three bytes a character, is stored and found", async () => {
  const memory = await made(env.MEMORY, "t/large");
  const text = "東".repeat(DOCUMENT_CHARS_MAX);
  const vector = quantizeVector(embedWords("large"));
  const passages = [passage(0, 1_000, vector), passage(1_000, 2_000, vector)];
  await store(memory, [{ ...prepared("large", ""), text, passages }]);
  expect((await memory.get("large"))?.text).toBe(text);
  expect(await found(memory, "東")).toEqual(["large", "large"]);
});

it("an export gives back what was submitted, in pages that fit a reply", async () => {
  const memory = await made(env.MEMORY, "t/export");
  const half = EXPORT_PAGE_CHARS_MAX / 8;
  const vector = quantizeVector(embedWords("given"));
  const rest = { title: "T", metadata: { n: [1, { deep: null }] }, expires_at: 4e12 };
  await store(memory, [
    prepared("a", "amber", { ...rest, brought: true, passages: [passage(0, 5, vector)] }),
    ...Array.from({ length: 20 }, (_, i) => ({ ...prepared(`${i}`, "x"), text: "y".repeat(half) })),
  ]);
  const { documents, cursor } = await memory.export(null);
  expect(documents[0]).toEqual({
    ...{ id: "a", text: "amber", ...rest, time: 0, content_type: "text/plain" },
    embedding: Float32Array.from(vector.qs, (q) => q * vector.scale),
  });
  expect(documents.length).toBeLessThan(12);
  const next = await memory.export(cursor);
  expect(next.documents[0]).toMatchObject({ id: `${documents.length - 1}`, embedding: null });
});

it("compacting changes no result and forgets unused terms", async () => {
  const memory = await made(env.MEMORY, "t/compact");
  await store(memory, [prepared("a", "amber birch"), prepared("b", "birch cedar")]);
  await memory.remove(["a"]);
  const before = await hitsOf(memory, asking("amber birch cedar"));
  expect(await memory.compact()).toMatchObject({ documents: 1, terms: 2 });
  expect(await hitsOf(memory, asking("amber birch cedar"))).toEqual(before);
  await store(memory, [prepared("c", "delta amber")]);
  await evictDurableObject(memory);
  expect(await found(memory, "delta")).toEqual(["c"]);
  expect(await found(memory, "amber")).toEqual(["c"]);
});

it("a namespace that nobody made is not found, and the asking leaves nothing behind", async () => {
  const memory = env.MEMORY.getByName("t/unmade");
  expect(await codeFrom(hitsOf(memory, asking("amber")))).toBe("namespace_not_found");
  expect(await codeFrom(store(memory, [prepared("a", "amber")]))).toBe("namespace_not_found");
  expect(await codeFrom(memory.stats())).toBe("namespace_not_found");
  const tables = await runInDurableObject(memory, (_, { storage }) =>
    storage.sql
      .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'")
      .toArray(),
  );
  expect(tables).toEqual([]);
});

it("a destroyed memory is gone, keeps no options and can be made again", async () => {
  const memory = env.MEMORY.getByName("t/destroyed");
  await memory.configure({ ...NAMESPACE_DEFAULTS, bm25_unit: "document", k1: 2, b: 0 });
  await store(memory, [prepared("a", "amber", { expires_at: Date.now() + 3_600_000 })]);
  await memory.destroy();
  expect(await codeFrom(memory.stats())).toBe("namespace_not_found");
  await memory.configure(NAMESPACE_DEFAULTS);
  expect(await memory.stats()).toMatchObject({ documents: 0, passages: 0, terms: 0, avgdl: 0 });
  await store(memory, [prepared("b", "amber")]);
  expect(await found(memory, "amber")).toEqual(["b"]);
});

it("an empty memory, an empty query and a document without passages are no errors", async () => {
  const memory = await made(env.MEMORY, "t/empty");
  for (const mode of MODES) expect(await hitsOf(memory, asking("amber", { mode }))).toEqual([]);
  await store(memory, [prepared("blank", "\n"), prepared("a", "amber")]);
  expect(await found(memory, "")).toEqual([]);
  expect(await hitsOf(memory, asking("", { mode: "vector" }))).toHaveLength(1);
});

it("storage of a newer schema is refused", async () => {
  const memory = await made(env.MEMORY, "t/newer");
  await store(memory, [prepared("a", "amber")]);
  await runInDurableObject(memory, (_, state) => {
    state.storage.sql.exec("UPDATE meta SET value = '99' WHERE name = 'schema'");
  });
  await evictDurableObject(memory);
  await expect(async () => memory.get("a")).rejects.toThrow("schema 99");
});
