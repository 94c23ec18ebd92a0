/** Weights from what the edge answered to labelled questions, and how good they are. */
import { bootstrap, type Figure } from "../eval/report.ts";
import { auroc, expectedCalibrationError } from "../eval/scores.ts";
import type { BeforeModel } from "../src/router/before.ts";
import { scoreDifficulty } from "../src/router/difficulty.ts";
import { FEATURES } from "../src/router/features.ts";
import { foldOf, type GroupFit } from "../src/router/fit.ts";
import { fitStages, type StagedExample } from "../src/router/fit-stages.ts";
import type { LogisticModel } from "../src/router/logistic.ts";
import { CommandError } from "./command.ts";
import { CLI_TRAIN_ANSWERS_MIN, CLI_TRAIN_GROUPS_MIN, CLI_TRAIN_LABELS_MIN } from "./limits.ts";
import type { Judged } from "./router-ask.ts";

/** Of FOLDS parts of the groups, so many set thresholds and are kept out of the fit. */
const THRESHOLD_FOLDS = 2;

/** An answer with both difficulties: by the new weights, which have not seen it, and as served. */
export interface Compared {
  fresh: number;
  active: number;
  wrong: boolean;
}

export interface Trained {
  /** Both stages. */
  ridge: LogisticModel & { before: BeforeModel };
  penalty: number;
  losses: GroupFit["losses"];
  /** Of the answers that the fit did not see: what thresholds are set by. */
  scores: { difficulty: number; wrong: boolean }[];
  /** Every answer; in a fit that held it out, or by the others' folds. */
  compared: Compared[];
  fitted: { answers: number; groups: number };
  held: { answers: number; groups: number };
  /** Whether the questions stood each for itself, for want of groups. */
  alone: boolean;
}

/** Fits on a part of the groups, with the penalty that cross-validation over them chooses, and
 *  scores the others. Throws CommandError where there is too little to learn from. */
export function trainOn(
  judged: readonly Judged[],
  progress: (share: number) => void = () => {},
): Trained {
  const answers = judged.filter(({ answer }) => answer !== null);
  refuseTooFew(answers);
  const alone = new Set(answers.map(({ group }) => group)).size < CLI_TRAIN_GROUPS_MIN;
  const staged = judged.flatMap((one) => {
    const values = featuresOf(one);
    if (values === null) return []; // an abstention that nothing is known of
    const abstained = one.answer === null;
    const group = alone ? one.question : one.group;
    const example: StagedExample = { group, values, wrong: one.wrong || abstained, abstained };
    return [example];
  });
  const folds = foldOf(staged.map(({ group }) => group));
  const stagedFit = staged.filter((_, n) => folds[n]! >= THRESHOLD_FOLDS);
  const { model: ridge, after, heldOut } = fitStages(stagedFit, progress);
  const examples = staged.filter(({ abstained }) => !abstained);
  const isHeld = folds
    .filter((_, n) => !staged[n]!.abstained)
    .map((fold) => fold < THRESHOLD_FOLDS);
  let next = 0; // of `heldOut`, which is in the order of the fitted answers
  const fresh = examples.map(({ values }, n) =>
    isHeld[n] ? scoreDifficulty(ridge, values) : heldOut[next++]!,
  );
  const compared = answers.map(({ difficulty, wrong }, n) => {
    return { fresh: fresh[n]!, active: difficulty, wrong };
  });
  const fitted = examples.filter((_, n) => !isHeld[n]);
  const held = examples.filter((_, n) => isHeld[n]);
  const scores = compared.filter((_, n) => isHeld[n]);
  const { penalty, losses } = after;
  return {
    ridge,
    penalty,
    losses,
    scores: scores.map(({ fresh: difficulty, wrong }) => ({ difficulty, wrong })),
    compared,
    fitted: countOf(fitted),
    held: countOf(held),
    alone,
  };
}

function countOf(part: readonly StagedExample[]) {
  return { answers: part.length, groups: new Set(part.map(({ group }) => group)).size };
}

function refuseTooFew(answers: readonly Judged[]): void {
  const wrong = answers.filter((one) => one.wrong).length;
  const rarer = Math.min(wrong, answers.length - wrong);
  if (answers.length < CLI_TRAIN_ANSWERS_MIN)
    throw new CommandError(
      `the edge gave ${answers.length} answers, weights need ${CLI_TRAIN_ANSWERS_MIN}: ` +
        "label more questions that the memory answers, or only calibrate",
    );
  if (rarer < CLI_TRAIN_LABELS_MIN)
    throw new CommandError(
      `${wrong} of ${answers.length} answers are wrong: weights need ${CLI_TRAIN_LABELS_MIN} of ` +
        "the wrong and of the right; only calibrate, or label questions of all kinds",
    );
}

/** Those that this build knows; null of an abstention that has none. Throws CommandError where the
 *  service's are others. */
function featuresOf({ source, answer, features }: Judged): Record<string, number> | null {
  const lacking = FEATURES.filter((name) => !Number.isFinite(features?.[name]));
  if (lacking.length > 0 && answer === null) return null;
  if (lacking.length > 0)
    throw new CommandError(
      `${source}: the service did not say ${lacking.join(", ")} of its answer: ` +
        "use the command line of the service's own release",
    );
  return features!;
}

/** Of the new weights, of the active ones, and by how much the new are better (positive). */
export interface Comparison {
  fresh: Figure;
  active: Figure;
  gain: Figure;
}

export interface Comparisons {
  auroc: Comparison;
  ece: Comparison;
}

/** Intervals that `compare` works out. */
export const COMPARED_FIGURES = 6;

/** Both on the same answers; intervals of the gains by resampling pairs. `done` is called after
 *  each of COMPARED_FIGURES intervals: of 20,000 answers one takes 10 to 30 s. */
export function compare(compared: readonly Compared[], done: () => void = () => {}): Comparisons {
  const interval = (statistic: (items: readonly Compared[]) => number) => {
    const figure = bootstrap(compared, statistic);
    done();
    return figure;
  };
  const by = (which: "fresh" | "active") => (items: readonly Compared[]) =>
    items.map((item) => ({ difficulty: item[which], wrong: item.wrong }));
  const both = (statistic: typeof auroc, sign: 1 | -1): Comparison => {
    const of = (which: "fresh" | "active") => (items: readonly Compared[]) =>
      statistic(by(which)(items));
    const gain = (items: readonly Compared[]) => sign * (of("fresh")(items) - of("active")(items));
    return {
      fresh: interval(of("fresh")),
      active: interval(of("active")),
      gain: interval(gain),
    };
  };
  return { auroc: both(auroc, 1), ece: both(expectedCalibrationError, -1) };
}
