/** Data sets in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of one query: documents by id with their grades, above 0. */
export type Grades = ReadonlyMap<string, number>;

export interface BeirDocument {
  id: string;
  text: string;
  title?: string;
}

export interface BeirQuery {
  id: string;
  text: string;
  grades: Grades;
}

/** Every document; one without a text has its title as text. */
export function readCorpus(folder: string): BeirDocument[] {
  return readLines(join(folder, "corpus.jsonl")).map(({ _id, title, text }) => {
    return { id: _id!, title: title || undefined, text: text || title || "-" };
  });
}

/** The queries that the split has grades for, in the file's order. */
export function readQueries(folder: string, split: string): BeirQuery[] {
  const qrels = readQrels(join(folder, "qrels", `${split}.tsv`));
  return readLines(join(folder, "queries.jsonl")).flatMap(({ _id, text }) => {
    const grades = qrels.get(_id!);
    return grades === undefined ? [] : [{ id: _id!, text: text!, grades }];
  });
}

function readLines(path: string): Record<string, string>[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

function readQrels(path: string): Map<string, Grades> {
  const qrels = new Map<string, Map<string, number>>();
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

/** The share of the graded documents that is among the ranked, 0..1. */
export function recallOf(ranked: readonly string[], grades: Grades): number {
  return ranked.filter((id) => grades.has(id)).length / grades.size;
}
