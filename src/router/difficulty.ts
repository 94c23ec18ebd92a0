/** Difficulty: P(the edge answer is not good enough), by a logistic model over features.
 *  train/difficulty.ts fits it. */
import { assert } from "../errors.ts";
import { FEATURES, type FeatureName, type Features } from "./features.ts";

/** models/difficulty.json, checked. */
export interface DifficultyModel {
  version: string;
  /** Weight of each standardized feature: w (x - mean) / std. */
  weights: Record<FeatureName, { mean: number; std: number; weight: number }>;
  bias: number;
  /** Of held-out questions, by ascending threshold: how many answers had a difficulty of at most
   *  `threshold`, and how many of those were wrong. Cumulative. */
  calibration: readonly { threshold: number; answered: number; wrong: number }[];
  /** The share of calibration sets, 0..1, on which a chosen threshold keeps its risk. */
  confidence: number;
}

/** Checks the weights file against the features that this build computes; a mismatch is a bug of
 *  the release. */
export function parseDifficultyModel(file: DifficultyModel): DifficultyModel {
  for (const name of FEATURES) {
    const weight = file.weights[name];
    assert(weight !== undefined, `difficulty weights lack ${name}`);
    assert(Number.isFinite(weight.weight / weight.std), `difficulty weight of ${name}`);
  }
  assert(Object.keys(file.weights).length === FEATURES.length, "unknown difficulty weights");
  return file;
}

/** P(the edge answer is not good enough), 0..1: the logistic of the weighted features. */
export function scoreDifficulty(model: DifficultyModel, values: Features): number {
  let logit = model.bias;
  for (const name of FEATURES) {
    const { mean, std, weight } = model.weights[name];
    logit += (weight * (values[name] - mean)) / std;
  }
  return 1 / (1 + Math.exp(-logit));
}
