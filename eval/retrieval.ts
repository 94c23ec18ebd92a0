/** nDCG@10 and recall of POST /v1/memory/search on a data set in BEIR's layout. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fillNamespace, withService } from "./client.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";

const NAMESPACE = "eval-retrieval";
const MODES = ["bm25", "vector", "hybrid"] as const;
const CUTOFF = 10;
/** Hits are passages; enough of them to name CUTOFF documents and to count recall. */
const HITS = 100;

type Grades = Map<string, number>;

/** Documents are the unit of BM25, title and text together; a document's score is that of its
 *  best passage. */
export async function evaluateRetrieval(options: EvalOptions): Promise<EvalReport> {
  const corpus = readLines(join(options.data, "corpus.jsonl"));
  const qrels = readQrels(join(options.data, "qrels", `${options.split}.tsv`));
  const queries = readLines(join(options.data, "queries.jsonl"))
    .filter((query) => qrels.has(query._id!))
    .slice(0, options.limit);
  const documents = corpus.map(({ _id, title, text }) => {
    return { id: _id!, title: title || undefined, text: text || title || "-" };
  });
  const figures = await withService(options.url, async (client) => {
    await fillNamespace(client, NAMESPACE, { bm25_unit: "document" }, documents);
    const result: EvalReport["figures"] = {};
    for (const mode of MODES) {
      const ndcg: number[] = [];
      const recall: number[] = [];
      const tookMs: number[] = [];
      for (const [i, { _id, text }] of queries.entries()) {
        const body = { namespace: NAMESPACE, query: text, k: HITS, mode };
        const reply = await client.call<{ hits: { document_id: string }[]; took_ms: number }>(
          "POST",
          "/v1/memory/search",
          body,
        );
        const ranked = [...new Set(reply.hits.map((hit) => hit.document_id))];
        const grades = qrels.get(_id!)!;
        ndcg.push(ndcgAt(CUTOFF, ranked, grades));
        recall.push(recallOf(ranked, grades));
        tookMs.push(reply.took_ms);
        showProgress(mode, i + 1, queries.length);
      }
      result[`${mode} nDCG@${CUTOFF}`] = bootstrapMean(ndcg);
      result[`${mode} recall in ${HITS} passages`] = bootstrapMean(recall);
      result[`${mode} took_ms, median`] = tookMs.sort((a, b) => a - b)[tookMs.length >> 1]!;
    }
    return result;
  });
  return { what: "retrieval", data: options.data, questions: queries.length, figures };
}

function readLines(path: string): Record<string, string>[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

function readQrels(path: string): Map<string, Grades> {
  const qrels = new Map<string, Grades>();
  for (const line of readFileSync(path, "utf8").trim().split("\n").slice(1)) {
    const [query, document, grade] = line.split("\t") as [string, string, string];
    if (Number(grade) <= 0) continue;
    const grades = qrels.get(query) ?? new Map<string, number>();
    qrels.set(query, grades.set(document, Number(grade)));
  }
  return qrels;
}

/** Normalized discounted cumulative gain with linear gains, as trec_eval's ndcg_cut, 0..1. */
export function ndcgAt(k: number, ranked: readonly string[], grades: Grades): number {
  const gain = (list: readonly number[]) =>
    list.slice(0, k).reduce((sum, grade, i) => sum + grade / Math.log2(i + 2), 0);
  const ideal = gain([...grades.values()].sort((a, b) => b - a));
  return ideal === 0 ? 0 : gain(ranked.map((id) => grades.get(id) ?? 0)) / ideal;
}

function recallOf(ranked: readonly string[], grades: Grades): number {
  return ranked.filter((id) => grades.has(id)).length / grades.size;
}
