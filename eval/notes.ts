/** Does a note answer the questions that ask the same, and no others? Pairs of questions, by how
 *  they were made. */
import { matchOf } from "../src/pipeline/notes-match.ts";
import { dot, pairsOf, readings, signPairsOf, someOf } from "./question-pairs.ts";
import { mulberry32 } from "./random.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";
import { type Question, readSquad } from "./squad.ts";

/** Questions that pairs are made of, where no limit is given. */
const QUESTIONS = 400;
/** What a cache that goes by embeddings alone might ask for. */
const COSINE_ALONE = 0.9;
const FALSE_HITS_MOST = 0.01;

/** `data` is a SQuAD 1.1 file. A pair is a hit where a note of the one question would answer the
 *  other; what asks something else must not hit. */
export async function evaluateNotes({ data, limit }: EvalOptions): Promise<EvalReport> {
  const all = readSquad(data);
  const random = mulberry32(20_261_130);
  const chosen = someOf(all, Math.min(limit, QUESTIONS), random);
  const pairs = chosen.flatMap((question) => pairsOf(question, all, random));
  for (const question of chosen) pairs.push(...signPairsOf(question, random));
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

/** Whether a note of the one question answers the other. */
async function asker(all: readonly Question[]) {
  const { embedded, reading } = await readings(all);
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
