/** Chooses a token from logits. The order is Hugging Face's (transformers,
 *  `_get_logits_processor`): penalties and bias (penalties.ts), grammar (an inadmissible token's
 *  logit is -Infinity), then temperature, top_k, top_p, min_p. OpenAI does not say more than that
 *  top_p is over the mass. */
import { assert } from "../errors.ts";
import type { Sampling } from "./types.ts";

/** A token e^32 times less probable than the best is never drawn: together, such tokens of a
 *  vocabulary of 200,000 have a probability below 3e-9, less than one step of the generator. */
const EXPONENT_MIN = -32;
const BUCKETS = 1_024;

/** One for a generator: it owns scratch of 12 bytes an id. */
export class Sampler {
  private readonly ids: Int32Array;
  /** Of each candidate: (logit - the largest logit) / temperature, and e to that. */
  private readonly exponents: Float32Array;
  private readonly weights: Float32Array;
  private readonly masses = new Float64Array(BUCKETS);

  constructor(vocab_size: number) {
    this.ids = new Int32Array(vocab_size);
    this.exponents = new Float32Array(vocab_size);
    this.weights = new Float32Array(vocab_size);
  }

  /** An id of logits f32 [vocab_size], the lowest of equals where greedy. `random` is called once
   *  unless temperature is 0. O(vocab_size): nothing is sorted but one bucket of candidates. */
  choose(logits: Float32Array, sampling: Sampling, random: () => number): number {
    const { temperature = 1, top_k = 0, top_p = 1, min_p = 0 } = sampling;
    const best = argmax(logits);
    assert(best >= 0, "some logit is finite");
    const scale = 1 / temperature;
    if (scale === Number.POSITIVE_INFINITY) return best; // of 0, and of what is next to it
    let count = this.gather(logits, logits[best]!, scale);
    if (top_k > 0 && top_k < count) count = this.keepTop(count, top_k, false);
    this.weigh(count);
    if (top_p < 1) count = this.keepTop(count, top_p * this.mass(count), true);
    if (min_p > 0) count = this.keepAbove(count, Math.log(min_p));
    return this.draw(count, random());
  }

  private gather(logits: Float32Array, max: number, scale: number): number {
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      const exponent = (logits[id]! - max) * scale;
      if (exponent < EXPONENT_MIN) continue;
      this.ids[count] = id;
      this.exponents[count++] = exponent;
    }
    return count;
  }

  private weigh(count: number): void {
    for (let i = 0; i < count; i++) this.weights[i] = Math.exp(this.exponents[i]!);
  }

  private mass(count: number): number {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += this.weights[i]!;
    return sum;
  }

  /** Keeps the fewest largest candidates whose sum, of weights or else of ones, reaches `target`;
   *  of equals the lower ids. */
  private keepTop(count: number, target: number, weighted: boolean): number {
    const { exponents, weights, masses } = this;
    let lowest = 0;
    for (let i = 0; i < count; i++) if (exponents[i]! < lowest) lowest = exponents[i]!;
    if (lowest === 0) return this.keepFrom(count, 0, Math.max(1, Math.ceil(target - 1e-9)));
    const scale = (BUCKETS - 1) / -lowest;
    masses.fill(0);
    for (let i = 0; i < count; i++)
      masses[Math.trunc(-exponents[i]! * scale)]! += weighted ? weights[i]! : 1;
    let bucket = 0;
    let sum = 0;
    while (bucket < BUCKETS - 1 && sum + masses[bucket]! < target) sum += masses[bucket++]!;
    const inside: number[] = [];
    for (let i = 0; i < count; i++)
      if (Math.trunc(-exponents[i]! * scale) === bucket) inside.push(exponents[i]!);
    // Sums in another order may miss the target by a rounding at the very end.
    if (inside.length === 0) return count;
    const ascending = Float32Array.from(inside).sort();
    let at = ascending.length - 1;
    let equals = 0;
    for (; at >= 0; at--) {
      equals = ascending[at] === ascending[at + 1] ? equals + 1 : 1;
      sum += weighted ? Math.fround(Math.exp(ascending[at]!)) : 1;
      if (sum >= target) break;
    }
    return this.keepFrom(count, ascending[Math.max(at, 0)]!, equals);
  }

  /** Keeps candidates above `exponent` and the first `equals` of those equal to it. */
  private keepFrom(count: number, exponent: number, equals: number): number {
    let kept = 0;
    let left = equals;
    for (let i = 0; i < count; i++) {
      const own = this.exponents[i]!;
      if (own > exponent || (own === exponent && left-- > 0)) this.move(i, kept++);
    }
    return kept;
  }

  private keepAbove(count: number, exponent: number): number {
    let kept = 0;
    for (let i = 0; i < count; i++) if (this.exponents[i]! >= exponent) this.move(i, kept++);
    return kept;
  }

  private move(from: number, to: number): void {
    this.ids[to] = this.ids[from]!;
    this.exponents[to] = this.exponents[from]!;
    this.weights[to] = this.weights[from]!;
  }

  private draw(count: number, random: number): number {
    let left = random * this.mass(count);
    for (let i = 0; i < count; i++) {
      left -= this.weights[i]!;
      if (left < 0) return this.ids[i]!;
    }
    return this.ids[count - 1]!;
  }
}

/** The lowest index of the largest value, -1 where none is above -Infinity. */
export function argmax(values: Float32Array): number {
  let best = -1;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++)
    if (values[i]! > max) {
      max = values[i]!;
      best = i;
    }
  return best;
}
