/** Questions with the candidates that hybrid search finds for them, each right or wrong. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { readCorpus, readQueries } from "./beir.ts";
import { type Client, fillNamespace, type SubmittedDocument } from "./client.ts";
import { showProgress } from "./report.ts";
import { type Question, readSquad } from "./squad.ts";

export interface Candidate {
  text: string;
  /** Whether it is the question's paragraph, or graded. */
  right: boolean;
  /** The search's, of the document's best passage. */
  score: number;
  bm25: number;
}

export interface Asked {
  id: string;
  /** SQuAD's article; in BEIR's layout the query itself. */
  group: string;
  text: string;
  /** As the search ranks them; documents, whole. */
  candidates: Candidate[];
  /** How many documents are right, found or not. */
  rights: number;
}

interface Labelled {
  documents: SubmittedDocument[];
  questions: { id: string; group: string; text: string; rights: ReadonlySet<string> }[];
}

interface Hits {
  hits: { document_id: string; score: number; explain: { bm25: number | null } }[];
}

/** The questions of a file in SQuAD's layout or of a split of a folder in BEIR's, those that `keep`
 *  wants, each with the best `depth` documents. */
export async function collectCandidates(
  client: Client,
  namespace: string,
  { data, split, depth }: { data: string; split: string; depth: number },
  keep: (question: { group: string }, place: number) => boolean,
): Promise<Asked[]> {
  const { documents, questions } = statSync(data).isDirectory()
    ? fromBeir(data, split)
    : fromSquad(data);
  const byId = new Map(documents.map((document) => [document.id, textOf(document)]));
  await fillNamespace(client, namespace, {}, documents);
  const kept = questions.filter(keep);
  const out: Asked[] = [];
  for (const { rights, ...question } of kept) {
    const { hits } = await client.call<Hits>("POST", "/v1/memory/search", {
      namespace,
      query: question.text,
      k: depth,
      group_by_document: true,
      explain: true,
    });
    const candidates = hits.map(({ document_id, score, explain }) => {
      const bm25 = explain.bm25 ?? 0; // null: it has none of the words
      return { text: byId.get(document_id)!, right: rights.has(document_id), score, bm25 };
    });
    out.push({ ...question, candidates, rights: rights.size });
    showProgress("searches", out.length, kept.length);
  }
  return out;
}

function fromBeir(folder: string, split: string): Labelled {
  const questions = readQueries(folder, split).map(({ id, text, grades }) => {
    return { id, group: id, text, rights: new Set(grades.keys()) };
  });
  return { documents: readCorpus(folder), questions };
}

/** A paragraph is right for every question of its own, and for those that ask the same words. */
function fromSquad(path: string): Labelled {
  const idOf = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);
  const all = readSquad(path).filter(({ answers }) => answers.length > 0);
  const documents = new Map(all.map(({ context }) => [idOf(context), context]));
  const rights = Map.groupBy(all, wordsOf);
  return {
    documents: Array.from(documents, ([id, text]) => ({ id, text })),
    questions: all.map((question) => ({
      id: question.id,
      group: question.article,
      text: question.question,
      rights: new Set(rights.get(wordsOf(question))!.map(({ context }) => idOf(context))),
    })),
  };
}

function wordsOf({ question }: Question): string {
  return question.trim().toLowerCase();
}

function textOf({ title, text }: SubmittedDocument): string {
  return title === undefined ? text : `${title}\n${text}`;
}
