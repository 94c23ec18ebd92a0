/** The bounds of one shard, each reached exactly. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf } from "../../src/errors.ts";
import {
  COPY_PAGE_BYTES_MAX,
  COPY_PAGE_DOCUMENTS_MAX,
  DOCUMENT_PASSAGES_MAX,
  EXPIRED_REMOVED_MAX,
  PASSAGES_MAX,
  SCORED_ROWS_MAX,
  SEGMENT_PASSAGES_MAX,
} from "../../src/limits.ts";
import { segmentsDue } from "../../src/memory/maintenance.ts";
import type { SegmentRow } from "../../src/memory/segment-table.ts";
import { Shard } from "../../src/memory/shard.ts";
import { SETTINGS, type ShardSettings } from "../../src/memory/shard-settings.ts";
import type { Change } from "../../src/memory/shard-types.ts";
import { rowRuns } from "../../src/memory/sql.ts";
import { NAMESPACE_DEFAULTS, type PreparedDocument } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { passage, prepared } from "./documents.ts";

interface Tested {
  shard: Shard;
  sql: SqlStorage;
  at: { now: number };
  /** How many documents were left after each transaction. */
  left: number[];
}

function withShard(
  name: string,
  test: (tested: Tested) => void,
  settings: Partial<ShardSettings> = {},
): Promise<void> {
  return runInDurableObject(env.MEMORY.getByName(`bounds/${name}`), (_, { storage }) => {
    const { sql } = storage;
    const at = { now: 1_000 };
    const left: number[] = [];
    const transactionSync = <T>(work: () => T): T => {
      const result = storage.transactionSync(work);
      left.push(Number(sql.exec("SELECT count(*) AS n FROM documents").one().n));
      return result;
    };
    const shard = new Shard({ sql, transactionSync }, kernels, { now: () => at.now, ...settings });
    shard.configure(NAMESPACE_DEFAULTS);
    test({ shard, sql, at, left });
  });
}

const upserts = (documents: PreparedDocument[], first = 1): Change[] =>
  documents.map((document, i) => ({
    ...{ kind: "upsert", row: first + i, document, if_version: null },
  }));

const VECTOR = quantizeVector(Float32Array.of(1, -1, 1, -1, 1, -1, 1, -1));

/** A document of `n` passages of one word. */
function ofPassages(id: string, n: number): PreparedDocument {
  const passages = Array.from({ length: n }, (_, i) => passage(2 * i, 2 * i + 1, VECTOR));
  return prepared(id, "a\n".repeat(n), { passages });
}

/** What a call throws, as its code and its message. */
function thrown(call: () => unknown): [string | null, string] {
  try {
    call();
  } catch (error) {
    return [codeOf(error), (error as Error).message];
  }
  return expect.unreachable();
}

it("a copy's page has so many documents and removals, however many are asked for", async () => {
  await withShard("copy-documents", ({ shard }) => {
    const ids = Array.from({ length: COPY_PAGE_DOCUMENTS_MAX + 1 }, (_, i) => `${i}`);
    shard.apply(upserts(ids.map((id) => prepared(id, ""))));
    const asked = 5 * COPY_PAGE_DOCUMENTS_MAX;
    const page = shard.copyPage(0, 0, asked);
    expect([page.documents.length, page.end]).toEqual([COPY_PAGE_DOCUMENTS_MAX, false]);
    const rest = shard.copyPage(page.row, 0, asked);
    expect([rest.documents.length, rest.end]).toEqual([1, true]);
    shard.startCopy(1);
    shard.apply(ids.map((id) => ({ kind: "remove", id, if_version: null })));
    const gone = shard.copyPage(page.row, 0, asked);
    expect([gone.removed.length, gone.end]).toEqual([COPY_PAGE_DOCUMENTS_MAX, false]);
    const last = shard.copyPage(page.row, gone.removal, asked);
    expect([last.removed.map(({ id }) => id), last.end]).toEqual([ids.slice(-1), true]);
  });
});

const text = (id: string, chars: string) => prepared(id, chars, { passages: [] });
const HEAVY: Record<string, (id: string, chars: string) => PreparedDocument> = {
  text,
  title: (id, title) => prepared(id, "", { title }),
  metadata: (id, about) => prepared(id, "", { metadata: { about } }),
  headings: (id, heading) => {
    const [only] = ofPassages(id, 1).passages;
    return prepared(id, "a", { passages: [{ ...only!, heading_path: [heading] }] });
  },
};

it.each(Object.entries(HEAVY))("a copy's page has so many bytes, of %s", async (name, heavy) => {
  await withShard(`copy-bytes-${name}`, ({ shard }) => {
    // A character counts two bytes; the rest of a document less than 2,000.
    const share = COPY_PAGE_BYTES_MAX / 32 / 2;
    const pageOf = (chars: number, first: number) => {
      const documents = Array.from({ length: 33 }, (_, i) => heavy(`${i}`, "-".repeat(chars)));
      shard.apply(upserts(documents, first));
      const page = shard.copyPage(first - 1, 0, 100);
      return [page.documents.length, page.end];
    };
    expect(pageOf(share - 1_000, 1)).toEqual([32, false]);
    expect(pageOf(share, 101)).toEqual([31, false]);
    // A shard among others is asked for its part of a page.
    const part = (bytes: number) => shard.copyPage(100, 0, 100, bytes).documents.length;
    expect([COPY_PAGE_BYTES_MAX / 8, 1].map(part)).toEqual([3, 1]);
  });
});

