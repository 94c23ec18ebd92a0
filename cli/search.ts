/** `brink search`: what a namespace finds, and with --explain why. */
import { SEARCH_K_DEFAULT, SEARCH_K_MAX } from "../src/limits.ts";
import { connect } from "./client.ts";
import { type Command, countOf, serviceOptions, UsageError } from "./command.ts";
import { parseObject } from "./namespaces.ts";
import { bar, oneLine, paragraph, table, terminalWidth } from "./table.ts";

/** What the service explains of a hit; what it leaves out is not shown. */
interface Explanation {
  bm25?: number | null;
  cosine?: number | null;
  bm25_rank?: number | null;
  vector_rank?: number | null;
  fusion?: string | null;
  bm25_terms?: { term: string; df: number; tf: number; contribution: number }[] | null;
}

interface Hit {
  document_id: string;
  passage_id: string;
  score: number;
  text: string;
  title: string | null;
  heading_path?: string[];
  duplicates?: { document_id: string }[];
  explain?: Explanation;
}

interface Reply {
  hits: Hit[];
  took_ms: number;
  stages_ms?: Record<string, number>;
}

const LINES_SHOWN = 4;
export const SEARCH_MODES = ["hybrid", "bm25", "vector"] as const;

export const search: Command = {
  name: "search",
  args: "NS QUERY",
  summary: "Search a namespace.",
  description:
    "With --explain each term's share of the BM25 score is shown, the vector's part, and how\n" +
    "long each stage of the search took.",
  options: {
    k: { type: "string", value: "N", help: `how many hits (${SEARCH_K_DEFAULT})` },
    mode: {
      type: "string",
      value: "MODE",
      choices: SEARCH_MODES,
      help: "hybrid (the default), bm25 or vector",
    },
    filter: { type: "string", value: "JSON", help: 'on metadata, such as \'{"lang": "en"}\'' },
    explain: { type: "boolean", help: "show why each hit is where it is" },
    ...serviceOptions("a key with the scope inference, or an admin key"),
  },
  async run([namespace, ...words], values) {
    if (namespace === undefined || words.length === 0)
      throw new UsageError("name a namespace and what to look for");
    const reply = (await connect(values).call("POST", "/v1/memory/search", {
      namespace,
      query: words.join(" "),
      k: countOf(values, "k", SEARCH_K_DEFAULT, 1, SEARCH_K_MAX),
      mode: values.mode ?? null,
      filter: values.filter === undefined ? null : parseObject("filter", String(values.filter)),
      explain: values.explain === true,
    })) as Reply;
    if (!values.json) console.log(describe(reply));
    return reply;
  },
};

function describe({ hits, took_ms, stages_ms }: Reply): string {
  const best = hits[0]?.score ?? 1;
  const blocks = hits.map((hit, i) => describeHit(hit, i + 1, best));
  const stages = Object.entries(stages_ms ?? {}).map(([name, ms]) => `${name} ${round(ms)}`);
  const found = hits.length === 0 ? "nothing found" : `${hits.length} hits`;
  const time = `${found} in ${round(took_ms)} ms`;
  return [...blocks, stages.length === 0 ? time : `${time} (${stages.join(", ")})`].join("\n\n");
}

function describeHit(hit: Hit, rank: number, best: number): string {
  const above = [hit.title, ...(hit.heading_path ?? [])].filter((part) => part);
  const share = bar(best > 0 ? hit.score / best : 0);
  const lines = [
    `${String(rank).padStart(2)}  ${hit.score.toFixed(4)} ${share} ${oneLine(hit.document_id)}`,
  ];
  // A title that is also the first heading is told once.
  const names = above.filter((part, i) => part !== above[i - 1]);
  if (names.length > 0) lines.push(`    ${oneLine(names.join(" > "))}`);
  lines.push(paragraph(hit.text, terminalWidth(), "    ", LINES_SHOWN));
  if (hit.duplicates?.length)
    lines.push(
      `    also in ${hit.duplicates.map((other) => oneLine(other.document_id)).join(", ")}`,
    );
  if (hit.explain) lines.push(explainHit(hit.explain));
  return lines.join("\n");
}

function explainHit(explain: Explanation): string {
  const { bm25, cosine, bm25_rank, vector_rank, fusion, bm25_terms } = explain;
  const rows: (string | number)[][] = [];
  if (cosine != null) rows.push(["cosine", cosine.toFixed(4), bar(cosine), rankOf(vector_rank)]);
  if (bm25 != null) rows.push(["bm25", bm25.toFixed(4), "", rankOf(bm25_rank)]);
  for (const { term, contribution, tf, df } of bm25_terms ?? [])
    rows.push([
      `  ${term}`,
      contribution.toFixed(4),
      bar(bm25 ? contribution / bm25 : 0),
      `tf ${tf}, df ${df}`,
    ]);
  const lines = table(rows).split("\n");
  if (fusion) lines.push(oneLine(fusion));
  return lines.map((line) => `    ${line}`).join("\n");
}

function rankOf(rank: number | null | undefined): string {
  return rank == null ? "" : `rank ${rank}`;
}

function round(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}
