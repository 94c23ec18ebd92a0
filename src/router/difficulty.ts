/** Difficulty: P(the edge answer is not good enough), by a logistic model over features.
 *  train/difficulty.ts fits it. */
import { assert } from "../errors.ts";
import { type BeforeModel, parseBeforeModel, scoreBefore } from "./before.ts";
import { type CalibrationFile, type CalibrationSet, readCalibration } from "./calibration.ts";
import { FEATURES, type FeatureName } from "./features.ts";
import { type LogisticModel, scoreLogistic } from "./logistic.ts";

/** A weights file, checked. */
export interface DifficultyModel {
  version: string;
  /** Weight of each standardized feature: w (x - mean) / std. */
  weights: Record<FeatureName, { mean: number; std: number; weight: number }>;
  bias: number;
  /** The stage before reading; null where the weights have none. */
  before: BeforeModel | null;
  /** Labelled scores that the weights were not fitted on. */
  calibration: CalibrationSet;
}

/** models/difficulty.json, as it lies there. */
export interface DifficultyFile extends Omit<DifficultyModel, "before" | "calibration"> {
  before?: BeforeModel | null;
  calibration: CalibrationFile;
}

/** Checks the weights file against the features that this build computes; a mismatch is a bug of
 *  the release. */
export function parseDifficultyModel(file: DifficultyFile): DifficultyModel {
  for (const name of FEATURES) {
    const weight = file.weights[name];
    assert(weight !== undefined, `difficulty weights lack ${name}`);
    assert(Number.isFinite(weight.weight / weight.std), `difficulty weight of ${name}`);
  }
  assert(Object.keys(file.weights).length === FEATURES.length, "unknown difficulty weights");
  const before = file.before == null ? null : parseBeforeModel(file.before);
  return { ...file, before, calibration: readCalibration(file.calibration) };
}

/** P(the edge answer is not good enough), 0..1, by both stages: what the reading says, and no less
 *  than was promised before it. */
export function scoreDifficulty(
  model: LogisticModel & { before: BeforeModel | null },
  values: Readonly<Record<string, number>>,
): number {
  const { before } = model;
  const floor = before === null ? 0 : scoreBefore(before, values).floor;
  return Math.max(floor, scoreLogistic(model, values));
}
