/** Fits a ridge-penalized logistic regression over named features: how the weights of a difficulty
 *  are made, by train/difficulty.ts and by an operator's `npx brink router train`. The service
 *  itself never fits. */
import { assert } from "../errors.ts";
import { type LogisticModel, scoreLogistic } from "./logistic.ts";

/** One answer: what was seen of it, and whether it was wrong. */
export interface Example {
  /** Examples of one group (an article, a document) are held out together. */
  group: string;
  values: Readonly<Record<string, number>>;
  wrong: boolean;
}

export interface LogisticFit {
  weights: number[];
  bias: number;
}

/** Strengths of the penalty that cross-validation tries, ascending. */
export const PENALTIES: readonly number[] = [0.3, 1, 3, 10, 30, 100];
export const FOLDS = 5;
const STEPS_MAX = 50;
const CONVERGED = 1e-9;
/** A pivot this small beside the greatest one is what rounding left of 0. */
const PIVOT_MIN = 1e-13;
// A chance of exactly 0 or 1 would make one example's loss infinite.
const CHANCE_MIN = 1e-12;

/** The model of standardized `names` that minimizes log loss + `penalty` / 2 * |weights|^2. A
 *  feature that never varies has the weight 0. O(n d^2) a step, a few steps. */
export function fitRidge(
  names: readonly string[],
  examples: readonly Example[],
  penalty: number,
): LogisticModel {
  const scales = names.map((name) => scaleOf(examples.map(({ values }) => values[name]!)));
  const rows = examples.map(({ values }) =>
    names.map((name, j) => (values[name]! - scales[j]!.mean) / scales[j]!.std),
  );
  const labels = examples.map(({ wrong }) => (wrong ? 1 : 0));
  const { weights, bias } = fitLogistic(rows, labels, penalty);
  const named = names.map((name, j) => [name, { ...scales[j]!, weight: weights[j]! }] as const);
  return { weights: Object.fromEntries(named), bias };
}

export interface CrossValidation {
  /** Of PENALTIES the greatest whose loss is within one standard error of the least (Breiman et al.
   *  1984, the one-standard-error rule): groups to come differ more than examples of these do. */
  penalty: number;
  /** By penalty: the mean log loss of examples whose group was left out, in nats, and its standard
   *  error over the folds. */
  losses: { penalty: number; loss: number; error: number }[];
  /** P(wrong) of each example by the chosen penalty's model of the other folds. The penalty has
   *  seen them; the weights have not. */
  heldOut: number[];
}

export interface GroupFit extends CrossValidation {
  model: LogisticModel;
}

/** The ridge model of the penalty that cross-validation over groups chooses, with its logit and
 *  those of `heldOut` stretched and shifted so that chances mean what they say of groups that were
 *  left out (Platt 1999): a penalty that ranks unseen groups best also draws chances to the middle.
 *  `progress` gets the share that is done. */
export function fitByGroup(
  names: readonly string[],
  examples: readonly Example[],
  progress: (share: number) => void = () => {},
): GroupFit {
  const { penalty, losses, heldOut } = crossValidate(names, examples, progress);
  const { weights, bias } = fitRidge(names, examples, penalty);
  const logits = heldOut.map(logitOf);
  const labels = examples.map(({ wrong }) => (wrong ? 1 : 0));
  const { slope, shift } = stretchOf(logits, labels);
  const stretched = Object.entries(weights).map(
    ([name, one]) => [name, { ...one, weight: one.weight * slope }] as const,
  );
  return {
    model: { weights: Object.fromEntries(stretched), bias: bias * slope + shift },
    penalty,
    losses,
    heldOut: logits.map((logit) => 1 / (1 + Math.exp(-slope * logit - shift))),
  };
}

/** The line of the logits that fits the labels best, among those that do not turn the order around:
 *  where a falling one would be best, a level one. */
function stretchOf(logits: readonly number[], labels: readonly number[]) {
  const rows = logits.map((logit) => [logit]);
  const { weights, bias } = fitLogistic(rows, labels, 0);
  if (weights[0]! >= 0) return { slope: weights[0]!, shift: bias };
  const level = rows.map(() => []);
  return { slope: 0, shift: fitLogistic(level, labels, 0).bias };
}

function logitOf(chance: number): number {
  const kept = Math.min(1 - CHANCE_MIN, Math.max(CHANCE_MIN, chance));
  return Math.log(kept / (1 - kept));
}

/** Chooses the penalty by cross-validation over groups. `progress` gets the share that is done. */
export function crossValidate(
  names: readonly string[],
  examples: readonly Example[],
  progress: (share: number) => void = () => {},
): CrossValidation {
  const folds = foldOf(examples.map(({ group }) => group));
  const count = Math.max(...folds) + 1;
  assert(count > 1, "cross-validation needs two groups");
  const tried = PENALTIES.map((penalty, i) => {
    const heldOut = new Array<number>(examples.length);
    for (let fold = 0; fold < count; fold++) {
      const others = examples.filter((_, n) => folds[n] !== fold);
      const model = fitRidge(names, others, penalty);
      for (const [n, { values }] of examples.entries())
        if (folds[n] === fold) heldOut[n] = scoreLogistic(model, values);
      progress((i * count + fold + 1) / (PENALTIES.length * count));
    }
    return { penalty, ...lossOf(heldOut, examples, folds), heldOut };
  });
  const best = tried.reduce((least, one) => (one.loss < least.loss ? one : least));
  const { penalty, heldOut } = tried.findLast(({ loss }) => loss <= best.loss + best.error)!;
  return { penalty, losses: tried.map(({ heldOut: _, ...shown }) => shown), heldOut };
}

