/** Passages that say the same are found once; brute force in shard-random.test.ts has the rest. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { Filter } from "../../index/filter.ts";
import { Shard } from "../../src/memory/shard.ts";
import type { ShardSettings } from "../../src/memory/shard-settings.ts";
import type { Change } from "../../src/memory/shard-types.ts";
import { NAMESPACE_DEFAULTS, type PreparedDocument } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { prepared } from "./documents.ts";

const LINK = { ...NAMESPACE_DEFAULTS, near_duplicates: "link" as const };

async function withShard<T>(
  name: string,
  test: (shard: Shard, reopen: () => Shard) => T,
  settings: Partial<ShardSettings> = {},
): Promise<T> {
  const stub = env.MEMORY.getByName(`links/${name}`);
  return runInDurableObject(stub, (_, { storage }) => {
    const reopen = () => new Shard(storage, kernels, { now: () => 1_000, ...settings });
    const shard = reopen();
    shard.configure(LINK);
    return test(shard, reopen);
  });
}

const upsert = (row: number, document: PreparedDocument): Change => {
  return { kind: "upsert", row, document, if_version: null };
};
const remove = (id: string): Change => ({ kind: "remove", id, if_version: null });

/** What a search by one term finds: each passage with those that say the same. */
function found(shard: Shard, term: string, filter: Filter | null = null): string[] {
  const terms = [{ term, qtf: 1 }];
  const statistics = shard.statistics([term]);
  const depths = { bm25Depth: 10, vectorDepth: 10, explain: false, times: false };
  const request = { mode: "bm25" as const, vector: null, filter, terms, statistics, ...depths };
  const { passage, row } = shard.candidates(request);
  const order = Array.from(passage.keys()).sort((a, b) => row[a]! - row[b]!);
  const passages = order.map((i) => passage[i]!);
  return shard
    .show({ passages, vectors: false, neighbours: 0 })
    .map(({ document_id, duplicates }) =>
      [document_id, ...duplicates.map(({ passage_id }) => passage_id)].join(" "),
    );
}

const NOTICE = "The lease ends on 3 May.";
const fill = (shard: Shard) =>
  shard.apply([
    upsert(1, prepared("a", `intro\n${NOTICE}`, { metadata: { lang: "en" } })),
    upsert(2, prepared("b", NOTICE.toUpperCase(), { metadata: { lang: "de" } })),
    upsert(3, prepared("c", `${NOTICE}\nThe lease ends on 4 May.`)),
  ]);

it("a passage that says the same is one hit and one unit, with the others beside it", async () => {
  await withShard("once", (shard, reopen) => {
    fill(shard);
    for (const each of [shard, reopen()]) {
      expect(found(each, "leas")).toEqual(["a b#0 c#0", "c"]);
      expect(each.stats()).toMatchObject({ documents: 3, passages: 5, units: 3 });
      expect(each.get("b")!.text).toBe(NOTICE.toUpperCase());
    }
  });
});

it("a filter finds it through any document that has it, and shows that one", async () => {
  await withShard("filter", (shard) => {
    fill(shard);
    expect(found(shard, "leas", { lang: "en" })).toEqual(["a b#0 c#0"]);
    expect(found(shard, "leas", { lang: "de" })).toEqual(["b a#1 c#0"]);
    expect(found(shard, "leas", { lang: { exists: false } })).toEqual(["c a#1 b#0", "c"]);
  });
});

it("where the original goes the first one linked to it is found, sealed or not", async () => {
  for (const sealPassages of [1, 1_000])
    await withShard(
      `heirs-${sealPassages}`,
      (shard, reopen) => {
        fill(shard);
        shard.maintain();
        shard.apply([remove("a")]);
        expect(found(shard, "leas")).toEqual(["b c#0", "c"]);
        shard.apply([upsert(4, prepared("a", NOTICE)), remove("b")]);
        for (const each of [shard, reopen()]) {
          expect(found(each, "leas")).toEqual(["c a#0", "c"]);
          expect(each.stats().units).toBe(2);
        }
        shard.apply([remove("c"), remove("a")]);
        expect(found(shard, "leas")).toEqual([]);
        expect(reopen().stats()).toMatchObject({ units: 0, passages: 0 });
      },
      { sealPassages },
    );
});

