/** A prior for prompts that memory says nothing about: by how much likelier a strong engine is to
 *  be right than a weak one, from how the prompt is written. train/prior.ts fits it. */
import { assert } from "../errors.ts";
import { PRIOR_FEATURES, type PriorFeatureName, priorFeatures, wordsIn } from "./prior-features.ts";
import type { Target } from "./target.ts";

/** models/prior.json. A prompt's hardness h is the sum of `hard` over its standardized features
 *  and of its words' weights; its edge e is the sum of `edge` over the features. Then
 *
 *      P(weak wrong) = logistic(weak + h + e)    P(strong wrong) = logistic(strong + slope h - e)
 *
 *  so that what makes a prompt hard for both is told from what parts them, which is far rarer:
 *  item response theory with two test takers (Rasch, 1960). */
export interface PriorModel {
  version: string;
  features: Record<PriorFeatureName, { mean: number; std: number; hard: number; edge: number }>;
  words: Readonly<Record<string, number>>;
  weak: number;
  strong: number;
  slope: number;
  /** P(the weak is wrong and the strong right) = logistic(bias + weight gain), by gains of prompts
   *  whose subjects were held out. */
  chance: { bias: number; weight: number };
  /** The difficulty that 0, 1, ..., 100 % of held-out prompts do not exceed. */
  percentiles: readonly number[];
}

/** Standardized values further out than this count as this. */
export const DEVIATIONS_MAX = 4;

/** Checks the weights against the features that this build computes; a mismatch is a bug of the
 *  release. */
export function parsePrior(model: PriorModel): PriorModel {
  for (const name of PRIOR_FEATURES) {
    const { mean, std, hard, edge } = model.features[name] ?? {};
    assert(Number.isFinite((mean! + hard! + edge!) / std!), `weights of the prior's ${name}`);
  }
  assert(Object.keys(model.features).length === PRIOR_FEATURES.length, "unknown prior weights");
  assert(model.percentiles.length === 101, "percentiles of the prior");
  return { ...model, words: Object.assign(Object.create(null), model.words) };
}

export interface PriorScore {
  /** P(the strong engine is right) - P(the weak one is), -1..1: what prompts are ranked by. */
  gain: number;
  /** P(the weak engine is wrong and the strong one right), 0..1, rising with the gain. */
  difficulty: number;
}

/** The score of a prompt, of which a bounded part is read: about 0.1 ms. */
export function scorePrior(model: PriorModel, prompt: string): PriorScore {
  const values = priorFeatures(prompt);
  let hard = 0;
  let edge = 0;
  for (const name of PRIOR_FEATURES) {
    const weights = model.features[name];
    const z = standardize(values[name], weights.mean, weights.std);
    hard += weights.hard * z;
    edge += weights.edge * z;
  }
  for (const word of wordsIn(prompt)) hard += model.words[word] ?? 0;
  const gain = gainOf(model.weak + hard + edge, model.strong + model.slope * hard - edge);
  return { gain, difficulty: sigmoid(model.chance.bias + model.chance.weight * gain) };
}

/** P(the engine at hand does worse on `prompt` than the backend), 0..1. */
export function priorDifficulty(prompt: string, prior: PriorModel): number {
  return scorePrior(prior, prompt).difficulty;
}

/** The largest difficulty that stays at the edge by `target`; -1: none does. Only a share can be
 *  kept: the prior knows neither how often the engine at hand errs nor what a backend costs. */
export function priorThreshold(target: Target, { percentiles }: PriorModel): number {
  if (!("backend_share" in target)) return -1;
  const kept = Math.round(100 * (1 - target.backend_share));
  if (kept === 0) return -1;
  return kept === 100 ? 1 : percentiles[kept]!;
}

/** In standard deviations from the mean, bounded; 0, which says nothing, for NaN. */
export function standardize(value: number, mean: number, std: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-DEVIATIONS_MAX, Math.min(DEVIATIONS_MAX, (value - mean) / std));
}

/** P(weak wrong) - P(strong wrong), of their logits. */
export function gainOf(weakLogit: number, strongLogit: number): number {
  return sigmoid(weakLogit) - sigmoid(strongLogit);
}

export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
