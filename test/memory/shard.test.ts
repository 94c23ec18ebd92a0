import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { encodeCounts } from "../../index/term-counts.ts";
import { isolateIndexes } from "../../src/memory/budget.ts";
import { MIGRATIONS } from "../../src/memory/migrations.ts";
import { Shard } from "../../src/memory/shard.ts";
import type { ShardSettings } from "../../src/memory/shard-settings.ts";
import type { Change, ChangeOutcome } from "../../src/memory/shard-types.ts";
import { vectorBytes } from "../../src/memory/sql.ts";
import { NAMESPACE_DEFAULTS, type PreparedDocument } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { prepared } from "./documents.ts";

/** Runs a test over the shard of an object of its own. */
async function withShard<T>(
  name: string,
  test: (shard: Shard, reopen: () => Shard) => T,
  settings: Partial<ShardSettings> = {},
): Promise<T> {
  const stub = env.MEMORY.getByName(`shard/${name}`);
  return runInDurableObject(stub, (_, { storage }) => {
    const reopen = () => new Shard(storage, kernels, { now: () => 1_000, ...settings });
    const shard = reopen();
    shard.configure(NAMESPACE_DEFAULTS);
    return test(shard, reopen);
  });
}

function upsert(row: number, document: PreparedDocument, if_version: number | null = null): Change {
  return { kind: "upsert", row, document, if_version };
}

/** What a change came to, in short. */
const brief = (outcomes: ChangeOutcome[]) =>
  outcomes.map(({ status, version, error }) => [status, version, error?.code ?? null]);

const ids = (shard: Shard) => shard.list(0, 100).documents.map(({ id }) => id);

/** The documents that a search by terms finds, by row. */
function found(shard: Shard, query: string): string[] {
  const asked = query.split(" ").map((term) => ({ term, qtf: 1 }));
  const statistics = shard.statistics(asked.map(({ term }) => term));
  const depths = { bm25Depth: 10, vectorDepth: 10, explain: false, times: false };
  const rest = { mode: "bm25" as const, vector: null, filter: null, ...depths };
  const list = shard.candidates({ ...rest, terms: asked, statistics });
  const passages = [...list.passage].sort((a, b) => a - b);
  const shown = shard.show({ passages, vectors: false, neighbours: 0 });
  return shown.map(({ document_id, text }) => `${document_id}: ${text}`);
}

it("a version counts a document's changes, and a change for another one is refused", async () => {
  await withShard("versions", (shard) => {
    const a = prepared("a", "amber");
    const patch = { metadata: { n: 1 } };
    const outcomes = shard.apply([
      upsert(1, a, 0),
      upsert(2, a, 0),
      upsert(3, a, 1),
      { kind: "patch", row: 4, id: "a", patch, if_version: 2 },
      { kind: "patch", row: 5, id: "a", patch, if_version: 2 },
      { kind: "patch", row: 6, id: "b", patch, if_version: null },
      { kind: "remove", id: "a", if_version: 7 },
    ]);
    expect(brief(outcomes)).toEqual([
      ["stored", 1, null],
      ["refused", 1, "version_conflict"],
      ["stored", 2, null],
      ["stored", 3, null],
      ["refused", 3, "version_conflict"],
      ["missing", null, null],
      ["refused", 3, "version_conflict"],
    ]);
    expect(shard.find(["a"])).toMatchObject([{ version: 3, row: 4 }]);
    const later = shard.apply([
      { kind: "remove", id: "a", if_version: 3 },
      { kind: "remove", id: "a", if_version: null },
      upsert(7, a),
    ]);
    expect(brief(later)).toEqual([
      ["removed", null, null],
      ["missing", null, null],
      ["stored", 1, null],
    ]);
  });
});

it("a patch sets, keeps and takes out fields, and moves the document to a new row", async () => {
  await withShard("patch", (shard, reopen) => {
    const metadata = { keep: 1, set: 1, gone: 1 };
    const document = prepared("a", "amber\n birch \n", { title: "old", metadata });
    shard.apply([upsert(1, document), upsert(2, prepared("b", "cedar"))]);
    const patch = { metadata: { set: 2, gone: null }, title: "new", expires_at: 5_000 };
    shard.apply([{ kind: "patch", row: 3, id: "a", patch, if_version: null }]);
    for (const each of [shard, reopen()]) {
      expect(each.get("a")).toMatchObject({
        ...{ text: "amber\n birch \n", title: "new", expires_at: 5_000, version: 2 },
        metadata: { keep: 1, set: 2 },
      });
      expect(each.get("a")!.metadata).not.toHaveProperty("gone");
      expect(ids(each)).toEqual(["b", "a"]);
      expect(found(each, "old")).toEqual([]);
      expect(found(each, "new")).toEqual(["a: amber", "a:  birch "]);
    }
  });
});

