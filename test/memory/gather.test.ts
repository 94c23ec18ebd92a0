/** The tree over shards, on shards of plain arrays: no storage, no index. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { codeOf, ServiceError } from "../../src/errors.ts";
import { SHARD_FANOUT, SHARDS_MAX } from "../../src/limits.ts";
import {
  type GatherNode,
  gather,
  groupsOf,
  type Leaf,
  type SearchedShard,
  ShardGatherer,
} from "../../src/memory/gather.ts";
import { mergeCandidates } from "../../src/memory/merge-candidates.ts";
import type {
  CandidateList,
  CandidateRequest,
  ShownPassage,
} from "../../src/memory/shard-types.ts";

const seed = 20261124;
const DEADLINE_MS = 60_000;

interface FakeUnit {
  row: number;
  seq: number;
  bm25: number;
  estimate: number;
}

function asking(depth: number, mode: CandidateRequest["mode"] = "hybrid"): CandidateRequest {
  const statistics = { units: 0, lengthSum: 0, df: [] };
  const terms = [{ term: "a", qtf: 1 }];
  const depths = { bm25Depth: depth, vectorDepth: depth, times: true };
  return { mode, terms, vector: null, filter: null, ...depths, statistics, explain: true };
}

/** The list of one shard that holds all units, cut by the contract: what merging must come to. */
function listOf(units: readonly FakeUnit[], request: CandidateRequest): CandidateList {
  const best = (score: (unit: FakeUnit) => number, depth: number) =>
    [...units]
      .sort((a, b) => score(b) - score(a) || a.row - b.row || a.seq - b.seq)
      .slice(0, depth);
  const held = (unit: FakeUnit) => (unit.bm25 > 0 ? unit.bm25 : Number.NEGATIVE_INFINITY);
  const lexical = best(held, request.bm25Depth).filter(({ bm25 }) => bm25 > 0);
  const estimated = best(({ estimate }) => estimate, request.vectorDepth);
  const kept = [...new Set([...lexical, ...estimated])];
  return {
    passage: Float64Array.from(kept, ({ row, seq }) => row * 10 + seq),
    row: Float64Array.from(kept, ({ row }) => row),
    seq: Uint32Array.from(kept, ({ seq }) => seq),
    bm25: Float64Array.from(kept, ({ bm25 }) => bm25),
    lexical: Uint8Array.from(kept, (unit) => Number(lexical.includes(unit))),
    estimate: Float32Array.from(kept, (unit) =>
      estimated.includes(unit) ? unit.estimate : Number.NaN,
    ),
    cosine: Float32Array.from(kept, ({ estimate }) => estimate / 2),
    time: Float64Array.from(kept, ({ row }) => row * 1_000),
    shard: new Uint16Array(kept.length),
    tfs: Uint32Array.from(kept, ({ row }) => row % 3),
    lengths: Uint32Array.from(kept, ({ row }) => row % 7),
    timings_ms: { bm25: 1 },
  };
}

/** A list's candidates by (row, seq), with the shard left out. */
function asRows(list: CandidateList) {
  const rows = Array.from(list.row, (row, i) => ({
    ...{ row, seq: list.seq[i], passage: list.passage[i], bm25: list.bm25[i] },
    ...{ lexical: list.lexical[i], estimate: list.estimate[i], cosine: list.cosine[i] },
    ...{ time: list.time[i], tf: list.tfs![i], length: list.lengths![i] },
  }));
  return rows.sort((a, b) => a.row - b.row || a.seq! - b.seq!);
}

/** Few different scores, so that many tie. */
const units = fc
  .uniqueArray(fc.tuple(fc.nat(40), fc.nat(2)), { selector: String, maxLength: 60 })
  .chain((places) =>
    fc.tuple(
      fc.constant(places),
      fc.array(fc.tuple(fc.nat(4), fc.nat(4)), {
        minLength: places.length,
        maxLength: places.length,
      }),
    ),
  )
  .map(([places, scores]) =>
    places.map(([row, seq], i): FakeUnit => {
      return { row, seq, bm25: scores[i]![0] / 2, estimate: scores[i]![1] / 4 };
    }),
  );

