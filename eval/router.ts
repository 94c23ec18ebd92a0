/** Does the difficulty score separate the edge's right answers from its wrong ones, and does it
 *  mean what it says? */
import { withService } from "./client.ts";
import { askAll, type OpenAnswer } from "./open.ts";
import { bootstrap, type EvalOptions, type EvalReport } from "./report.ts";
import { readSquad } from "./squad.ts";

const NAMESPACE = "eval-router";
const BINS = 5;
/** An answer is wrong when its token F1 against the gold answers is below this. */
export const WRONG_BELOW_F1 = 0.5;

interface Scored {
  difficulty: number;
  wrong: boolean;
}

/** Open setting; abstentions are not answers and stay out of every figure but their own. */
export async function evaluateRouter(options: EvalOptions): Promise<EvalReport> {
  const all = readSquad(options.data);
  const questions = all.slice(0, options.limit);
  const { answers, router } = await withService(options.url, async (client) => ({
    answers: await askAll(client, NAMESPACE, questions, all),
    router: await client.call<RouterReply>("GET", "/admin/router"),
  }));
  const scored = scoreAnswers(answers);
  const kept = scored.filter(({ difficulty }) => difficulty <= router.threshold);
  const wrongKept = kept.filter(({ wrong }) => wrong).length;
  return {
    what: "router",
    data: options.data,
    questions: questions.length,
    figures: {
      answers: scored.length,
      abstentions: answers.length - scored.length,
      "wrong, share of answers": scored.filter(({ wrong }) => wrong).length / scored.length,
      AUROC: bootstrap(scored, auroc),
      [`expected calibration error, ${BINS} bins`]: bootstrap(scored, expectedCalibrationError),
      "target: max_risk": router.target.max_risk,
      threshold: router.threshold,
      "kept at the edge, share of questions": kept.length / answers.length,
      "risk of what is kept": kept.length === 0 ? 0 : wrongKept / kept.length,
    },
  };
}

interface RouterReply {
  target: { max_risk: number };
  threshold: number;
}

export function scoreAnswers(answers: readonly OpenAnswer[]): Scored[] {
  return answers
    .filter(({ answer }) => answer !== null)
    .map(({ difficulty, f1 }) => ({ difficulty, wrong: f1 < WRONG_BELOW_F1 }));
}

/** P(a wrong answer scores above a right one), ties counting half, 0..1. O(n log n). */
export function auroc(scored: readonly Scored[]): number {
  const sorted = [...scored].sort((a, b) => a.difficulty - b.difficulty);
  let rankSum = 0;
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (j < sorted.length && sorted[j]!.difficulty === sorted[i]!.difficulty) j += 1;
    const rank = (i + 1 + j) / 2; // the mean of the ranks i + 1 .. j
    for (let m = i; m < j; m++) if (sorted[m]!.wrong) rankSum += rank;
    i = j;
  }
  const wrong = scored.filter((item) => item.wrong).length;
  const right = scored.length - wrong;
  return (rankSum - (wrong * (wrong + 1)) / 2) / (wrong * right);
}

/** Mean over equal-mass bins, weighted by their size, of |mean difficulty - share wrong|. */
export function expectedCalibrationError(scored: readonly Scored[]): number {
  const sorted = [...scored].sort((a, b) => a.difficulty - b.difficulty);
  let error = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const from = Math.round((bin * sorted.length) / BINS);
    const items = sorted.slice(from, Math.round(((bin + 1) * sorted.length) / BINS));
    const said = items.reduce((sum, { difficulty }) => sum + difficulty, 0);
    const wrong = items.filter((item) => item.wrong).length;
    error += Math.abs(said - wrong) / sorted.length;
  }
  return error;
}