it("calls of a copy that come late change nothing of a newer one, nor after its end", async () => {
  await withShard("copy-late", (shard, reopen) => {
    const remove = (id: string) => reopen().apply([{ kind: "remove", id, if_version: null }]);
    const removed = () => reopen().copyPage(0, 0, 100).removed;
    shard.apply(["a", "b", "c", "d"].map((id, i) => upsert(i + 1, prepared(id, "amber"))));
    shard.startCopy(1);
    shard.startCopy(2);
    remove("a");
    reopen().endCopy(1);
    reopen().startCopy(1);
    reopen().startCopy(2); // once more: the caller did not hear of the first
    remove("b");
    expect(removed()).toEqual([
      { id: "a", row: 1 },
      { id: "b", row: 2 },
    ]);
    reopen().endCopy(2);
    reopen().startCopy(2);
    remove("c");
    expect(removed()).toEqual([]);
    reopen().endCopy(4);
    reopen().startCopy(3);
    remove("d");
    expect(removed()).toEqual([]);
  });
});

it("a copy in pages, caught up with what happened meanwhile, equals its source", async () => {
  const summaryOf = (shard: Shard) => ({
    everything: shard.copyPage(0, 0, 100),
    statistics: shard.statistics(["amber", "cedar"]),
    found: found(shard, "amber cedar"),
  });
  const { pages, summary } = await withShard("copy-source", (source) => {
    const add = (row: number, id: string, text: string) =>
      source.apply([upsert(row, prepared(id, text, { title: "T" }))]);
    for (let i = 1; i <= 5; i++) add(i, `${i}`, `amber\nword${i}`);
    source.startCopy(1);
    const pages = [source.copyPage(0, 0, 2)];
    const meanwhile = [
      () => add(6, "1", "birch"),
      () => source.apply([{ kind: "remove", id: "2", if_version: null }]),
      () => source.apply([{ kind: "remove", id: "5", if_version: null }]),
      () => add(7, "1", "cedar"),
      () => add(8, "6", "amber"),
    ];
    while (!pages.at(-1)!.end || meanwhile.length > 0) {
      meanwhile.shift()?.();
      pages.push(source.copyPage(pages.at(-1)!.row, pages.at(-1)!.removal, 2));
    }
    source.endCopy(1);
    return { pages, summary: summaryOf(source) };
  });
  expect(summary.everything.documents.map(({ row }) => row)).toEqual([3, 4, 7, 8]);
  expect(summary.everything).toMatchObject({ removed: [], end: true });
  await withShard("copy-sink", (sink, reopen) => {
    for (const page of pages) sink.adopt(page);
    for (const each of [sink, reopen()]) expect(summaryOf(each)).toEqual(summary);
  });
});

it("an index too large is memory_full, and nothing of its batch is stored", async () => {
  const bounds = { indexBytesMax: 1_000_000 };
  const test = (shard: Shard) => {
    shard.apply([upsert(1, prepared("a", "amber"))]);
    const large = prepared("c", "cedar ".repeat(80_000));
    const batch = [upsert(2, prepared("b", "birch")), upsert(3, large)];
    expect(() => shard.apply(batch)).toThrow(/would take about 1\.\d MB, the limit is 1\.0 MB/);
    expect(ids(shard)).toEqual(["a"]);
    shard.apply(batch.slice(0, 1));
    expect(found(shard, "birch")).toEqual(["b: birch"]);
  };
  await withShard("full", test, bounds);
});

