/** Does the difficulty score separate the edge's right answers from its wrong ones, and does it
 *  mean what it says? */
import { withService } from "./client.ts";
import { askAll, type OpenAnswer } from "./open.ts";
import { bootstrap, type EvalOptions, type EvalReport } from "./report.ts";
import { trySplits } from "./router-splits.ts";
import { auroc, BINS, expectedCalibrationError, type Scored, WRONG_BELOW_F1 } from "./scores.ts";
import { readSquad } from "./squad.ts";

const NAMESPACE = "eval-router";
const SPLITS = 1_000;
const TARGET = { max_risk: 0.1, confidence: 0.95 };

/** Open setting; abstentions are not answers and stay out of every figure but their own. */
export async function evaluateRouter(options: EvalOptions): Promise<EvalReport> {
  const { answers, router, others } = await withService(options.url, async (client) => {
    const ask = (path: string, namespace: string) => {
      const all = readSquad(path);
      return askAll(client, namespace, all.slice(0, options.limit), all);
    };
    return {
      answers: await ask(options.data, NAMESPACE),
      router: await client.call<RouterReply>("GET", "/admin/router"),
      others: options.pool === null ? [] : await ask(options.pool, `${NAMESPACE}-pool`),
    };
  });
  const scored = scoreAnswers(answers);
  const kept = scored.filter(({ difficulty }) => difficulty <= router.threshold);
  const wrongKept = kept.filter(({ wrong }) => wrong).length;
  const separation = bootstrap(scored, auroc);
  const calibration = bootstrap(scored, expectedCalibrationError);
  const splits = others.length === 0 ? null : reportSplits([...answers, ...others]);
  return {
    what: "router",
    data: options.data,
    questions: answers.length,
    figures: {
      answers: scored.length,
      abstentions: answers.length - scored.length,
      "wrong, share of answers": scored.filter(({ wrong }) => wrong).length / scored.length,
      AUROC: separation,
      [`expected calibration error, ${BINS} bins`]: calibration,
      ...(router.target.max_risk !== undefined && { "target: max_risk": router.target.max_risk }),
      threshold: router.threshold,
      "kept at the edge, share of questions": kept.length / answers.length,
      "risk of what is kept": kept.length === 0 ? 0 : wrongKept / kept.length,
      ...splits?.figures,
    },
    bounds: [
      { name: "AUROC", value: separation.value, least: 0.82 },
      { name: "expected calibration error", value: calibration.value, most: 0.05 },
      ...(splits?.bounds ?? []),
    ],
  };
}

interface RouterReply {
  target: { max_risk?: number };
  threshold: number;
}

function reportSplits(answers: readonly OpenAnswer[]): Pick<EvalReport, "figures" | "bounds"> {
  const { broken, coverage, risk, questions } = trySplits(answers, TARGET, SPLITS);
  return {
    figures: {
      [`${SPLITS} random halves of ${questions} questions, max_risk ${TARGET.max_risk}: broken`]:
        broken,
      "... risk, mean": risk,
      "... kept at the edge, share of questions": coverage.mean,
      "... and in the leanest twentieth of the halves, at most": coverage.low,
    },
    bounds: [
      { name: "halves whose promise is broken", value: broken, most: 1 - TARGET.confidence },
      { name: "kept at the edge by a half's threshold", value: coverage.mean, least: 0.3 },
    ],
  };
}

export function scoreAnswers(answers: readonly OpenAnswer[]): Scored[] {
  return answers
    .filter(({ answer }) => answer !== null)
    .map(({ difficulty, f1 }) => ({ difficulty, wrong: f1 < WRONG_BELOW_F1 }));
}
