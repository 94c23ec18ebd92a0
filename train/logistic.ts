/** Ridge-penalized logistic regression by Newton's method (iteratively reweighted least squares,
 *  Hastie et al., The Elements of Statistical Learning, 4.4.1). */
export interface LogisticFit {
  weights: number[];
  bias: number;
}

const STEPS_MAX = 50;
const CONVERGED = 1e-9;

/** Minimizes the log loss of `labels` (0 or 1) plus ridge / 2 * |weights|^2; the bias is not
 *  penalized. `rows` [n, d]. O(n d^2) a step. */
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
    if (Math.max(...change.map(Math.abs)) < CONVERGED) break;
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
    for (let i = 0; i <= d; i++) {
      gradient[i]! += (p - labels[n]!) * x[i]!;
      for (let j = 0; j <= d; j++) hessian[i]![j]! += p * (1 - p) * x[i]! * x[j]!;
    }
  }
  return { gradient, hessian };
}

/** Solves A x = b by Gaussian elimination with partial pivoting; A is not kept. */
function solve(a: number[][], b: readonly number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i]!]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++)
      if (Math.abs(m[i]![column]!) > Math.abs(m[pivot]![column]!)) pivot = i;
    [m[column], m[pivot]] = [m[pivot]!, m[column]!];
    for (let i = column + 1; i < n; i++) {
      const factor = m[i]![column]! / m[column]![column]!;
      for (let j = column; j <= n; j++) m[i]![j]! -= factor * m[column]![j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let rest = m[i]![n]!;
    for (let j = i + 1; j < n; j++) rest -= m[i]![j]! * x[j]!;
    x[i] = rest / m[i]![i]!;
  }
  return x;
}