/** The fold of each item, 0..FOLDS - 1, so that a group is in one fold and folds are about equally
 *  large: the largest group first, each to the smallest fold so far. */
export function foldOf(groups: readonly string[]): number[] {
  const sizes = new Map<string, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const folds = new Array<number>(Math.min(FOLDS, sizes.size)).fill(0);
  const chosen = new Map<string, number>();
  const ordered = [...sizes].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  for (const [group, size] of ordered) {
    const fold = folds.indexOf(Math.min(...folds));
    folds[fold]! += size;
    chosen.set(group, fold);
  }
  return groups.map((group) => chosen.get(group)!);
}

/** The mean log loss, and its standard error by the spread of the folds' means. */
function lossOf(
  chances: readonly number[],
  examples: readonly Example[],
  folds: readonly number[],
): { loss: number; error: number } {
  const losses = examples.map(
    ({ wrong }, n) => -Math.log(Math.max(CHANCE_MIN, wrong ? chances[n]! : 1 - chances[n]!)),
  );
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const means = Array.from(new Set(folds), (fold) =>
    mean(losses.filter((_, n) => folds[n] === fold)),
  );
  const centre = mean(means);
  const variance = means.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (means.length - 1);
  return { loss: mean(losses), error: Math.sqrt(variance / means.length) };
}

/** By what a column is standardized. One that never varies keeps its value: the rounding of a mean
 *  would be a spread, by which another value, when it comes, would outweigh all. */
function scaleOf(column: readonly number[]): { mean: number; std: number } {
  if (column.every((x) => x === column[0])) return { mean: column[0] ?? 0, std: 1 };
  const mean = column.reduce((sum, x) => sum + x, 0) / column.length;
  const variance = column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / column.length;
  return { mean, std: Math.sqrt(variance) };
}

/** Minimizes the log loss of `labels` (0 or 1) plus ridge / 2 * |weights|^2 by Newton's method
 *  (iteratively reweighted least squares, Hastie et al., The Elements of Statistical Learning,
 *  4.4.1); the bias is not penalized. `rows` [n, d]. O(n d^2) a step. Where there is no minimum, as
 *  of labels that are all alike, or that a line parts and nothing penalizes, the walk ends as soon
 *  as the slope is level; of what no label tells, as the weight of a column that never varies, it
 *  leaves 0. */
export function fitLogistic(
  rows: readonly (readonly number[])[],
  labels: readonly number[],
  ridge: number,
): LogisticFit {
  const d = rows[0]?.length ?? 0;
  const beta = new Array<number>(d + 1).fill(0); // the bias last
  for (let step = 0; step < STEPS_MAX; step++) {
    const { gradient, hessian } = derivatives(rows, labels, beta, ridge);
    const change = solve(hessian, gradient);
    for (const [j, delta] of change.entries()) beta[j]! -= delta;
    const greatest = (values: readonly number[]) => Math.max(...values.map(Math.abs));
    if (greatest(change) < CONVERGED || greatest(gradient) < CONVERGED) break;
  }
  return { weights: beta.slice(0, d), bias: beta[d]! };
}

function derivatives(
  rows: readonly (readonly number[])[],
  labels: readonly number[],
  beta: readonly number[],
  ridge: number,
) {
  const d = beta.length - 1;
  const gradient = beta.map((value, j) => (j < d ? ridge * value : 0));
  const hessian = beta.map((_, i) => beta.map((__, j) => (i === j && i < d ? ridge : 0)));
  for (const [n, row] of rows.entries()) {
    const x = [...row, 1];
    const logit = x.reduce((sum, value, j) => sum + value * beta[j]!, 0);
    const p = 1 / (1 + Math.exp(-logit));
    const [residual, curvature] = [p - labels[n]!, p * (1 - p)];
    for (let i = 0; i <= d; i++) {
      gradient[i]! += residual * x[i]!;
      const line = hessian[i]!;
      const scaled = curvature * x[i]!;
      for (let j = 0; j <= i; j++) line[j]! += scaled * x[j]!;
    }
  }
  for (let i = 0; i <= d; i++) for (let j = i + 1; j <= d; j++) hessian[i]![j] = hessian[j]![i]!;
  return { gradient, hessian };
}

/** Solves A x = b by Gaussian elimination with partial pivoting; 0 for what A leaves open. */
function solve(a: readonly number[][], b: readonly number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i]!]);
  const least = PIVOT_MIN * Math.max(...a.flat().map(Math.abs));
  const columns: number[] = []; // of the pivots, row by row
  for (let column = 0; column < n; column++) {
    const row = columns.length;
    let pivot = row;
    for (let i = row + 1; i < n; i++)
      if (Math.abs(m[i]![column]!) > Math.abs(m[pivot]![column]!)) pivot = i;
    if (Math.abs(m[pivot]![column]!) <= least) continue;
    [m[row], m[pivot]] = [m[pivot]!, m[row]!];
    for (let i = row + 1; i < n; i++) {
      const factor = m[i]![column]! / m[row]![column]!;
      for (let j = column; j <= n; j++) m[i]![j]! -= factor * m[row]![j]!;
    }
    columns.push(column);
  }
  const x = new Array<number>(n).fill(0);
  for (const [row, column] of [...columns.entries()].reverse()) {
    let rest = m[row]![n]!;
    for (let j = column + 1; j < n; j++) rest -= m[row]![j]! * x[j]!;
    x[column] = rest / m[row]![column]!;
  }
  return x;
}
