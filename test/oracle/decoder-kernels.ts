/** The decoders' kernels by definition: naive, in f64, over plain arrays. Each bears its kernel's
 *  name. */

type Numbers = ArrayLike<number>;

export function rmsnorm(x: Numbers, weight: Numbers, dim: number, eps: number) {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += dim) {
    let squares = 0;
    for (let j = 0; j < dim; j++) squares += x[at + j]! ** 2;
    for (let j = 0; j < dim; j++)
      y[at + j] = (x[at + j]! / Math.sqrt(squares / dim + eps)) * weight[j]!;
  }
  return y;
}

/** One head of x at a position: its first rope_dim numbers turned. */
export function rope(
  x: Numbers,
  position: number,
  {
    rope_dim,
    base,
    halves,
    factors,
  }: {
    rope_dim: number;
    base: number;
    halves: boolean;
    factors?: Numbers;
  },
) {
  const y = Float64Array.from(x);
  for (let j = 0; j < rope_dim / 2; j++) {
    const angle = (position * base ** ((-2 * j) / rope_dim)) / (factors?.[j] ?? 1);
    const [a, b] = halves ? [j, j + rope_dim / 2] : [2 * j, 2 * j + 1];
    y[a] = x[a]! * Math.cos(angle) - x[b]! * Math.sin(angle);
    y[b] = x[a]! * Math.sin(angle) + x[b]! * Math.cos(angle);
  }
  return y;
}

export const silu = (x: number) => x / (1 + Math.exp(-x));

/** Softmax weights of one query over keys 0..n-1 of one head: f [n]. */
export function attentionWeights(
  q: Numbers,
  k: (position: number, c: number) => number,
  n: number,
) {
  const scores = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    for (let c = 0; c < q.length; c++) scores[j]! += q[c]! * k(j, c);
    scores[j]! /= Math.sqrt(q.length);
  }
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((score) => Math.exp(score - top));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/** The values of one head, summed by their weights: f [head_dim]. */
export function attentionMix(
  weights: Numbers,
  v: (position: number, c: number) => number,
  head_dim: number,
) {
  const out = new Float64Array(head_dim);
  for (let j = 0; j < weights.length; j++)
    for (let c = 0; c < head_dim; c++) out[c]! += weights[j]! * v(j, c);
  return out;
}
