/** Passages as hits show them. */
import { dequantizeVector } from "../../index/vectors.ts";
import type { CodebookTable } from "./codebook-table.ts";
import { LinkTable } from "./link-table.ts";
import type { ShownPassage, ShowRequest } from "./shard-types.ts";
import { AMONG, digestFrom, type SqlRow } from "./sql.ts";

/** The passages asked for that are still there, in the order asked. */
export function showPassages(
  sql: SqlStorage,
  codebooks: CodebookTable,
  { passages, vectors, neighbours }: ShowRequest,
): ShownPassage[] {
  const select = `SELECT p.row, p.start, p."end", p.text, p.heading_path, p.anchor,
      ${vectors ? "p.vector" : "NULL AS vector"}, p.codebook,
      d.id, d.title, d.metadata, d.version, d.digest, d.first, d.passages
    FROM passages p JOIN documents d ON d.row = p.document
    WHERE p.row ${AMONG}`;
  const links = new LinkTable(sql);
  const said = links.known(passages);
  const shown = new Map<number, ShownPassage>();
  for (const row of sql.exec(select, JSON.stringify(passages)).toArray())
    shown.set(Number(row.row), {
      ...shownFrom(row, codebooks),
      ...spanOf(sql, row, neighbours),
      duplicates: said.has(Number(row.row)) ? duplicatesOf(links, Number(row.row)) : [],
    });
  return passages.flatMap((row) => shown.get(row) ?? []);
}

function duplicatesOf(links: LinkTable, row: number): ShownPassage["duplicates"] {
  return links.duplicates(row).map(({ document_id, seq }) => {
    return { document_id, passage_id: `${document_id}#${seq}` };
  });
}

function shownFrom(
  row: SqlRow,
  codebooks: CodebookTable,
): Omit<ShownPassage, "start" | "end" | "text" | "duplicates"> {
  const vector = row.vector === null ? null : codebooks.vector(row.vector!, row.codebook!);
  return {
    passage: Number(row.row),
    document_id: String(row.id),
    title: row.title as string | null,
    metadata: JSON.parse(String(row.metadata)),
    version: Number(row.version),
    digest: digestFrom(row.digest!),
    seq: Number(row.row) - Number(row.first),
    heading_path: row.heading_path === null ? [] : JSON.parse(String(row.heading_path)),
    anchor: row.anchor as string | null,
    vector: vector && dequantizeVector(vector),
  };
}

/** The passage's text, with as many of its neighbours as asked for and the text between them. */
function spanOf(
  sql: SqlStorage,
  row: SqlRow,
  neighbours: number,
): Pick<ShownPassage, "start" | "end" | "text"> {
  const [at, first] = [Number(row.row), Number(row.first)];
  const from = Math.max(first, at - neighbours);
  const to = Math.min(first + Number(row.passages) - 1, at + neighbours);
  if (from === to) return joinedSpan([row]);
  const select = `SELECT start, "end", text FROM passages WHERE row BETWEEN ? AND ? ORDER BY row`;
  return joinedSpan(sql.exec(select, from, to).toArray());
}

/** A stored text begins where the passage before it ended: the first one's lead is cut off. */
function joinedSpan(rows: readonly SqlRow[]): Pick<ShownPassage, "start" | "end" | "text"> {
  const [start, end] = [Number(rows[0]!.start), Number(rows.at(-1)!.end)];
  const text = rows.map((row) => String(row.text)).join("");
  return { start, end, text: text.slice(text.length - (end - start)) };
}
