import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { Codebook } from "../../index/pq.ts";
import {
  cosineOf,
  type QuantizedVector,
  quantizeQuery,
  quantizeVector,
} from "../../index/vectors.ts";
import { xorshift32 } from "../../index/xorshift.ts";
import {
  ARCHIVE_PART_WIDTH,
  ARCHIVE_ROWS_STEP,
  ARCHIVE_VECTORS_MIN,
  PQ_SAMPLE_MAX,
  SEAL_PASSAGES,
} from "../../src/limits.ts";
import { Shard } from "../../src/memory/shard.ts";
import type { CandidateRequest, Change } from "../../src/memory/shard-types.ts";
import { decodePart, encodePart, sha256 } from "../../src/memory/snapshot-format.ts";
import { NAMESPACE_DEFAULTS, type PreparedDocument } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { passage, prepared, store } from "./documents.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = 10;
const WORDS = "amber birch cedar dune ember fjord grove heath".split(" ");
/** Few enough dimensions that a training takes no time. */
const DIM = 32;
const SEALED = 1_500;
/** One in so many documents brought its embedding. */
const BROUGHT = 10;

/** A unit vector of one of eight directions with noise. */
function vectorOf(seed: number, dim = DIM): Float32Array {
  const next = xorshift32(seed * 7_919 + 1);
  const direction = xorshift32((seed % WORDS.length) + 1);
  const vector = Float32Array.from({ length: dim }, () => {
    return (direction() / 2 ** 32 - 0.5) * 2 + (next() / 2 ** 32 - 0.5);
  });
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

function documentOf(n: number, dim = DIM): PreparedDocument {
  const text = `${WORDS[n % WORDS.length]} ${WORDS[(n >> 3) % WORDS.length]} number ${n}`;
  const vector = quantizeVector(vectorOf(n, dim));
  const passages = [passage(0, text.length, vector)];
  return prepared(`d${n}`, text, { passages, brought: n % BROUGHT === 0 });
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

interface Tested {
  shard: Shard;
  sql: SqlStorage;
  /** The clock. */
  at: { now: number };
  /** Another shard over the same tables, as when the object woke. */
  reopen(): Shard;
}

/** A shard with options, all of it sealed in segments of 500. */
async function withShard<T>(name: string, test: (tested: Tested) => T): Promise<T> {
  const stub = env.MEMORY.getByName(`archive/${name}`);
  return runInDurableObject(stub, (_, { storage }) => {
    const at = { now: 1_000 };
    const settings = { sealPassages: 500, mergeFan: 100, now: () => at.now };
    const reopen = () => new Shard(storage, kernels, settings);
    const shard = reopen();
    shard.configure({ ...NAMESPACE_DEFAULTS, archive_after_days: DAYS });
    return test({ shard, sql: storage.sql, at, reopen });
  });
}

const upsert = (row: number, document: PreparedDocument): Change => {
  return { kind: "upsert", row, document, if_version: null };
};

/** Stores documents 1 to `count`, each at the row of its number, and seals what it can. */
function fill(shard: Shard, count: number, dim = DIM, from = 1): void {
  for (let n = from; n <= count; n += 500) {
    shard.apply(
      range(n, Math.min(n + 500, count + 1)).map((row) => upsert(row, documentOf(row, dim))),
    );
    maintain(shard, 3);
  }
}

function maintain(shard: Shard, steps: number): void {
  for (let step = 0; step < steps; step++) shard.maintain();
}

/** Maintains until nothing is due; how many steps that took. */
function settle(shard: Shard, now: number): number {
  for (let steps = 0; steps < 1_000; steps++) {
    const due = shard.dueAt();
    if (due === null || due > now) return steps;
    shard.maintain();
  }
  throw new Error("it is never done");
}

function archived({ shard, at }: Tested): void {
  at.now = 1_000 + DAYS * DAY_MS;
  settle(shard, at.now);
}

const isBrought = (n: number) => n % BROUGHT === 0;
const MADE = range(1, SEALED + 1).filter((n) => !isBrought(n));

/** The codebook that the shard must have come to, trained anew on what it had. */
const trained = (made: readonly number[]) => {
  const vectors = made.map((n) => documentOf(n).passages[0]!.vector);
  return Codebook.train(vectors, DIM / ARCHIVE_PART_WIDTH);
};

function search(shard: Shard, vector: Float32Array, rest: Partial<CandidateRequest> = {}) {
  const terms = [{ term: "amber", qtf: 1 }];
  const statistics = shard.statistics(["amber"]);
  const depths = { bm25Depth: 50, vectorDepth: 4_000, explain: false, times: false };
  const request = { mode: "hybrid" as const, terms, filter: null, vector, statistics };
  const list = shard.candidates({ ...request, ...depths, ...rest });
  return Array.from(list.row, (row, i) => {
    return { row, bm25: list.bm25[i]!, cosine: list.cosine[i]!, estimate: list.estimate[i]! };
  }).sort((a, b) => a.row - b.row);
}

const vectorsOf = (shard: Shard) =>
  new Map(
    shard.copyPage(0, 0, 1_000).documents.map(({ row, document }) => {
      return [row, document.passages[0]!] as const;
    }),
  );

it("vectors are archived only where that is asked for, and once they are cold", async () => {
  await withShard("asked", (tested) => {
    const { shard, at } = tested;
    shard.configure(NAMESPACE_DEFAULTS);
    fill(shard, SEALED + 20);
    at.now = 1_000 + 1_000 * DAY_MS;
    expect(shard.dueAt()).toBe(null);
    at.now = 1_000;
    shard.configure({ ...NAMESPACE_DEFAULTS, archive_after_days: DAYS });
    expect(shard.dueAt()).toBe(1_000 + DAYS * DAY_MS);
    at.now = 999 + DAYS * DAY_MS;
    maintain(shard, 50);
    expect(shard.stats().archived_passages).toBe(0);
    archived(tested);
    expect(shard.dueAt()).toBe(null);
    // The 20 that no segment holds stay, and what was brought.
    expect(shard.stats()).toMatchObject({ archived_passages: MADE.length, memtable_passages: 20 });
    for (const [row, { vector, codebook }] of vectorsOf(shard)) {
      const cold = row <= SEALED && !isBrought(row);
      expect(codebook !== undefined).toBe(cold);
      if (!cold) expect(vector).toEqual(documentOf(row).passages[0]!.vector);
    }
    shard.configure(NAMESPACE_DEFAULTS);
    expect(shard.stats().archived_passages).toBe(MADE.length);
    expect(shard.dueAt()).toBe(null);
  });
});

it("a search equals one by brute force over what the codebook decodes", async () => {
  await withShard("search", (tested) => {
    const { shard, reopen } = tested;
    fill(shard, SEALED + 20);
    const query = vectorOf(77_777);
    const before = search(shard, query);
    archived(tested);
    const codebook = trained(MADE);
    expect(shard.copyPage(0, 0, 1_000).codebooks).toEqual([codebook.bytes()]);
    const stored = (n: number): QuantizedVector => {
      const { vector } = documentOf(n).passages[0]!;
      return n > SEALED || isBrought(n) ? vector : codebook.decode(codebook.encode(vector));
    };
    const expected = before.map((candidate) => {
      return { ...candidate, cosine: cosineOf(quantizeQuery(query), stored(candidate.row)) };
    });
    expect(expected.length).toBe(SEALED + 20);
    expect(expected.filter(({ cosine }, i) => cosine !== before[i]!.cosine).length).toBeGreaterThan(
      MADE.length * 0.9,
    );
    for (const each of [shard, reopen()]) expect(search(each, query)).toEqual(expected);
    const passages = [...vectorsOf(shard).keys()];
    for (const shown of shard.show({ passages, vectors: true, neighbours: 0 })) {
      const { qs, scale } = stored(Number(shown.document_id.slice(1)));
      expect(shown.vector).toEqual(Float32Array.from(qs, (q) => q * scale));
    }
  });
});

it("an archive that an object's end interrupts goes on, and comes to the same", async () => {
  const whole = await withShard("whole", (tested) => {
    fill(tested.shard, SEALED);
    archived(tested);
    return tested.shard.copyPage(0, 0, 1_000);
  });
  await withShard("interrupted", ({ shard, at, reopen }) => {
    fill(shard, SEALED);
    at.now = 1_000 + DAYS * DAY_MS;
    maintain(shard, 4); // in the midst of training
    let again = reopen();
    const parts = DIM / ARCHIVE_PART_WIDTH;
    maintain(again, 1 + parts);
    expect(again.stats().archived_passages).toBe(0);
    maintain(again, 1);
    const { archived_passages } = again.stats();
    expect(archived_passages).toBe(ARCHIVE_ROWS_STEP * (1 - 1 / BROUGHT));
    again = reopen();
    expect(settle(again, at.now)).toBe(SEALED / ARCHIVE_ROWS_STEP - 1);
    expect(again.stats().archived_passages).toBe(MADE.length);
    expect(again.copyPage(0, 0, 1_000)).toEqual(whole);
  });
});

it("copies and patched documents lose nothing more, and a new text is whole", async () => {
  const source = await withShard("source", (tested) => {
    const { shard } = tested;
    fill(shard, SEALED);
    archived(tested);
    const before = vectorsOf(shard).get(1)!;
    const patch = { metadata: { seen: true } };
    shard.apply([{ kind: "patch", row: 5_000, id: "d1", patch, if_version: null }]);
    const patched = shard.copyPage(4_999, 0, 1).documents[0]!.document;
    expect(patched).toMatchObject({ metadata: { seen: true }, passages: [before] });
    expect(before.codebook).toBeDefined();
    shard.apply([upsert(5_001, documentOf(2))]);
    const { passages } = shard.copyPage(5_000, 0, 1).documents[0]!.document;
    expect(passages).toEqual(documentOf(2).passages);
    expect(shard.stats().archived_passages).toBe(MADE.length - 1);
    const second = shard.copyPage(1_001, 0, 1_000);
    return { pages: [shard.copyPage(0, 0, 1_000), second], query: search(shard, vectorOf(9)) };
  });
  let { pages } = source;
  for (const name of ["copy", "copy of the copy"])
    pages = await withShard(name, async (tested) => {
      const { shard, reopen } = tested;
      for (const page of pages) {
        const bytes = await encodePart(page);
        const counts = { documents: page.documents.length, removed: 0 };
        const part = { shard: 0, bytes: bytes.length, sha256: await sha256(bytes), ...counts };
        const decoded = await decodePart(bytes, part);
        expect(decoded.codebooks).toEqual(page.codebooks);
        shard.adopt({
          ...decoded,
          documents: decoded.documents.filter(({ row }) => row > shard.lastRow),
        });
      }
      const cosines = (found: typeof source.query) => found.map(({ row, cosine }) => [row, cosine]);
      for (const each of [shard, reopen()]) {
        expect(each.stats().archived_passages).toBe(MADE.length - 1);
        expect(cosines(search(each, vectorOf(9)))).toEqual(cosines(source.query));
      }
      archived(tested); // finds nothing that it would have to train for
      const copied = [shard.copyPage(0, 0, 1_000), shard.copyPage(1_001, 0, 1_000)];
      expect(copied).toEqual(pages);
      return copied;
    });
});

it("an archived namespace takes less room, by what its vectors do", async () => {
  const dim = 384;
  await withShard("room", (tested) => {
    const { shard } = tested;
    fill(shard, 2_000, dim);
    const before = shard.stats();
    archived(tested);
    const after = shard.stats();
    expect(after.archived_passages).toBe(1_800);
    const vectors = 1_800 * (4 + dim - dim / ARCHIVE_PART_WIDTH);
    const [codebook] = shard.copyPage(0, 0, 1).codebooks;
    const codebooks = 2 * codebook!.length;
    expect(before.sqlite_bytes - after.sqlite_bytes).toBeGreaterThan((vectors - codebooks) * 0.8);
  });
});

it("too few vectors are not archived, until there are enough", async () => {
  await withShard("few", (tested) => {
    const { shard, at } = tested;
    fill(shard, 1_000);
    archived(tested);
    expect(shard.stats().archived_passages).toBe(0);
    expect(shard.dueAt()).toBe(null);
    fill(shard, SEALED, DIM, 1_001);
    expect(MADE.length).toBeGreaterThan(ARCHIVE_VECTORS_MIN);
    expect(shard.dueAt()).toBe(at.now + DAYS * DAY_MS);
    at.now += DAYS * DAY_MS;
    settle(shard, at.now);
    expect(shard.stats().archived_passages).toBe(MADE.length);
  });
});

it("a codebook is trained on so many vectors, evenly from all that are cold", async () => {
  await withShard("sample", (tested) => {
    const { shard } = tested;
    const count = 5_000;
    fill(shard, count);
    archived(tested);
    const made = range(1, count + 1).filter((n) => !isBrought(n));
    expect(shard.stats().archived_passages).toBe(made.length);
    expect(made.length).toBeGreaterThan(PQ_SAMPLE_MAX);
    const step = made.length / PQ_SAMPLE_MAX;
    const sample = Array.from({ length: PQ_SAMPLE_MAX }, (_, i) => made[Math.floor(i * step)]!);
    expect(shard.copyPage(0, 0, 1).codebooks).toEqual([trained(sample).bytes()]);
  });
});

it("a damaged codebook is repaired from its other copy, and else its vectors are lost", async () => {
  await withShard("damage", (tested) => {
    const { shard, sql, at, reopen } = tested;
    fill(shard, SEALED);
    archived(tested);
    const query = vectorOf(5);
    const expected = search(shard, query);
    const damage = (copy: number) =>
      sql.exec("UPDATE codebooks SET bytes = zeroblob(length(bytes)) WHERE copy = ?", copy);
    damage(0);
    expect(search(reopen(), query)).toEqual(expected);
    damage(1);
    expect(search(reopen(), query)).toEqual(expected);
    damage(0);
    damage(1);
    const lost = reopen();
    const found = search(lost, query);
    expect(found.map(({ row, bm25 }) => [row, bm25])).toEqual(
      expected.map(({ row, bm25 }) => [row, bm25]),
    );
    for (const [i, { row, cosine }] of found.entries())
      expect(cosine).toBe(isBrought(row) ? expected[i]!.cosine : 0);
    expect(lost.stats()).toMatchObject({
      archived_passages: MADE.length,
      lost_vectors: MADE.length,
    });
    // Terms are found as before, and what gets cold next has a codebook of its own.
    expect(search(lost, query, { mode: "bm25" }).length).toBe(50);
    fill(lost, 3_000, DIM, SEALED + 1);
    at.now += DAYS * DAY_MS;
    settle(lost, at.now);
    const later = range(SEALED + 1, 3_001).filter((n) => !isBrought(n));
    expect(lost.stats().archived_passages).toBe(MADE.length + later.length);
    expect(lost.copyPage(2_000, 0, 1_000).codebooks).toEqual([trained(later).bytes()]);
  });
});

it("a shard whose vectors are lost wakes, is copied and takes the documents again", async () => {
  const pages = await withShard("lost", (tested) => {
    const { shard, sql, reopen } = tested;
    fill(shard, SEALED);
    archived(tested);
    shard.apply([
      { kind: "patch", row: 5_000, id: "d1", patch: { metadata: { n: 1 } }, if_version: null },
    ]);
    expect(shard.find(["d1", "d10"])).toMatchObject([{ lost: false }, { lost: false }]);
    sql.exec("UPDATE codebooks SET bytes = zeroblob(length(bytes))");
    sql.exec("UPDATE segment_parts SET bytes = zeroblob(length(bytes)) WHERE number > 3000");
    const lost = reopen(); // which makes the segments anew, and has d1 in its memtable
    expect(lost.find(["d2", "d10", "none"])).toMatchObject([{ lost: true }, { lost: false }, null]);
    const { rebuilt, lost_vectors } = lost.stats();
    expect([rebuilt > 0, lost_vectors]).toEqual([true, MADE.length]);
    expect(search(lost, vectorOf(5), { mode: "bm25" }).length).toBe(50);
    lost.apply([
      { kind: "patch", row: 5_001, id: "d1", patch: { metadata: { n: 2 } }, if_version: null },
      upsert(5_002, documentOf(2)),
    ]);
    expect(lost.find(["d1", "d2"])).toMatchObject([{ lost: true }, { lost: false }]);
    expect(lost.stats().lost_vectors).toBe(MADE.length - 1);
    return [lost.copyPage(0, 0, 1_000), lost.copyPage(1_002, 0, 1_000)];
  });
  expect(pages.map(({ codebooks, end }) => [codebooks.length, end])).toEqual([
    [0, false],
    [0, true],
  ]);
  await withShard("lost copy", ({ shard, reopen }) => {
    for (const page of pages) shard.adopt(page);
    for (const each of [shard, reopen()]) {
      expect(each.stats()).toMatchObject({ documents: SEALED, lost_vectors: MADE.length - 1 });
      const cosines = search(each, vectorOf(5)).map(({ row, cosine }) => [row, cosine !== 0]);
      expect(cosines).toContainEqual([5_002, true]);
      expect(cosines).toContainEqual([3, false]);
    }
    for (const n of MADE.slice(2)) shard.apply([upsert(6_000 + n, documentOf(n))]);
    shard.apply([upsert(9_000, documentOf(1))]);
    expect(shard.stats()).toMatchObject({ lost_vectors: 0, archived_passages: 0 });
  });
});

it("an object archives by its alarm, from the moment that its options say so", async () => {
  const memory = env.MEMORY.getByName("archive/object");
  await memory.configure(NAMESPACE_DEFAULTS);
  const documents = range(1, SEAL_PASSAGES + 1).map((n) => documentOf(n));
  for (let at = 0; at < documents.length; at += 1_024)
    await store(memory, documents.slice(at, at + 1_024));
  const alarms = async () => {
    for (let run = 0; await runDurableObjectAlarm(memory); run++) expect(run).toBeLessThan(100);
  };
  await alarms();
  expect(await memory.stats()).toMatchObject({ archived_passages: 0, shards: [{ segments: 1 }] });
  await memory.configure({ ...NAMESPACE_DEFAULTS, archive_after_days: 1e-9 });
  await alarms();
  const made = documents.filter(({ brought }) => !brought).length;
  const after = await memory.stats();
  expect(after).toMatchObject({ archived_passages: made, shards: [{ archived_passages: made }] });
});

it("tables from before the archive are brought up to date", async () => {
  await withShard("schema-2", ({ shard, sql, reopen }) => {
    shard.apply([upsert(1, documentOf(1))]);
    sql.exec("DROP INDEX passages_by_codebook");
    sql.exec("ALTER TABLE passages DROP COLUMN codebook");
    sql.exec("DROP TABLE codebooks");
    sql.exec("UPDATE meta SET value = '2' WHERE name = 'schema'");
    const migrated = reopen();
    expect(vectorsOf(migrated).get(1)).toEqual(documentOf(1).passages[0]);
    expect(migrated.stats().archived_passages).toBe(0);
  });
});
