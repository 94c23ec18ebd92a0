/** A logistic model over named features. */

export interface LogisticModel {
  /** Weight of each standardized feature: w (x - mean) / std. */
  weights: Record<string, { mean: number; std: number; weight: number }>;
  bias: number;
}

/** The model's probability, 0..1. */
export function scoreLogistic(
  model: LogisticModel,
  values: Readonly<Record<string, number>>,
): number {
  return logistic(contributions(model, values));
}

/** What each feature adds to the logit beside the mean of the fitted examples, and `bias`, which is
 *  theirs: together the logit. `values` may have others than the model's. */
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
