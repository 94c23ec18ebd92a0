/** Cursors of pages: refused, or what a naive listing gives from there. A cursor is a place and
 *  gives no access: what is listed is chosen by the key and the path alone. */
import { parseTracesQuery } from "../../src/api/schema/traces.ts";
import { mergedPage, rowOf } from "../../src/memory/pages.ts";
import type { ShardRange } from "../../src/memory/shard-types.ts";
import { startApi } from "../api/fake-service.ts";
import { ODD_TEXTS, type Random } from "./random.ts";
import { must, mustEqual, refusalOf, type Target } from "./target.ts";

const PIECES = [
  ...[
    "0",
    "1",
    "7",
    "9007199254740993",
    "999999999999999",
    "-",
    "+",
    "e3",
    ".",
    "0x",
    " ",
    "1_000",
  ],
  ...["docs", "other/", "%00", "../", "'; --", '{"row":1}', "MTI=", "٣", ...ODD_TEXTS],
];

/** Rows of a namespace's documents, each on one shard. */
interface Shards {
  map: ShardRange[];
  rows: number[][];
}

function someShards(random: Random): Shards {
  const map = Array.from({ length: 1 + random.below(7) }, (_, i): ShardRange => {
    return { object: i === 0 ? null : `shard ${i}`, lo: i, hi: i + 1 };
  });
  const rows: number[][] = map.map(() => []);
  for (let row = 1; row < 60; row++) if (!random.once(3)) random.pick(rows).push(row);
  return { map, rows };
}

/** Walks all pages; each must follow the last, hold no more than asked, and end. */
async function checkPages(cursor: string, random: Random): Promise<string> {
  const from = rowOf(cursor);
  const { map, rows } = someShards(random);
  const limit = 1 + random.below(9);
  const size = random.pick([0, 3, 1_000]);
  let reads = 0;
  const read = async (object: string | null, after: number, most: number) => {
    reads += 1;
    const held = rows[map.findIndex((range) => range.object === object)]!;
    const found = held.filter((row) => row > after).slice(0, most);
    return found.map((row) => ({ row, document: row }));
  };
  const seen: number[] = [];
  let next: string | null = cursor;
  for (let pages = 0; next !== null; pages++) {
    must(pages <= 61, "pages without end");
    const page: { documents: number[]; cursor: string | null } = await mergedPage(
      map,
      rowOf(next),
      limit,
      read,
      { size, sizeOf: () => 1 },
    );
    must(page.documents.length <= limit, "a page above its limit");
    must(page.cursor === null || page.documents.length > 0, "an empty page that is not the last");
    seen.push(...page.documents);
    next = page.cursor;
  }
  const wanted = rows.flat().filter((row) => row > from);
  mustEqual(
    seen,
    wanted.sort((a, b) => a - b),
    "all pages",
  );
  must(reads <= 61 * 2 * map.length, `${reads} reads`);
  return "pages";
}

/** Through HTTP: what a cursor says reaches the listing as it is, or is refused. */
async function checkListing(cursor: string): Promise<string> {
  const api = startApi();
  const sent = encodeURIComponent(cursor.toWellFormed());
  const path = `/admin/namespaces/docs/documents?cursor=${sent}`;
  const response = await api.call(path);
  if (response.status === 200) {
    const [, caller, namespace, page] = api.service.calls.find(
      ([name]) => name === "listDocuments",
    )!;
    mustEqual(
      [namespace, (page as { cursor: string }).cursor],
      ["docs", cursor.toWellFormed()],
      "asked",
    );
    must((caller as { tenant: string }).tenant === "default", "another tenant");
    return "listed";
  }
  const { error } = (await response.json()) as { error: { code: string } };
  return error.code;
}

export const cursors: Target = {
  name: "cursors",
  about: "cursors of every form: refused, or pages that follow each other and end",
  cases: 50_000,
  short: 500,
  ends: ["pages", "listed", "traces", "invalid_request"],
  prepare: () => async (random, show) => {
    const cursor = random.once(2) ? `${random.below(70)}` : random.joined(PIECES, 3);
    show(cursor);
    try {
      if (random.once(4)) return await checkListing(cursor);
      if (random.once(4)) {
        const { cursor: read } = parseTracesQuery({ cursor });
        must(Number.isSafeInteger(read) && String(read).length <= cursor.length, "another place");
        return "traces";
      }
      return await checkPages(cursor, random);
    } catch (error) {
      return refusalOf(error);
    }
  },
};