it("a copy links as its source does", async () => {
  const { page, hits } = await withShard("source", (source) => {
    fill(source);
    return { page: source.copyPage(0, 0, 100), hits: found(source, "leas") };
  });
  expect([page.end, hits]).toEqual([true, ["a b#0 c#0", "c"]]);
  await withShard("sink", (sink) => {
    sink.adopt(page);
    expect(found(sink, "leas")).toEqual(hits);
  });
});

it("a copy links what its source does, whatever the option was when each was stored", async () => {
  const copy = (shard: Shard) => [shard.copyPage(0, 0, 2), shard.copyPage(2, 0, 100)];
  const source = await withShard("mixed", (shard) => {
    shard.configure(NAMESPACE_DEFAULTS);
    shard.apply([upsert(1, prepared("kept", NOTICE)), upsert(2, prepared("kept too", NOTICE))]);
    shard.configure(LINK);
    shard.apply([upsert(3, prepared("a", NOTICE)), upsert(4, prepared("b", `?\n${NOTICE}`))]);
    const linking = { pages: copy(shard), hits: found(shard, "leas"), units: shard.stats().units };
    shard.configure(NAMESPACE_DEFAULTS);
    shard.apply([upsert(5, prepared("c", NOTICE))]);
    return [
      linking,
      { pages: copy(shard), hits: found(shard, "leas"), units: shard.stats().units },
    ];
  });
  expect(source.map(({ hits }) => hits)).toEqual([
    ["kept", "kept too", "a b#1"],
    ["kept", "kept too", "a b#1", "c"],
  ]);
  for (const [i, options] of [LINK, NAMESPACE_DEFAULTS].entries())
    await withShard(`mixed-${i}`, (sink, reopen) => {
      sink.configure(options);
      const { pages, hits, units } = source[i]!;
      for (const page of pages) sink.adopt(page);
      for (const each of [sink, reopen()]) {
        expect(found(each, "leas")).toEqual(hits);
        expect(each.stats().units).toBe(units);
      }
      // An heir is one of those that were linked, as in the source.
      sink.apply([remove("a")]);
      expect(found(sink, "leas")).toEqual(["kept", "kept too", "b", ...(i === 1 ? ["c"] : [])]);
    });
});

it("what a changed document said before links nothing any more, sealed or not", async () => {
  for (const sealPassages of [1, 1_000])
    await withShard(
      `changed-${sealPassages}`,
      (shard, reopen) => {
        fill(shard);
        shard.maintain();
        const expectFound = (expected: string[]) => {
          for (const each of [shard, reopen()]) expect(found(each, "leas")).toEqual(expected);
        };
        shard.apply([upsert(4, prepared("b", "The lease ended."))]);
        expectFound(["a c#0", "c", "b"]);
        shard.apply([upsert(5, prepared("a", "The lease began."))]);
        expectFound(["c", "c", "b", "a"]);
        const patch = { metadata: { lang: "fr" } };
        shard.apply([{ kind: "patch", row: 6, id: "c", patch, if_version: null }]);
        shard.apply([upsert(7, prepared("b", NOTICE))]);
        expectFound(["a", "c b#0", "c"]);
      },
      { sealPassages },
    );
});

it("what was stored before stays as it is, and documents as units are refused", async () => {
  await withShard("option", (shard) => {
    shard.configure(NAMESPACE_DEFAULTS);
    shard.apply([upsert(1, prepared("a", NOTICE)), upsert(2, prepared("b", NOTICE))]);
    shard.configure(LINK);
    expect(found(shard, "leas")).toEqual(["a", "b"]);
    shard.apply([upsert(3, prepared("c", NOTICE)), upsert(4, prepared("d", NOTICE))]);
    expect(found(shard, "leas")).toEqual(["a", "b", "c d#0"]);
    expect(() => shard.configure({ ...LINK, bm25_unit: "document" })).toThrow(
      /only where bm25_unit/,
    );
  });
});
