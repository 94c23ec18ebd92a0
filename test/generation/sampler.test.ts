/** Sampling against a definition that sorts everything. */
import { describe, expect, it } from "vitest";
import { Penalties } from "../../src/generation/penalties.ts";
import { randomOf } from "../../src/generation/prng.ts";
import { Sampler } from "../../src/generation/sampler.ts";
import type { Sampling } from "../../src/generation/types.ts";

const VOCAB = 500;

/** The probabilities after temperature, top_k, top_p and min_p, by sorting. */
function distribution(logits: Float32Array, sampling: Sampling): number[] {
  const { temperature = 1, top_k = 0, top_p = 1, min_p = 0 } = sampling;
  const max = Math.max(...logits);
  let left = Array.from(logits, (logit, id) => ({ id, p: Math.exp((logit - max) / temperature) }));
  left.sort((a, b) => b.p - a.p || a.id - b.id);
  if (top_k > 0) left = left.slice(0, top_k);
  const mass = left.reduce((sum, { p }) => sum + p, 0);
  let sum = 0;
  if (top_p < 1)
    left = left.filter(({ p }) => {
      const kept = sum === 0 || sum < top_p * mass;
      sum += p;
      return kept;
    });
  left = left.filter(({ p }) => p >= min_p);
  const total = left.reduce((all, { p }) => all + p, 0);
  const out = new Array<number>(logits.length).fill(0);
  for (const { id, p } of left) out[id] = p / total;
  return out;
}

function logitsOf(seed: number, spread: number): Float32Array {
  const random = randomOf(seed, 0);
  // Rounded so that equal logits occur.
  return Float32Array.from({ length: VOCAB }, () => Math.round(random() * spread * 16) / 16);
}

describe("a choice", () => {
  const cases: Sampling[] = [
    { temperature: 1 },
    { temperature: 0.3 },
    { temperature: 2, top_k: 7 },
    { temperature: 1, top_p: 0.8 },
    { temperature: 0.7, top_p: 0.35, top_k: 50 },
    { temperature: 1, min_p: 0.2 },
    { temperature: 1.5, top_k: 40, top_p: 0.9, min_p: 0.05 },
    { temperature: 1, top_p: 0 },
    { temperature: 1, top_k: 1 },
  ];

  it("comes from exactly the tokens that the definition leaves, with its probabilities", () => {
    const sampler = new Sampler(VOCAB);
    for (const [i, sampling] of cases.entries())
      for (const spread of [0, 6, 30]) {
        const logits = logitsOf(i, spread);
        const expected = distribution(logits, sampling);
        // A grid of random numbers measures each token's share of [0, 1) to one part in DRAWS.
        const DRAWS = 2_000;
        const counts = new Array<number>(VOCAB).fill(0);
        for (let draw = 0; draw < DRAWS; draw++)
          counts[sampler.choose(logits, sampling, () => (draw + 0.5) / DRAWS)]!++;
        for (let id = 0; id < VOCAB; id++)
          expect(Math.abs(counts[id]! - expected[id]! * DRAWS)).toBeLessThan(1.01);
        const drawn = counts.filter((count, id) => count > 0 && expected[id] === 0).length;
        expect(drawn).toBe(0);
      }
  });

  it("greedy takes the lowest of the largest, whatever else is set", () => {
    const logits = Float32Array.of(1, 3, -2, 3);
    const sampler = new Sampler(4);
    expect(sampler.choose(logits, { temperature: 0, top_k: 3 }, Math.random)).toBe(1);
  });

  it("a token of logit -Infinity is never chosen, even by a top_k that it falls in", () => {
    const logits = new Float32Array(100).fill(Number.NEGATIVE_INFINITY);
    logits[42] = -5;
    const sampler = new Sampler(100);
    for (const sampling of cases)
      expect(sampler.choose(logits, sampling, () => 0.999_999)).toBe(42);
  });
});

it("penalties are as their sources define them", () => {
  const penalties = new Penalties(
    {
      repetition_penalty: 2,
      presence_penalty: 0.5,
      frequency_penalty: 0.25,
      logit_bias: new Map([
        [3, 100],
        [1, -100],
      ]),
    },
    [0, 1],
  );
  penalties.add(1);
  penalties.add(1);
  penalties.add(2);
  const logits = Float32Array.of(4, -4, 4, 4);
  penalties.apply(logits);
  expect(Array.from(logits)).toEqual([2, -8 - 1 - 100, 2 - 0.75, 104]);
});

it("random numbers depend on all of the seed and the stream, and are even", () => {
  const firsts = new Set<number>();
  for (const seed of [0, 1, -1, 2 ** 32, 2 ** 40, 7, 2 ** 53 - 1])
    for (const stream of [0, 1, 2]) firsts.add(randomOf(seed, stream)());
  expect(firsts.size).toBe(21);
  const random = randomOf(12, 3);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[Math.floor(random() * 10)]!++;
  // Six standard deviations of a binomial of 100,000 at 0.1.
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(6 * 95);
});

it("a temperature next to nothing chooses the best, as nothing does", () => {
  const logits = Float32Array.of(1, 3, 2, 0);
  for (const temperature of [0, Number.MIN_VALUE, 1e-310, 1e-300])
    for (const rest of [{}, { top_p: 0.9 }, { min_p: 0.1 }, { top_k: 2 }])
      expect(new Sampler(4).choose(logits, { temperature, ...rest }, () => 0.5)).toBe(1);
});