/** Ways to damage what segments are stored as. */
const DAMAGES: Record<string, (sql: SqlStorage) => void> = {
  "flipped bits": (sql) => {
    for (const { number, bytes } of sql.exec("SELECT * FROM segment_parts").toArray()) {
      const damaged = new Uint8Array((bytes as ArrayBuffer).slice());
      damaged[damaged.length >> 1]! ^= 4;
      sql.exec("UPDATE segment_parts SET bytes = ? WHERE number = ?", damaged.buffer, number!);
    }
  },
  "parts cut short": (sql) =>
    sql.exec("UPDATE segment_parts SET bytes = substr(bytes, 1, length(bytes) - 1)"),
  "parts gone": (sql) => sql.exec("DELETE FROM segment_parts"),
  "parts that follow": (sql) => {
    for (const part of [1, 2])
      sql.exec(`INSERT INTO segment_parts (number, checksum, bytes)
        SELECT number + ${part}, 0, bytes FROM segment_parts WHERE number % 1000 = 0`);
  },
};

it.each(
  (["passage", "document"] as const).flatMap((unit) =>
    Object.entries(DAMAGES).map(([name, damage]) => [name, unit, damage] as const),
  ),
)(
  "an index with %s is made anew from the passages, finds the same and goes, units %ss",
  async (name, bm25_unit, damage) => {
    const stub = env.MEMORY.getByName(`shard/damage ${name} ${bm25_unit}`);
    await runInDurableObject(stub, (_, { storage }) => {
      const open = () => new Shard(storage, kernels, { sealPassages: 4, mergeFan: 100 });
      const shard = open();
      shard.configure({ ...NAMESPACE_DEFAULTS, bm25_unit });
      for (let row = 1; row <= 14; row++) {
        shard.apply([upsert(row, prepared(`${row % 12}`, `amber word${row}\nbirch word${row}`))]);
        shard.maintain();
      }
      const summary = (of: Shard) => [
        found(of, "amber word3 word4 word13"),
        of.statistics(["amber", "birch", "word1", "word13"]),
      ];
      const before = summary(shard);
      expect(open().stats()).toMatchObject({ segments: 7, rebuilt: 0 });
      damage(storage.sql);
      const rebuilt = open();
      expect(summary(rebuilt)).toEqual(before);
      expect(rebuilt.stats().rebuilt).toBe(7);
      expect(summary(open())).toEqual(before);
      expect(open().stats().rebuilt).toBe(7);
      rebuilt.destroy(); // what a cursor still reads could not be dropped
    });
  },
);

it("a term that was dropped and comes back is found, its vocabulary stored or gone", async () => {
  const settings = { sealPassages: 4, mergeFan: 100, now: () => 1_000 };
  const stub = env.MEMORY.getByName("shard/terms again");
  await runInDurableObject(stub, (_, { storage }) => {
    const open = () => new Shard(storage, kernels, settings);
    let row = 0;
    const seal = (shard: Shard, text: string) => {
      for (let i = 0; i < 4; i++) shard.apply([upsert(++row, prepared(`${row}`, text))]);
      shard.maintain();
    };
    const shard = open();
    shard.configure(NAMESPACE_DEFAULTS);
    seal(shard, "amber birch"); // numbers in the middle and at the end are dropped in turn
    seal(shard, "cedar");
    seal(shard, "delta");
    for (const [gone, back] of [
      ["cedar", "cedar elder"],
      ["delta", "delta fern cedar"],
    ] as const) {
      const ids = found(shard, gone).map((text) => text.split(":")[0]!);
      shard.apply(ids.map((id) => ({ kind: "remove", id, if_version: null })));
      shard.compact();
      const terms = () => storage.sql.exec("SELECT count(*) AS n FROM terms").one().n;
      expect(shard.stats().terms).toBe(terms());
      expect(found(open(), gone)).toEqual([]);
      seal(shard, back);
      const all = ["amber", "birch", "cedar", "delta", "elder", "fern"];
      const summary = (of: Shard) => [
        all.map((term) => found(of, term)),
        of.statistics(all),
        of.stats().terms,
      ];
      const before = summary(shard);
      expect(found(shard, gone)).toEqual(
        Array.from({ length: 4 }, (_, i) => `${row - 3 + i}: ${back}`),
      );
      expect(shard.stats().terms).toBe(terms());
      expect(summary(open())).toEqual(before);
      storage.sql.exec("DELETE FROM segment_parts WHERE number < 1000"); // the vocabulary alone
      expect(summary(open())).toEqual(before);
      expect(open().stats().rebuilt).toBe(0);
    }
  });
});

