/** Does a note answer the questions that ask the same, and no others? Pairs of questions, by how
 *  they were made. */
import { matchOf } from "../src/pipeline/notes-match.ts";
import { loadModels } from "./models.ts";
import { paraphrase } from "./paraphrase.ts";
import { EDITS, namesIn } from "./question-edits.ts";
import { mulberry32 } from "./random.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";
import { f1Score, type Question, readSquad } from "./squad.ts";

/** Questions that pairs are made of, where no limit is given. */
const QUESTIONS = 400;
const PASSAGES_READ = 3;
const BATCH = 8;
/** What a cache that goes by embeddings alone might ask for. */
const COSINE_ALONE = 0.9;
const FALSE_HITS_MOST = 0.01;

interface Pair {
  set: string;
  same: boolean;
  asked: string;
  answered: Question;
}

/** `data` is a SQuAD 1.1 file. A pair is a hit where a note of the one question would answer the
 *  other; what asks something else must not hit. */
export async function evaluateNotes({ data, limit }: EvalOptions): Promise<EvalReport> {
  const all = readSquad(data);
  const random = mulberry32(20_261_130);
  const chosen = all
    .map((question) => ({ question, at: random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, Math.min(limit, QUESTIONS))
    .map(({ question }) => question);
  const pairs = chosen.flatMap((question) => pairsOf(question, all, random));
  const ask = await asker(all);
  const sets = new Map<string, { hits: number[]; near: number }>();
  const others: number[] = [];
  for (const [i, { set, same, asked, answered }] of pairs.entries()) {
    const { matches, cosine } = ask(asked, answered);
    const hit = matches ? 1 : 0;
    const known = sets.get(set) ?? { hits: [], near: 0 };
    known.hits.push(hit);
    if (cosine >= COSINE_ALONE) known.near += 1;
    sets.set(set, known);
    if (!same) others.push(hit);
    showProgress("pairs", i + 1, pairs.length);
  }
  const figures: EvalReport["figures"] = {};
  for (const [set, { hits, near }] of sets) {
    figures[`${set} (${hits.length})`] = bootstrapMean(hits);
    figures[`${set}, by a cosine of ${COSINE_ALONE} alone`] = near / hits.length;
  }
  const falseHits = bootstrapMean(others);
  figures["false hits, of all pairs that ask something else"] = falseHits;
  const name = "false hits";
  const bounds = [{ name, value: falseHits.value, most: FALSE_HITS_MOST }];
  return { what: "notes", data, questions: chosen.length, figures, bounds };
}

function pairsOf(answered: Question, all: readonly Question[], random: () => number): Pair[] {
  const topic = answered.article.replaceAll("_", " ");
  const { question } = answered;
  const reworded = (text: string) => paraphrase(text, topic, random).text;
  const pair = (set: string, same: boolean, asked: string) => ({ set, same, asked, answered });
  const note = { ...answered, question: reworded(question) };
  const pairs = [
    pair("same: by rules", true, reworded(question)),
    { ...pair("same: both by rules", true, reworded(question)), answered: note },
  ];
  const names = all
    .filter(({ article }) => article === answered.article)
    .flatMap((other) => namesIn(other.question));
  for (const { name, apply } of EDITS) {
    const edited = apply(question, names, random);
    if (edited === null || edited === question) continue;
    pairs.push(pair(`other: ${name}`, false, edited));
    pairs.push(pair(`other: ${name}, reworded`, false, reworded(edited)));
  }
  for (const other of all) {
    if (other.context !== answered.context || other.id === answered.id) continue;
    const first = answered.answers[0]!;
    if (other.answers[0]!.toLowerCase() === first.toLowerCase())
      pairs.push(pair("same: another annotator's, the same span", true, other.question));
    else if (f1Score(first, other.answers) < 0.5)
      pairs.push(pair("other: on the same paragraph", false, other.question));
  }
  return pairs;
}

/** Whether a note of the one question answers the other. The reader reads the paragraphs nearest to
 *  each, once a wording. */
async function asker(all: readonly Question[]) {
  const { encoder, reader } = await loadModels(undefined, "fast");
  const paragraphs = [...new Set(all.map(({ context }) => context))];
  const vectors: Float32Array[] = [];
  for (let at = 0; at < paragraphs.length; at += BATCH) {
    vectors.push(...encoder.embed(paragraphs.slice(at, at + BATCH)));
    showProgress("paragraphs", vectors.length, paragraphs.length);
  }
  const embedded = remembering((text) => encoder.embed([text])[0]!);
  const reading = remembering((text) => {
    const cosines = vectors.map((vector) => dot(embedded(text), vector));
    const order = [...paragraphs.keys()].sort((a, b) => cosines[b]! - cosines[a]!);
    const read = order.slice(0, PASSAGES_READ).map((i) => paragraphs[i]!);
    const choice = reader.choose(reader.read(text, read));
    if (choice === null || choice.abstain) return null;
    return read[choice.passage]!.slice(choice.start, choice.end);
  });
  const decide = (asked: string, { question, answers }: Question, cosine: number): boolean => {
    const note = { question, answer: answers[0]!, edge_answer: null };
    // Most pairs are settled by their words: whatever the reader says, they match, or do not.
    if (matchOf(asked, null, { note, cosine }) !== null) return true;
    const agreeing = { ...note, answer: "same", edge_answer: "same" };
    if (matchOf(asked, "same", { note: agreeing, cosine }) === null) return false;
    const told = { ...note, edge_answer: reading(question) };
    return matchOf(asked, reading(asked), { note: told, cosine }) !== null;
  };
  return (asked: string, answered: Question) => {
    const cosine = dot(embedded(asked), embedded(answered.question));
    return { matches: decide(asked, answered, cosine), cosine };
  };
}

function remembering<T>(work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    if (!known.has(text)) known.set(text, work(text));
    return known.get(text)!;
  };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
