/** A prior for prompts that memory says nothing about: by how much likelier a strong engine is to
 *  be right than a weak one, from how the prompt is written. train/prior.ts fits it. */
import { assert } from "../errors.ts";
import {
  PRIOR_FEATURES,
  type PriorFeatureName,
  type PromptParts,
  priorFeatures,
  splitPrompt,
  textOf,
} from "./prior-features.ts";
import type { Target } from "./target.ts";

/** A prompt's hardness h is the sum of `hard` over its standardized features and over the mean m of
 *  its token embeddings; its edge e is the same sum of `edge`. Then, where c is the chance that a
 *  guess is right,
 *
 *      P(weak wrong) = (1 - c) logistic(weak + h + e)
 *      P(strong wrong) = (1 - c) logistic(strong + h - e)
 *
 *  so that what makes a prompt hard for both is told from what parts them, which is far rarer:
 *  item response theory with two test takers (Rasch, 1960) who guess (Birnbaum, in Lord and Novick,
 *  Statistical Theories of Mental Test Scores, 1968). */
export interface PriorForm {
  features: Record<PriorFeatureName, { mean: number; std: number; hard: number; edge: number }>;
  /** Of each of m's `dim` numbers. */
  tokens: { hard: readonly number[]; edge: readonly number[] };
  weak: number;
  strong: number;
  /** P(the weak is wrong and the strong right) = logistic(bias + weight gain), by gains of prompts
   *  whose subjects were held out. */
  chance: { bias: number; weight: number };
  /** The difficulty that 0, 1, ..., 100 % of held-out prompts do not exceed. */
  percentiles: readonly number[];
}

/** models/prior.json: weights of prompts with lettered choices, and weights fitted to the same
 *  prompts without them, for prompts that have none. */
export interface PriorModel {
  version: string;
  /** SHA-256, in hex, of the token embeddings that the weights were fitted to. */
  encoder: string;
  chosen: PriorForm;
  open: PriorForm;
}

/** The mean of the encoder's token embeddings over a text's distinct pieces, f32 [dim]. */
export type AverageTokens = (text: string) => Float32Array;

/** Standardized values further out than this count as this. */
export const DEVIATIONS_MAX = 4;

/** Checks the weights against the features that this build computes and the encoder of `dim` with
 *  these token embeddings; a mismatch is a bug of the release. */
export function parsePrior(model: PriorModel, dim: number, sha256: string): PriorModel {
  assert(model.encoder === sha256, "the prior was fitted to other token embeddings");
  for (const form of [model.chosen, model.open]) {
    for (const name of PRIOR_FEATURES) {
      const { mean, std, hard, edge } = form.features[name] ?? {};
      assert(Number.isFinite((mean! + hard! + edge!) / std!), `weights of the prior's ${name}`);
    }
    assert(Object.keys(form.features).length === PRIOR_FEATURES.length, "unknown prior weights");
    const { hard, edge } = form.tokens;
    assert(hard.length === dim && edge.length === dim, "the prior's weights of tokens");
    assert(form.percentiles.length === 101, "percentiles of the prior");
  }
  return model;
}

export interface PriorScore {
  /** P(the strong engine is right) - P(the weak one is), -1..1: what prompts are ranked by. */
  gain: number;
  /** P(the weak engine is wrong and the strong one right), 0..1, rising with the gain. */
  difficulty: number;
  /** By whose weights. */
  form: PriorForm;
}

/** The score of a prompt, of which a bounded part is read: .15 ms on MMLU, of 365
 *  characters on average (`npm run eval -- routellm`). */
export function scorePrior(
  model: PriorModel,
  prompt: string,
  averageTokens: AverageTokens,
): PriorScore {
  const parts = splitPrompt(prompt);
  const form = parts.choices.length > 0 ? model.chosen : model.open;
  const values = priorFeatures(parts);
  let hard = 0;
  let edge = 0;
  for (const name of PRIOR_FEATURES) {
    const weights = form.features[name];
    const z = standardize(values[name], weights.mean, weights.std);
    hard += weights.hard * z;
    edge += weights.edge * z;
  }
  for (const [j, x] of averageTokens(textOf(parts)).entries()) {
    hard += form.tokens.hard[j]! * x;
    edge += form.tokens.edge[j]! * x;
  }
  const gain = gainOf(form.weak + hard + edge, form.strong + hard - edge, guessOf(parts));
  return { gain, difficulty: sigmoid(form.chance.bias + form.chance.weight * gain), form };
}

/** The largest difficulty that stays at the edge by `target`, of prompts of this form; -1: none
 *  does. Only a share can be kept: the prior knows neither how often the engine at hand errs nor
 *  what a backend costs, so a budget comes here as the share that it pays for. */
export function priorThreshold(target: Target, { percentiles }: PriorForm): number {
  if (!("backend_share" in target)) return -1;
  const kept = Math.round(100 * (1 - target.backend_share));
  if (kept === 0) return -1;
  return kept === 100 ? 1 : percentiles[kept]!;
}

/** The chance that a guess is right: nothing where there is nothing to choose from. */
export function guessOf({ choices }: PromptParts): number {
  return choices.length === 0 ? 0 : 1 / choices.length;
}

/** In standard deviations from the mean, bounded; 0, which says nothing, for NaN. */
export function standardize(value: number, mean: number, std: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-DEVIATIONS_MAX, Math.min(DEVIATIONS_MAX, (value - mean) / std));
}

/** P(weak wrong) - P(strong wrong), of their logits, where a guess is right by `guess`. */
export function gainOf(weakLogit: number, strongLogit: number, guess: number): number {
  return (1 - guess) * (sigmoid(weakLogit) - sigmoid(strongLogit));
}

export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
