/** Fits both stages of a difficulty: what is known before reading and after it. */
import { type BeforeModel, fitFloors, scoreBefore } from "./before.ts";
import { FEATURES } from "./features.ts";
import { QUESTION_FEATURES } from "./features-question.ts";
import { type Example, fitByGroup, type GroupFit } from "./fit.ts";
import type { LogisticModel } from "./logistic.ts";

/** A question with all its features; `wrong` where the edge has no good enough answer, so also
 *  where it abstained. */
export interface StagedExample extends Example {
  abstained: boolean;
}

export interface StagedFit {
  /** After reading, of answers alone: an abstention has difficulty 1 whatever its features are. */
  after: GroupFit;
  /** Before reading, of abstentions too: they are known only once it was read. */
  before: GroupFit;
  model: LogisticModel & { before: BeforeModel };
  /** The difficulty of each answer, in the order given: the reading's by weights of the other
   *  folds, but no less than the floor by `model`, which saw all answers. */
  heldOut: number[];
}

/** `progress` gets the share that is done. Throws where there are fewer than two groups. */
export function fitStages(
  examples: readonly StagedExample[],
  progress: (share: number) => void = () => {},
): StagedFit {
  const answers = examples.filter(({ abstained }) => !abstained);
  const after = fitByGroup(FEATURES, answers, (share) => progress(share / 2));
  const before = fitByGroup(QUESTION_FEATURES, examples, (share) => progress(0.5 + share / 2));
  const known = before.heldOut.filter((_, n) => !examples[n]!.abstained);
  const both = after.heldOut.map((chance, n) => ({ after: chance, before: known[n]! }));
  const first: BeforeModel = { ...before.model, floors: fitFloors(both) };
  const heldOut = answers.map(({ values }, n) =>
    Math.max(both[n]!.after, scoreBefore(first, values).floor),
  );
  return { after, before, model: { ...after.model, before: first }, heldOut };
}
