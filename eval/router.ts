/** Does the difficulty score separate the edge's right answers from its wrong ones, and does it
 *  mean what it says? */
import { withService } from "./client.ts";
import { askAll, type OpenAnswer } from "./open.ts";
import { bootstrap, type EvalOptions, type EvalReport } from "./report.ts";
import { auroc, BINS, expectedCalibrationError, type Scored, WRONG_BELOW_F1 } from "./scores.ts";
import { readSquad } from "./squad.ts";

const NAMESPACE = "eval-router";
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
