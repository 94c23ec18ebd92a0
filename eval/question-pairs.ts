/** Pairs of questions that ask the same, and pairs that do not, from a file of SQuAD's; and what
 *  the models say of them. */
import { loadModels } from "./models.ts";
import { paraphrase } from "./paraphrase.ts";
import { EDITS, type Edit, namesIn, SIGN_EDITS } from "./question-edits.ts";
import { showProgress } from "./report.ts";
import { f1Score, type Question } from "./squad.ts";

const PASSAGES_READ = 3;
const BATCH = 8;

export interface Pair {
  set: string;
  same: boolean;
  asked: string;
  answered: Question;
}

/** `n` of the questions, drawn. */
export function someOf(all: readonly Question[], n: number, random: () => number): Question[] {
  return all
    .map((question) => ({ question, at: random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, n)
    .map(({ question }) => question);
}

/** The pairs of one question that was answered. */
export function pairsOf(
  answered: Question,
  all: readonly Question[],
  random: () => number,
  edits: readonly Edit[] = EDITS,
): Pair[] {
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
  for (const { name, apply } of edits) {
    const edited = apply(question, names, random);
    if (edited === null || edited === question) continue;
    pairs.push(pair(`other: ${name}`, false, edited));
    const inOtherWords = reworded(edited);
    if (keepsEdit(question, edited, inOtherWords))
      pairs.push(pair(`other: ${name}, reworded`, false, inOtherWords));
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

/** The pairs of one question that differ in a sign, a letter or a digit of another script; beside
 *  pairsOf, whose draws they would change. */
export function signPairsOf(answered: Question, random: () => number): Pair[] {
  const names = namesIn(answered.question);
  return SIGN_EDITS.flatMap(({ name, apply, prepare }) => {
    const { question } = answered;
    const prepared = prepare === undefined ? question : prepare(question, random);
    const asked = prepared && apply(prepared, names, random);
    if (!asked || asked === prepared) return [];
    return [
      { set: `other: ${name}`, same: false, asked, answered: { ...answered, question: prepared } },
    ];
  });
}

/** Whether what an edit put in was left there: rewording may drop the little word that was edited,
 *  and what is left asks nothing else. */
function keepsEdit(question: string, edited: string, reworded: string): boolean {
  const wordsOf = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const brought = wordsOf(edited).difference(wordsOf(question));
  return brought.isSubsetOf(wordsOf(reworded)) || brought.intersection(LITTLE).size === 0;
}

const LITTLE = new Set("is are was were do does did has have had his her their".split(" "));

/** The encoder's and the reader's word on any text, once each. The reader reads the paragraphs
 *  nearest to it. */
export async function readings(all: readonly Question[]) {
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
  return { embedded, reading };
}

function remembering<T>(work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    if (!known.has(text)) known.set(text, work(text));
    return known.get(text)!;
  };
}

export function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