it("merged lists are what one shard with everything would give, in any grouping and order", () => {
  const split = fc.array(fc.nat(6), { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(units, split, fc.integer({ min: 1, max: 12 }), (all, shardOf, depth) => {
      const request = asking(depth);
      const lists = Array.from({ length: 7 }, (_, shard) =>
        listOf(
          all.filter(({ row }) => shardOf[row] === shard),
          request,
        ),
      );
      const expected = asRows(listOf(all, request));
      expect(asRows(mergeCandidates(lists, request))).toEqual(expected);
      const [a, b, c, ...rest] = lists as [CandidateList, CandidateList, CandidateList];
      const merge = (...some: CandidateList[]) => mergeCandidates(some, request);
      expect(asRows(merge(merge(a, b), merge(...rest, c)))).toEqual(expected);
      expect(asRows(merge(merge(...rest), merge(c, merge(b, a))))).toEqual(expected);
    }),
    { seed },
  );
});

it("groups are neighbours, none empty, and sizes differ by at most one", () => {
  for (let n = 0; n <= 100; n++) {
    const items = Array.from({ length: n }, (_, i) => i);
    const groups = groupsOf(items, SHARD_FANOUT);
    expect(groups.flat()).toEqual(items);
    expect(groups).toHaveLength(Math.min(n, SHARD_FANOUT));
    const sizes = groups.map(({ length }) => length);
    if (n > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  }
});

/** A namespace of n objects, of which some never answer or throw; it sees how many calls a node has
 *  under way and how deep they go. */
class FakeTree {
  readonly leaves: Leaf[];
  readonly failing = new Map<string, () => Promise<never>>();
  widest = 0;
  deepest = 0;

  constructor(n: number) {
    this.leaves = Array.from({ length: n }, (_, shard) => ({ shard, object: `s${shard}` }));
  }

  node(object: string | null, level = 0): GatherNode {
    let calls = 0;
    this.deepest = Math.max(this.deepest, level);
    return {
      object,
      shard: () => fakeShard(Number(object!.slice(1))),
      ask: async (other, leaves, question, deadlineMs) => {
        this.widest = Math.max(this.widest, ++calls);
        const fail = this.failing.get(other);
        if (fail !== undefined) return fail();
        expect(leaves[0]!.object).toBe(other);
        const answer = await gather(this.node(other, level + 1), leaves, question, deadlineMs);
        calls -= 1;
        return answer;
      },
    };
  }

  gatherer(partial: boolean, deadlineMs = DEADLINE_MS): ShardGatherer {
    return new ShardGatherer(this.node(null), this.leaves, partial, deadlineMs);
  }
}

/** Holds one unit: row and scores tell of its number. */
function fakeShard(n: number): SearchedShard {
  return {
    statistics: (terms) => ({ units: 1, lengthSum: n, df: terms.map((_, i) => n * i) }),
    candidates: (request) => {
      if (request.vector?.length === 3) throw new ServiceError("invalid_request", "wrong size");
      return listOf([{ row: n, seq: 0, bm25: n + 1, estimate: n }], request);
    },
    show: ({ passages }) => passages.map((passage) => ({ passage, seq: n }) as ShownPassage),
  };
}

it.each([1, 2, 6, 7, 8, 36, SHARDS_MAX])(
  "%i shards answer as one, through at most two levels of six calls a node",
  async (n) => {
    const tree = new FakeTree(n);
    const gatherer = tree.gatherer(false);
    const statistics = await gatherer.statistics(["x", "y"]);
    const sum = (n * (n - 1)) / 2;
    expect(statistics).toEqual({ units: n, lengthSum: sum, df: [0, sum] });
    const list = await gatherer.candidates(asking(1_000));
    expect([...list.row]).toEqual(tree.leaves.map(({ shard }) => shard));
    expect([...list.shard]).toEqual([...list.row]);
    const wanted = [n - 1, 0, n - 1].map((shard, i) => {
      const request = { passages: [i, i + 1], vectors: false, neighbours: 0 };
      return { shard, request };
    });
    const shown = await gatherer.show(wanted);
    expect(shown.map((one) => [one!.passage, one!.seq])).toEqual([
      ...[
        [0, n - 1],
        [1, n - 1],
        [1, 0],
      ],
      ...[
        [2, 0],
        [2, n - 1],
        [3, n - 1],
      ],
    ]);
    expect(tree.widest).toBeLessThanOrEqual(SHARD_FANOUT);
    expect(tree.deepest).toBe(n <= SHARD_FANOUT ? 1 : 2);
    expect(gatherer.partial).toBeNull();
  },
);

it("a shard that throws is an error, or with partial results missing and marked", async () => {
  for (const lost of ["s0", "s9", "s19"]) {
    const tree = new FakeTree(20);
    tree.failing.set(lost, () => Promise.reject(new Error("it is gone")));
    const failure = await tree
      .gatherer(false)
      .statistics(["x"])
      .catch((error) => error);
    expect(codeOf(failure)).toBe("shard_unavailable");
    expect(failure.message).toContain("1 of 20");
    const gatherer = tree.gatherer(true);
    const statistics = await gatherer.statistics(["x"]);
    expect(statistics.units).toBe(19);
    const list = await gatherer.candidates(asking(1_000));
    const others = tree.leaves.filter(({ object }) => object !== lost);
    expect([...list.shard]).toEqual(others.map(({ shard }) => shard));
    expect(gatherer.partial).toEqual({ shards: 20, missing: 1 });
    expect(gatherer.lost).toBe(0);
  }
});

it("a shard that does not answer in time is missed with its group", async () => {
  const tree = new FakeTree(20);
  tree.failing.set("s3", () => new Promise<never>(() => {}));
  const gatherer = tree.gatherer(true, 1);
  const { units } = await gatherer.statistics(["x"]);
  expect(units).toBeLessThan(20);
  expect(gatherer.partial).toEqual({ shards: 20, missing: 20 - units });
  expect(
    codeOf(
      await tree
        .gatherer(false, 1)
        .statistics([])
        .catch((error) => error),
    ),
  ).toBe("shard_unavailable");
});

it("what is the request's fault is thrown as it is, partial results or not", async () => {
  for (const partial of [false, true]) {
    const request = { ...asking(10), vector: new Float32Array(3) };
    const failure = await new FakeTree(20)
      .gatherer(partial)
      .candidates(request)
      .catch((error) => error);
    expect(codeOf(failure)).toBe("invalid_request");
  }
});
