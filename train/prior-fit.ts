/** Fits the prior of prior.ts: penalized maximum likelihood of both engines' labels at once. The
 *  service itself never fits. */
import { fitLogistic } from "../src/router/fit.ts";
import { gainOf, type PriorModel, sigmoid, standardize } from "../src/router/prior.ts";
import { PRIOR_FEATURES, type PriorFeatures } from "../src/router/prior-features.ts";
import { minimize } from "./lbfgs.ts";

export interface PriorExample {
  /** A subject: its prompts are held out together. */
  group: string;
  features: PriorFeatures;
  words: ReadonlySet<string>;
  weakWrong: boolean;
  strongWrong: boolean;
}

export interface PriorSettings {
  /** How much more the strong engine's logit moves with hardness than the weak one's. */
  slope: number;
  /** Half of each times the squared weights is added to the log loss. */
  hardPenalty: number;
  edgePenalty: number;
  wordPenalty: number;
}

/** A word has a weight if so many training prompts of so many subjects have it: rarer ones tell the
 *  subject. */
const WORD_PROMPTS_MIN = 60;
const WORD_GROUPS_MIN = 12;
/** A penalty that holds a weight at 0: nothing it gains could pay for it. */
const HELD = 1e12;
/** About what an example adds to the Hessian's diagonal: twice p (1 - p), of unit variance. */
const CURVATURE = 0.3;
const F = PRIOR_FEATURES.length;

/** All examples laid out once, for the many fits of a cross-validation. */
export class PriorTable {
  readonly n: number;
  readonly groups: readonly string[];
  readonly vocabulary: readonly string[];
  /** f64 [n, F], NaN where a feature says nothing. */
  readonly values: Float64Array;
  /** Of each example, indices into `vocabulary`. */
  readonly words: readonly Int32Array[];
  readonly weakWrong: Float64Array;
  readonly strongWrong: Float64Array;

  constructor(examples: readonly PriorExample[]) {
    this.n = examples.length;
    this.groups = examples.map(({ group }) => group);
    this.vocabulary = commonWords(examples);
    const index = new Map(this.vocabulary.map((word, i) => [word, i]));
    this.values = new Float64Array(this.n * F);
    for (const [i, { features }] of examples.entries())
      for (const [j, name] of PRIOR_FEATURES.entries()) this.values[i * F + j] = features[name];
    this.words = examples.map(({ words }) =>
      Int32Array.from([...words].map((word) => index.get(word) ?? -1).filter((id) => id >= 0)),
    );
    this.weakWrong = Float64Array.from(examples, ({ weakWrong }) => Number(weakWrong));
    this.strongWrong = Float64Array.from(examples, ({ strongWrong }) => Number(strongWrong));
  }
}

function commonWords(examples: readonly { group: string; words: ReadonlySet<string> }[]): string[] {
  const seen = new Map<string, { prompts: number; groups: Set<string> }>();
  for (const { group, words } of examples)
    for (const word of words) {
      const of = seen.get(word) ?? { prompts: 0, groups: new Set() };
      of.prompts += 1;
      of.groups.add(group);
      seen.set(word, of);
    }
  return [...seen]
    .filter(
      ([, { prompts, groups }]) => prompts >= WORD_PROMPTS_MIN && groups.size >= WORD_GROUPS_MIN,
    )
    .map(([word]) => word)
    .sort();
}

/** What a fit found: `theta` is hard [F], edge [F], words [V], and the two biases. */
export interface PriorFit {
  settings: PriorSettings;
  mean: Float64Array;
  std: Float64Array;
  theta: Float64Array;
}

/** The fit to the examples `rows`. A word that is rare among them has the weight 0. */
export function fitPrior(
  table: PriorTable,
  rows: readonly number[],
  settings: PriorSettings,
): PriorFit {
  const { mean, std } = scales(table, rows);
  const V = table.vocabulary.length;
  const z = new Float64Array(rows.length * F);
  for (const [r, i] of rows.entries())
    for (let j = 0; j < F; j++)
      z[r * F + j] = standardize(table.values[i * F + j]!, mean[j]!, std[j]!);
  const common = isCommon(table, rows);
  const penalty = new Float64Array(2 * F + V + 2);
  penalty.fill(settings.hardPenalty, 0, F).fill(settings.edgePenalty, F, 2 * F);
  for (let w = 0; w < V; w++) penalty[2 * F + w] = common[w] ? settings.wordPenalty : HELD;
  const loss = lossOf(table, rows, z, settings.slope, penalty);
  const spread = penalty.map((p) => p + CURVATURE * rows.length);
  const theta = minimize(loss, new Float64Array(penalty.length), spread);
  return { settings, mean, std, theta };
}

function isCommon(table: PriorTable, rows: readonly number[]): boolean[] {
  const sets = rows.map((i) => ({ group: table.groups[i]!, ids: table.words[i]! }));
  const prompts = new Int32Array(table.vocabulary.length);
  const groups = table.vocabulary.map(() => new Set<string>());
  for (const { group, ids } of sets)
    for (const id of ids) {
      prompts[id]! += 1;
      groups[id]!.add(group);
    }
  return groups.map(({ size }, id) => prompts[id]! >= WORD_PROMPTS_MIN && size >= WORD_GROUPS_MIN);
}

