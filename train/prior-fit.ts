/** Fits the prior of prior.ts: penalized maximum likelihood of both engines' labels at once. The
 *  service itself never fits. */
import { fitLogistic } from "../src/router/fit.ts";
import { gainOf, type PriorForm, sigmoid, standardize } from "../src/router/prior.ts";
import { PRIOR_FEATURES, type PriorFeatures } from "../src/router/prior-features.ts";
import type { Loss } from "./lbfgs.ts";
import { minimize } from "./lbfgs.ts";
import { dot } from "./token-basis.ts";

export interface PriorExample {
  /** A subject: its prompts are held out together. */
  group: string;
  features: PriorFeatures;
  /** The mean of its token embeddings, [dim]. */
  tokens: ArrayLike<number>;
  /** The chance that a guess was right, of those who made the labels. */
  guess: number;
  weakWrong: boolean;
  strongWrong: boolean;
}

export interface PriorSettings {
  /** Half of each times the squared weights is added to the log loss. */
  hardPenalty: number;
  edgePenalty: number;
}

/** About what an example adds to the Hessian's diagonal: twice p (1 - p), of unit variance. */
const CURVATURE = 0.3;
const F = PRIOR_FEATURES.length;

/** All examples laid out once, for the many fits of a cross-validation. */
export class PriorTable {
  readonly n: number;
  /** F features, then one column for each direction of `basis`. */
  readonly columns: number;
  readonly basis: readonly Float64Array[];
  readonly groups: readonly string[];
  /** f64 [n, columns], NaN where a feature says nothing. */
  readonly values: Float64Array;
  readonly guess: Float64Array;
  readonly weakWrong: Float64Array;
  readonly strongWrong: Float64Array;

  constructor(examples: readonly PriorExample[], basis: readonly Float64Array[]) {
    this.n = examples.length;
    this.columns = F + basis.length;
    this.basis = basis;
    this.groups = examples.map(({ group }) => group);
    this.values = new Float64Array(this.n * this.columns);
    for (const [i, { features, tokens }] of examples.entries()) {
      const row = this.values.subarray(i * this.columns, (i + 1) * this.columns);
      for (const [j, name] of PRIOR_FEATURES.entries()) row[j] = features[name];
      for (const [k, direction] of basis.entries()) row[F + k] = dot(direction, tokens);
    }
    this.guess = Float64Array.from(examples, ({ guess }) => guess);
    this.weakWrong = Float64Array.from(examples, ({ weakWrong }) => Number(weakWrong));
    this.strongWrong = Float64Array.from(examples, ({ strongWrong }) => Number(strongWrong));
  }
}

/** What a fit found: `theta` is hard [columns], edge [columns], and the two biases. */
export interface PriorFit {
  settings: PriorSettings;
  mean: Float64Array;
  std: Float64Array;
  theta: Float64Array;
}

/** The fit to the examples `rows`. */
export function fitPrior(
  table: PriorTable,
  rows: readonly number[],
  settings: PriorSettings,
): PriorFit {
  const { columns } = table;
  const { mean, std } = scales(table, rows);
  const penalty = new Float64Array(2 * columns + 2);
  penalty.fill(settings.hardPenalty, 0, columns).fill(settings.edgePenalty, columns, 2 * columns);
  const loss = lossOf(table, rows, { mean, std }, penalty);
  const spread = penalty.map((p) => p + CURVATURE * rows.length);
  const theta = minimize(loss, new Float64Array(penalty.length), spread);
  return { settings, mean, std, theta };
}

/** A column without values, or with one alone, has the standard deviation 1. */
function scales(table: PriorTable, rows: readonly number[]) {
  const { columns } = table;
  const mean = new Float64Array(columns);
  const std = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    const column = rows.map((i) => table.values[i * columns + j]!).filter((x) => !Number.isNaN(x));
    mean[j] = column.reduce((sum, x) => sum + x, 0) / Math.max(1, column.length);
    const square = column.reduce((sum, x) => sum + (x - mean[j]!) ** 2, 0);
    std[j] = Math.sqrt(square / Math.max(1, column.length)) || 1;
  }
  return { mean, std };
}

type Scales = Pick<PriorFit, "mean" | "std">;

/** Example i as the weights see it, [columns]. Directions are not bounded, as serving knows only
 *  their weighted sum. */
function scaled(table: PriorTable, i: number, { mean, std }: Scales, out: Float64Array): void {
  const at = i * table.columns;
  for (let j = 0; j < F; j++) out[j] = standardize(table.values[at + j]!, mean[j]!, std[j]!);
  for (let j = F; j < table.columns; j++) out[j] = (table.values[at + j]! - mean[j]!) / std[j]!;
}

/** The weighted log loss of both labels and the penalty, with its gradient. A subject's prompts
 *  are alike, so one with four times the prompts weighs but twice as much. */
