/** Difficulty: P(the edge answer is not good enough), by a logistic model over features.
 *  train/difficulty.ts fits it. */
import { assert } from "../errors.ts";
import { type CalibrationFile, type CalibrationSet, readCalibration } from "./calibration.ts";
import { FEATURES, type FeatureName } from "./features.ts";

/** A weights file, checked. */
export interface DifficultyModel {
  version: string;
  /** Weight of each standardized feature: w (x - mean) / std. */
  weights: Record<FeatureName, { mean: number; std: number; weight: number }>;
  bias: number;
  /** Labelled scores that the weights were not fitted on. */
  calibration: CalibrationSet;
}

/** models/difficulty.json, as it lies there. */
export interface DifficultyFile extends Omit<DifficultyModel, "calibration"> {
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
  return { ...file, calibration: readCalibration(file.calibration) };
}

/** w (x - mean) / std of each feature, and the bias. */
export interface LogisticModel {
  weights: Record<string, { mean: number; std: number; weight: number }>;
  bias: number;
}

/** P(the edge answer is not good enough), 0..1. */
export function scoreDifficulty(
  model: LogisticModel,
  values: Readonly<Record<string, number>>,
): number {
  return logistic(contributions(model, values));
}

/** What each feature adds to the logit of the difficulty beside the mean of the fitted questions,
 *  and `bias`, which is theirs: together the logit. Above 0 is harder. */
export function contributions(
  { weights, bias }: LogisticModel,
  values: Readonly<Record<string, number>>,
): Record<string, number> {
  const parts: Record<string, number> = { bias };
  for (const [name, { mean, std, weight }] of Object.entries(weights))
    parts[name] = (weight * (values[name]! - mean)) / std;
  return parts;
}

/** The probability, 0..1, whose logit has these parts. */
export function logistic(parts: Readonly<Record<string, number>>): number {
  let logit = 0;
  for (const part of Object.values(parts)) logit += part;
  return 1 / (1 + Math.exp(-logit));
}