function scales(table: PriorTable, rows: readonly number[]) {
  const mean = new Float64Array(F);
  const std = new Float64Array(F);
  for (let j = 0; j < F; j++) {
    const column = rows.map((i) => table.values[i * F + j]!).filter((x) => !Number.isNaN(x));
    mean[j] = column.reduce((sum, x) => sum + x, 0) / Math.max(1, column.length);
    const square = column.reduce((sum, x) => sum + (x - mean[j]!) ** 2, 0);
    std[j] = Math.sqrt(square / Math.max(1, column.length)) || 1;
  }
  return { mean, std };
}

/** The weighted log loss of both labels and the penalty, with its gradient. A subject's prompts
 *  are alike, so one with four times the prompts weighs but twice as much. */
function lossOf(
  table: PriorTable,
  rows: readonly number[],
  z: Float64Array,
  slope: number,
  penalty: Float64Array,
) {
  const sizes = new Map<string, number>();
  for (const i of rows) sizes.set(table.groups[i]!, (sizes.get(table.groups[i]!) ?? 0) + 1);
  const raw = rows.map((i) => 1 / Math.sqrt(sizes.get(table.groups[i]!)!));
  const total = raw.reduce((sum, x) => sum + x, 0);
  const weights = raw.map((x) => (x * rows.length) / total);
  const V = table.vocabulary.length;
  return (theta: Float64Array, gradient: Float64Array): number => {
    let loss = 0;
    for (let k = 0; k < theta.length; k++) {
      gradient[k] = penalty[k]! * theta[k]!;
      loss += 0.5 * penalty[k]! * theta[k]! ** 2;
    }
    for (let r = 0; r < rows.length; r++) {
      const i = rows[r]!;
      const ids = table.words[i]!;
      const { hard, edge } = project(theta, z, r * F, ids);
      const weak = theta[2 * F + V]! + hard + edge;
      const strong = theta[2 * F + V + 1]! + slope * hard - edge;
      const w = weights[r]!;
      const [weakWrong, strongWrong] = [table.weakWrong[i]!, table.strongWrong[i]!];
      loss += w * (softplus(weak) - weakWrong * weak + softplus(strong) - strongWrong * strong);
      const weakRest = w * (sigmoid(weak) - weakWrong);
      const strongRest = w * (sigmoid(strong) - strongWrong);
      const byHard = weakRest + slope * strongRest;
      const byEdge = weakRest - strongRest;
      for (let j = 0; j < F; j++) {
        gradient[j]! += byHard * z[r * F + j]!;
        gradient[F + j]! += byEdge * z[r * F + j]!;
      }
      for (let k = 0; k < ids.length; k++) gradient[2 * F + ids[k]!]! += byHard;
      gradient[2 * F + V]! += weakRest;
      gradient[2 * F + V + 1]! += strongRest;
    }
    return loss;
  };
}

function project(theta: Float64Array, z: Float64Array, at: number, ids: Int32Array) {
  let hard = 0;
  let edge = 0;
  for (let j = 0; j < F; j++) {
    hard += theta[j]! * z[at + j]!;
    edge += theta[F + j]! * z[at + j]!;
  }
  for (let k = 0; k < ids.length; k++) hard += theta[2 * F + ids[k]!]!;
  return { hard, edge };
}

/** log(1 + exp(x)), without overflow. */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

/** The gain of one example by a fit. */
export function gainBy(fit: PriorFit, table: PriorTable, i: number): number {
  const z = new Float64Array(F);
  for (let j = 0; j < F; j++)
    z[j] = standardize(table.values[i * F + j]!, fit.mean[j]!, fit.std[j]!);
  const { hard, edge } = project(fit.theta, z, 0, table.words[i]!);
  const [weak, strong] = fit.theta.subarray(-2);
  return gainOf(weak! + hard + edge, strong! + fit.settings.slope * hard - edge);
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

/** The fit in the layout of models/prior.json, its weights to six digits. */
export function toModel(
  fit: PriorFit,
  table: PriorTable,
  chance: PriorModel["chance"],
): Omit<PriorModel, "version" | "percentiles"> {
  const { theta, mean, std } = fit;
  const round = (x: number) => Number(x.toPrecision(6));
  const features = PRIOR_FEATURES.map((name, j) => [
    name,
    {
      mean: mean[j]!,
      std: std[j]!,
      hard: round(theta[j]!),
      edge: round(theta[F + j]!),
    },
  ]);
  const words = table.vocabulary.map((word, w) => [word, round(theta[2 * F + w]!)] as const);
  const [weak, strong] = theta.subarray(-2);
  return {
    features: Object.fromEntries(features),
    words: Object.fromEntries(words.filter(([, weight]) => weight !== 0)),
    weak: round(weak!),
    strong: round(strong!),
    slope: fit.settings.slope,
    chance: { bias: round(chance.bias), weight: round(chance.weight) },
  };
}