export function lossOf(
  table: PriorTable,
  rows: readonly number[],
  scale: Scales,
  penalty: Float64Array,
): Loss {
  const { columns } = table;
  const weights = weightsOf(rows.map((i) => table.groups[i]!));
  const z = new Float64Array(rows.length * columns);
  for (const [r, i] of rows.entries())
    scaled(table, i, scale, z.subarray(r * columns, (r + 1) * columns));
  return (theta, gradient) => {
    let loss = 0;
    for (let k = 0; k < theta.length; k++) {
      gradient[k] = penalty[k]! * theta[k]!;
      loss += 0.5 * penalty[k]! * theta[k]! ** 2;
    }
    for (let r = 0; r < rows.length; r++) {
      const i = rows[r]!;
      const at = r * columns;
      const { weak, strong } = logitsOf(theta, z, at, columns);
      const w = weights[r]!;
      const [weakWrong, strongWrong, guess] = [
        table.weakWrong[i]!,
        table.strongWrong[i]!,
        table.guess[i]!,
      ];
      loss += w * (lossAt(weak, weakWrong, guess) + lossAt(strong, strongWrong, guess));
      const byWeak = w * slopeAt(weak, weakWrong, guess);
      const byStrong = w * slopeAt(strong, strongWrong, guess);
      for (let j = 0; j < columns; j++) {
        gradient[j]! += (byWeak + byStrong) * z[at + j]!;
        gradient[columns + j]! += (byWeak - byStrong) * z[at + j]!;
      }
      gradient[2 * columns]! += byWeak;
      gradient[2 * columns + 1]! += byStrong;
    }
    return loss;
  };
}

/** 1 / sqrt(the group's size), times what makes them sum to their number. */
function weightsOf(groups: readonly string[]): number[] {
  const sizes = new Map<string, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const raw = groups.map((group) => 1 / Math.sqrt(sizes.get(group)!));
  const total = raw.reduce((sum, x) => sum + x, 0);
  return raw.map((x) => (x * groups.length) / total);
}

function logitsOf(theta: Float64Array, z: Float64Array, at: number, columns: number) {
  let hard = 0;
  let edge = 0;
  for (let j = 0; j < columns; j++) {
    hard += theta[j]! * z[at + j]!;
    edge += theta[columns + j]! * z[at + j]!;
  }
  return {
    weak: theta[2 * columns]! + hard + edge,
    strong: theta[2 * columns + 1]! + hard - edge,
  };
}

/** -log P(label), where P(wrong) = (1 - guess) logistic(logit). */
function lossAt(logit: number, wrong: number, guess: number): number {
  // P(right) = (1 + guess exp(logit)) / (1 + exp(logit)).
  if (wrong === 1) return softplus(-logit) - Math.log1p(-guess);
  return softplus(logit) - softplus(logit + Math.log(guess));
}

/** Its derivative by the logit. */
function slopeAt(logit: number, wrong: number, guess: number): number {
  return sigmoid(logit) - (wrong === 1 ? 1 : sigmoid(logit + Math.log(guess)));
}

/** log(1 + exp(x)), without overflow. */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

export interface Judged {
  /** P(strong right) - P(weak right) where a guess is right as often as in the labels. */
  gain: number;
  /** -log P(both labels). */
  loss: number;
}

/** One example by a fit. */
export function judge(fit: PriorFit, table: PriorTable, i: number): Judged {
  const z = new Float64Array(table.columns);
  scaled(table, i, fit, z);
  const { weak, strong } = logitsOf(fit.theta, z, 0, table.columns);
  const guess = table.guess[i]!;
  const loss =
    lossAt(weak, table.weakWrong[i]!, guess) + lossAt(strong, table.strongWrong[i]!, guess);
  return { gain: gainOf(weak, strong, guess), loss };
}

/** logistic(bias + weight gain), fitted to whether the weak was wrong and the strong right. */
export function fitChance(gains: readonly number[], gained: readonly boolean[]) {
  const { weights, bias } = fitLogistic(
    gains.map((gain) => [gain]),
    gained.map(Number),
    0,
  );
  return { bias, weight: weights[0]! };
}

/** The fit in the layout of models/prior.json, its weights to six digits: those of directions as
 *  weights of the token embeddings, and what they are at the mean in the biases. */
export function toForm(
  { theta, mean, std }: PriorFit,
  { basis, columns }: PriorTable,
): Pick<PriorForm, "features" | "tokens" | "weak" | "strong"> {
  const round = (x: number) => Number(x.toPrecision(6));
  const features = PRIOR_FEATURES.map((name, j) => [
    name,
    { mean: mean[j]!, std: std[j]!, hard: round(theta[j]!), edge: round(theta[columns + j]!) },
  ]);
  const fold = (from: number) => {
    const sum = new Float64Array(basis[0]?.length ?? 0);
    let atMean = 0;
    for (const [k, direction] of basis.entries()) {
      const weight = theta[from + F + k]! / std[F + k]!;
      for (let j = 0; j < sum.length; j++) sum[j]! += weight * direction[j]!;
      atMean += weight * mean[F + k]!;
    }
    return { weights: Array.from(sum, round), atMean };
  };
  const [hard, edge] = [fold(0), fold(columns)];
  return {
    features: Object.fromEntries(features),
    tokens: { hard: hard.weights, edge: edge.weights },
    weak: round(theta[2 * columns]! - hard.atMean - edge.atMean),
    strong: round(theta[2 * columns + 1]! - hard.atMean + edge.atMean),
  };
}