it("a document greater than a copy's page is a page of its own", async () => {
  await withShard("copy-huge", ({ shard }) => {
    const { passages } = ofPassages("huge", 3);
    const heading_path = ["-".repeat(COPY_PAGE_BYTES_MAX / 6)];
    const huge = passages.map((each) => ({ ...each, heading_path }));
    const documents = ["a", "huge", "z"].map((id) => {
      return id === "huge" ? prepared(id, "a\na\na", { passages: huge }) : prepared(id, "");
    });
    shard.apply(upserts(documents));
    const idsAfter = (row: number) =>
      shard.copyPage(row, 0, 100).documents.map(({ document }) => document.id);
    expect([0, 1, 2].map(idsAfter)).toEqual([["a"], ["huge"], ["z"]]);
  });
});

it("a document has so many passages and no more", async () => {
  await withShard("document", ({ shard }) => {
    shard.apply(upserts([ofPassages("a", DOCUMENT_PASSAGES_MAX)]));
    expect(shard.stats().passages).toBe(DOCUMENT_PASSAGES_MAX);
    const more = upserts([ofPassages("b", DOCUMENT_PASSAGES_MAX + 1)], 2);
    expect(thrown(() => shard.apply(more))).toEqual([
      "invalid_request",
      `document "b": ${DOCUMENT_PASSAGES_MAX + 1} passages, the limit is ${DOCUMENT_PASSAGES_MAX}`,
    ]);
    expect(shard.stats().documents).toBe(1);
  });
});

it("a shard holds so many passages, of which a replaced document's are free", async () => {
  expect(SETTINGS.passagesMax).toBe(PASSAGES_MAX);
  const full = { passagesMax: 6 };
  await withShard(
    "passages",
    ({ shard }) => {
      shard.apply(upserts([ofPassages("a", 2), ofPassages("b", 4)]));
      shard.apply(upserts([ofPassages("b", 4)], 3));
      expect(thrown(() => shard.apply(upserts([ofPassages("b", 5)], 4)))).toEqual([
        "memory_full",
        "the memory would hold 7 passages, the limit is 6",
      ]);
      expect(thrown(() => shard.apply(upserts([ofPassages("c", 1)], 5)))[0]).toBe("memory_full");
      expect(shard.stats()).toMatchObject({ documents: 2, passages: 6 });
    },
    full,
  );
});

it("what has expired is removed in turns of so many, before anything is read", async () => {
  await withShard("expired", ({ shard, at, left }) => {
    const documents = Array.from({ length: 2 * EXPIRED_REMOVED_MAX + 1 }, (_, i) =>
      prepared(`${i}`, "", { expires_at: 5_000 }),
    );
    shard.apply(upserts([...documents, prepared("stays", "")]));
    at.now = 5_000;
    left.length = 0;
    expect(shard.list(0, 10).documents.map(({ id }) => id)).toEqual(["stays"]);
    expect(left).toEqual([EXPIRED_REMOVED_MAX + 2, 2, 1]);
  });
});

it("segments are merged into one of so many passages at most", () => {
  expect(SETTINGS.segmentPassagesMax).toBe(SEGMENT_PASSAGES_MAX);
  const due = (...sizes: number[]) => {
    const segments = sizes.map((passages) => ({ passages, dead: 0 }) as SegmentRow);
    return segmentsDue(segments, SETTINGS)?.map(({ passages }) => passages) ?? null;
  };
  const half = SEGMENT_PASSAGES_MAX / 2;
  expect(due(half - 1, half - 1)).toEqual([half - 1, half - 1]);
  expect(due(half, half - 1, half)).toBe(null);
  expect(due(1, half, 1, half - 1)).toEqual([1, half - 1]);
  const below = (n: number) => Math.floor(((Math.imul(n, 2654435761) >>> 0) / 2 ** 32) * half);
  let runs = 0;
  for (let n = 0; n < 4_000; n += 4) {
    const merged = due(...[n, n + 1, n + 2, n + 3].map(below));
    expect((merged ?? []).reduce((a, b) => a + b, 0)).toBeLessThan(SEGMENT_PASSAGES_MAX);
    runs += Number(merged !== null);
  }
  expect(runs).toBe(1_000);
});

it("rows are read in runs of so many, of more only where one item has them", () => {
  const runs = (...rows: number[]) => [...rowRuns(rows, (n) => n)];
  const most = SCORED_ROWS_MAX;
  expect(runs(most - 1, 1, 1)).toEqual([[most - 1, 1], [1]]);
  expect(runs(1, most)).toEqual([[1], [most]]);
  expect(runs(1, most + 1, most - 1, 1)).toEqual([[1], [most + 1], [most - 1, 1]]);
  expect(runs()).toEqual([]);
});
