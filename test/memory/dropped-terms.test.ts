/** Terms that nothing has any more are dropped, and nothing is found otherwise for it. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { Shard } from "../../src/memory/shard.ts";
import type { Change } from "../../src/memory/shard-types.ts";
import { NAMESPACE_DEFAULTS, type NamespaceOptions } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { prepared } from "./documents.ts";

const SMALL = { sealPassages: 4, segmentPassagesMax: 24, mergeFan: 3 };
const WORDS = 12;

/** Has words that no other has. */
const text = (i: number) => Array.from({ length: WORDS }, (_, n) => `w${i}x${n}`).join(" ");

function upsert(row: number, id: string, said: string, title: string | null = null): Change {
  return { kind: "upsert", row, document: prepared(id, said, { title }), if_version: null };
}

/** What a term finds: rows, scores and how often it occurs. */
function found(shard: Shard, term: string) {
  const statistics = shard.statistics([term]);
  const depths = { bm25Depth: 10, vectorDepth: 10, explain: true, times: false };
  const rest = { mode: "bm25" as const, vector: null, filter: null, ...depths };
  const { row, bm25, tfs } = shard.candidates({ ...rest, terms: [{ term, qtf: 1 }], statistics });
  return { statistics, row: [...row], bm25: [...bm25], tfs: [...tfs!] };
}

const OPTIONS: [string, Partial<NamespaceOptions>][] = [
  ["passages", {}],
  ["documents", { bm25_unit: "document" }],
  ["passages that are linked", { near_duplicates: "link" }],
];

it.each(OPTIONS)(
  "a document that is replaced again and again leaves few terms behind, units %s",
  async (unit, options) => {
    const stub = env.MEMORY.getByName(`dropped-terms/${unit}`);
    await runInDurableObject(stub, (_, { storage }) => {
      const open = () => new Shard(storage, kernels, { ...SMALL, now: () => 1_000 });
      let shard = open();
      shard.configure({ ...NAMESPACE_DEFAULTS, ...options });
      shard.apply([upsert(1, "stays", `amber ${text(0)}`)]);
      shard.apply([upsert(2, "linked", `amber ${text(0)}`, "elder")]); // its title is no unit's
      const last = 302;
      for (let row = 3; row <= last; row++) {
        shard.apply([upsert(row, "replaced", `amber ${text(row)}`)]);
        shard.maintain();
        if (row % 20 === 0) shard = open();
        expect(shard.stats().terms).toBeLessThan(30 * WORDS);
      }
      const [{ limit }] = storage.sql.exec("SELECT max(id) AS 'limit' FROM terms").toArray() as [
        { limit: number },
      ];
      expect(limit).toBeLessThan(30 * WORDS);
      const terms = ["amber", "elder", "w0x1", `w${last}x1`, `w${last - 1}x1`, "w3x1"];
      const before = terms.map((term) => found(shard, term));
      expect(before.map(({ row }) => row.length)).toEqual(
        unit === "passages that are linked" ? [2, 0, 1, 1, 0, 0] : [3, 1, 2, 1, 0, 0],
      );
      for (const step of [() => undefined, () => shard.compact(), () => shard.compact(true)]) {
        step();
        for (const each of [shard, open()])
          expect(terms.map((term) => found(each, term))).toEqual(before);
      }
      expect(shard.stats().terms).toBe(2 * WORDS + 2);
      shard.apply([{ kind: "remove", id: "stays", if_version: null }]);
      for (const each of [shard, open()]) expect(found(each, "elder").row).toEqual([2]);
    });
  },
);