it("an index gives way to another of the isolate, and finds the same when it is back", async () => {
  const stub = env.MEMORY.getByName("shard/budget");
  await runInDurableObject(stub, (_, { storage }) => {
    const one = new Shard(storage, kernels);
    one.configure(NAMESPACE_DEFAULTS);
    one.apply([upsert(1, prepared("a", "amber"))]);
    const alone = isolateIndexes.bytes;
    expect(alone).toBeGreaterThan(0);
    const other = new Shard(storage, kernels, { isolateBytesMax: 2 });
    expect(found(other, "amber")).toEqual(["a: amber"]);
    expect(isolateIndexes.bytes).toBeLessThan(alone * 1.5); // one of the two was dropped
    expect(() => other.apply([upsert(2, prepared("b", "birch"))])).toThrow(/limit of an isolate/);
    expect(found(one, "amber birch")).toEqual(["a: amber"]);
  });
});

it("a passage is shown with as many neighbours as asked for, and their headings", async () => {
  await withShard("show", (shard) => {
    const document = prepared("a", "# H\n\none\n\n two \nthree\n");
    const passages = document.passages.map((each) => ({ ...each, heading_path: ["H"] }));
    shard.apply([upsert(1, { ...document, passages })]);
    const texts = [0, 1, 9].map((neighbours) => {
      const [shown] = shard.show({ passages: [3], vectors: true, neighbours });
      expect(shown).toMatchObject({ seq: 2, heading_path: ["H"], version: 1 });
      expect(document.text.slice(shown!.start, shown!.end)).toBe(shown!.text);
      return shown!.text;
    });
    expect(texts).toEqual([" two ", "one\n\n two \nthree", "# H\n\none\n\n two \nthree"]);
    expect(shard.show({ passages: [77, 4], vectors: false, neighbours: 0 })).toMatchObject([
      { passage: 4, text: "three" },
    ]);
  });
});

it("what schema 1 stored is found after the migration, and its text is whole", async () => {
  const stub = env.MEMORY.getByName("shard/schema-1");
  await runInDurableObject(stub, (_, { storage }) => {
    const { sql } = storage;
    sql.exec("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
    sql.exec(MIGRATIONS[0] as string);
    const old = { bm25_unit: "passage", k1: 1.5, b: 0.75 };
    const meta = { schema: "1", options: JSON.stringify(old), dim: "384" };
    for (const [name, value] of Object.entries(meta))
      sql.exec("INSERT INTO meta VALUES (?, ?)", name, value);
    for (const [id, term] of ["amber", "birch", "cedar"].entries())
      sql.exec("INSERT INTO terms VALUES (?, ?)", id, term);
    const digest = "ab".repeat(32);
    const text = "\namber\n birch \n";
    for (const [row, id] of [
      [3, "x"],
      [5, "y"],
    ] as const) {
      sql.exec(
        "INSERT INTO documents VALUES (?, ?, ?, NULL, '{\"n\":1}', NULL, 77, 2, NULL, ?)",
        ...[row, id, digest, text],
      );
      for (const [seq, [start, end]] of [[1, 6] as const, [7, 14] as const].entries()) {
        const counts = { ids: Uint32Array.of(seq), tfs: Uint32Array.of(1), length: 1 };
        const vector = vectorBytes({ qs: new Int8Array(384).fill(seq + 1), scale: 9 });
        sql.exec(
          `INSERT INTO passages (document, seq, start, "end", vector, counts, text)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
          ...[row, seq, start, end, vector, encodeCounts(counts).buffer, text.slice(start, end)],
        );
      }
    }
    const shard = new Shard(storage, kernels, { now: () => 1_000 });
    expect(shard.options()).toMatchObject({ ...NAMESPACE_DEFAULTS, ...old });
    expect(found(shard, "birch")).toEqual(["x:  birch ", "y:  birch "]);
    const kept = { metadata: { n: 1 }, updated_at: 77, time: 77, version: 1, text };
    expect(shard.get("y")).toMatchObject(kept);
    expect(shard.find(["y"])).toMatchObject([{ digest, row: 5 }]);
    const [copied] = shard.copyPage(3, 0, 1).documents;
    const { vector } = copied!.document.passages[1]!;
    expect(vector.scale).toBe(Math.fround(1 / Math.sqrt(4 * 384)));
    shard.apply([upsert(6, prepared("z", "birch"))]);
    expect(found(shard, "birch")).toContain("z: birch");
  });
});
