/** Does the semantic cache take one question for another? Pairs of questions, by how they were
 *  made, at the default threshold and at others. */
import { type Likeness, likenessOf } from "../src/pipeline/cache-match.ts";
import { CACHE_POLICY_DEFAULT } from "../src/pipeline/cache-policy.ts";
import { EDITS, FINE_EDITS } from "./question-edits.ts";
import { dot, type Pair, pairsOf, readings, signPairsOf, someOf } from "./question-pairs.ts";
import { mulberry32 } from "./random.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";
import { readSquad } from "./squad.ts";

/** Questions that pairs are made of, where no limit is given. */
const QUESTIONS = 400;
const FALSE_HITS_MOST = 0.01;
const THRESHOLDS = [0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];
/** As caches that go by the embedding alone are often set. */
const COSINE_ALONE = 0.9;
/** Of pairs that ask something else: these differ by more than one fact. */
const MORE_THAN_A_FACT = "other: on the same paragraph";

interface Judged extends Pair {
  cosine: number;
  /** Where the reader's word is known, and where nobody asked it. */
  read: Likeness | null;
  unread: Likeness | null;
}

/** `data` is a SQuAD 1.1 file. A pair is a hit where the answer to the one question would be given
 *  to the other; what asks something else must not hit. With a memory the reader's word is known;
 *  `words alone` are the hits that need none. */
export async function evaluateCache({ data, limit }: EvalOptions): Promise<EvalReport> {
  const all = readSquad(data);
  const random = mulberry32(20_261_202);
  const chosen = someOf(all, Math.min(limit, QUESTIONS), random);
  const edits = [...EDITS, ...FINE_EDITS];
  const pairs = chosen.flatMap((question) => pairsOf(question, all, random, edits));
  for (const question of chosen) pairs.push(...signPairsOf(question, random));
  const judge = judgeOf(await readings(all));
  const judged = pairs.map((pair, i) => {
    showProgress("pairs", i + 1, pairs.length);
    return judge(pair);
  });
  const { cosine_min } = CACHE_POLICY_DEFAULT;
  const figures: EvalReport["figures"] = {};
  for (const [set, those] of Map.groupBy(judged, (pair) => pair.set)) {
    figures[`${set} (${those.length})`] = bootstrapMean(hitsAt(those, cosine_min));
    figures[`${set}, words alone`] = bootstrapMean(hitsAt(those, cosine_min, "unread"));
    figures[`${set}, by a cosine of ${COSINE_ALONE} alone`] = bootstrapMean(
      those.map(({ cosine }) => Number(cosine >= COSINE_ALONE)),
    );
  }
  const oneFact = judged.filter(({ same, set }) => !same && set !== MORE_THAN_A_FACT);
  const same = judged.filter(({ set }) => set === "same: by rules");
  for (const threshold of THRESHOLDS) {
    figures[`false hits at ${threshold}`] = bootstrapMean(hitsAt(oneFact, threshold));
    figures[`true hits at ${threshold}`] = bootstrapMean(hitsAt(same, threshold));
  }
  const falseHits = bootstrapMean(hitsAt(oneFact, cosine_min));
  const unread = bootstrapMean(hitsAt(oneFact, cosine_min, "unread"));
  const pairsWord = `${oneFact.length} pairs that differ in one fact`;
  figures[`false hits at the default of ${cosine_min}, of ${pairsWord}`] = falseHits;
  figures["the same, words alone"] = unread;
  const bounds = [
    { name: "false hits", value: falseHits.value, most: FALSE_HITS_MOST },
    { name: "false hits, words alone", value: unread.value, most: FALSE_HITS_MOST },
  ];
  return { what: "cache", data, questions: chosen.length, figures, bounds };
}

function judgeOf({ embedded, reading }: Awaited<ReturnType<typeof readings>>) {
  return (pair: Pair): Judged => {
    const { asked, answered } = pair;
    const { question, answers } = answered;
    const cosine = dot(embedded(asked), embedded(question));
    const before = { question, cosine, answer: answers[0]!, edge_answer: null };
    const unread = likenessOf(asked, null, before);
    // Where no reading would make a difference, none is made.
    const agreeing = { ...before, answer: "same", edge_answer: "same" };
    const open = unread === null && likenessOf(asked, "same", agreeing) !== null;
    const told = open ? { ...before, edge_answer: reading(question) } : before;
    const read = open ? likenessOf(asked, reading(asked), told) : unread;
    return { ...pair, cosine, read, unread };
  };
}

function hitsAt(pairs: readonly Judged[], threshold: number, by: "read" | "unread" = "read") {
  return pairs.map((pair) => Number(pair[by] !== null && pair.cosine >= threshold));
}
