import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { cosineOf, type QuantizedVector, quantizeQuery } from "../../index/vectors.ts";
import {
  ARCHIVE_PART_WIDTH,
  ARCHIVE_ROWS_STEP,
  ARCHIVE_VECTORS_MIN,
  PQ_SAMPLE_MAX,
  SEAL_PASSAGES,
} from "../../src/limits.ts";
import { decodePart, encodePart, sha256 } from "../../src/memory/snapshot-format.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import {
  archived,
  BROUGHT,
  DAY_MS,
  DAYS,
  DIM,
  documentOf,
  fill,
  isBrought,
  MADE,
  maintain,
  range,
  SEALED,
  search,
  settle,
  trained,
  upsert,
  vectorOf,
  vectorsOf,
  withShard,
} from "./archiving.ts";
import { store } from "./documents.ts";

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
