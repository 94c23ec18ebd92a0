import { expect, it } from "vitest";
import {
  archived,
  DAY_MS,
  DAYS,
  DIM,
  documentOf,
  fill,
  isBrought,
  MADE,
  range,
  SEALED,
  search,
  settle,
  trained,
  upsert,
  vectorOf,
  withShard,
} from "./archiving.ts";

it("a damaged codebook is repaired from its other copy, else its vectors are lost", async () => {
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
