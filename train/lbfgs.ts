/** Minimizes a smooth convex function by L-BFGS (Nocedal and Wright, Numerical Optimization,
 *  algorithms 7.4 and 7.5). */

/** The value at `theta`; its gradient is written over `gradient`. */
export type Loss = (theta: Float64Array, gradient: Float64Array) => number;

const STEPS_MAX = 300;
const PAIRS = 8;
const HALVINGS_MAX = 30;
/** Armijo's condition: a step must gain this share of what the slope promises. */
const GAIN_MIN = 1e-4;
/** No step gains more than this share of the loss: the minimum is found. */
const CONVERGED = 1e-7;

interface Pair {
  step: Float64Array;
  change: Float64Array;
  rho: number;
}

/** The minimum, from `start`, which is left as it is. `spread` is a guess at the diagonal of the
 *  Hessian, positive. Deterministic; O(d) a step besides the loss. */
export function minimize(loss: Loss, start: Float64Array, spread: Float64Array): Float64Array {
  let theta = start.slice();
  let gradient = new Float64Array(theta.length);
  let value = loss(theta, gradient);
  const pairs: Pair[] = [];
  for (let step = 0; step < STEPS_MAX; step++) {
    const direction = descend(gradient, pairs, spread);
    const slope = dot(direction, gradient);
    let length = 1;
    const next = new Float64Array(theta.length);
    const nextGradient = new Float64Array(theta.length);
    let nextValue = Number.POSITIVE_INFINITY;
    for (let halving = 0; halving < HALVINGS_MAX; halving++, length /= 2) {
      for (let k = 0; k < theta.length; k++) next[k] = theta[k]! + length * direction[k]!;
      nextValue = loss(next, nextGradient);
      if (nextValue <= value + GAIN_MIN * length * slope) break;
    }
    if (nextValue >= value) break;
    const moved = next.map((x, k) => x - theta[k]!);
    const change = nextGradient.map((x, k) => x - gradient[k]!);
    const curvature = dot(moved, change);
    if (curvature > 0) pairs.push({ step: moved, change, rho: 1 / curvature });
    if (pairs.length > PAIRS) pairs.shift();
    const gained = value - nextValue;
    [theta, gradient, value] = [next, nextGradient, nextValue];
    if (gained < CONVERGED * Math.abs(value)) break;
  }
  return theta;
}

/** Minus the approximate inverse Hessian times the gradient: the two-loop recursion. */
function descend(gradient: Float64Array, pairs: readonly Pair[], spread: Float64Array) {
  const q = gradient.slice();
  const alphas: number[] = [];
  for (const { step, change, rho } of pairs.toReversed()) {
    const alpha = rho * dot(step, q);
    alphas.push(alpha);
    for (let k = 0; k < q.length; k++) q[k]! -= alpha * change[k]!;
  }
  for (let k = 0; k < q.length; k++) q[k]! /= spread[k]!;
  for (const { step, change, rho } of pairs) {
    const beta = rho * dot(change, q);
    const alpha = alphas.pop()!;
    for (let k = 0; k < q.length; k++) q[k]! += (alpha - beta) * step[k]!;
  }
  return q.map((x) => -x);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}
