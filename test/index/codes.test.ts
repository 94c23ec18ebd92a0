import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { codeBytes, encodeCode, quantizeLevels } from "../../index/codes.ts";
import { Rotation, rotatedDim } from "../../index/rotation.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf, levelsOf, readCode, rotate } from "../oracle/codes.ts";
import { floats, ints, random } from "../wasm-kernels/arena.ts";

const DIMS = [1, 8, 100, 128, 129, 384, 640, 768];

/** Normal numbers of variance 1, by Box and Muller. */
function gaussians(next: () => number, length: number): Float32Array {
  return Float32Array.from({ length }, () => {
    return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  });
}

function unit(values: Float32Array): Float32Array {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

const dot = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function estimate(query: Float32Array, code: Uint8Array): number {
  const { levels, scale } = quantizeLevels(query);
  const { signs, factor } = readCode(code);
  return levels.reduce((sum, level, i) => sum + level * signs[i]!, 0) * factor * scale;
}

describe("rotation", () => {
  it.each(DIMS)("of %i dimensions equals its definition exactly", (dim) => {
    const vector = ints(random(dim), dim);
    expect(Array.from(new Rotation(dim).apply(vector))).toEqual(rotate(vector));
  });

  it("multiplies every length by the same, and keeps angles", () => {
    const rotation = new Rotation(200);
    const next = random(7);
    const [a, b] = [ints(next, 200), ints(next, 200)];
    const [x, y] = [rotation.apply(a).slice(), rotation.apply(b).slice()];
    const product = (u: ArrayLike<number>, v: ArrayLike<number>) =>
      Array.from(u).reduce((sum, value, i) => sum + value * v[i]!, 0);
    expect(product(x, x)).toBe(product(a, a) * rotation.growth);
    expect(product(x, y)).toBe(product(a, b) * rotation.growth);
  });

  it.each([384, 4_096])("keeps the longest vectors of %i dimensions within i32", (dim) => {
    const rotation = new Rotation(dim);
    for (const value of [127, -127]) {
      const rotated = rotation.apply(new Int8Array(dim).fill(value));
      const squares = rotated.reduce((sum, x) => sum + x * x, 0);
      expect(squares).toBe(127 * 127 * dim * rotation.growth);
    }
  });

  it("spreads a vector of a single value over all of its result", () => {
    const vector = new Int8Array(384);
    vector[5] = 127;
    const rotated = new Rotation(384).apply(vector);
    const mean = 127 * Math.sqrt(2 ** 21 / 384);
    const largest = rotated.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    expect(largest).toBeLessThan(5 * mean);
    expect(rotated.filter((value) => Math.abs(value) < mean / 100).length).toBeLessThan(40);
  });
});

describe("codes", () => {
  it.each(DIMS)("of %i dimensions equal their definition to the bit", (dim) => {
    const next = random(dim + 1);
    for (let i = 0; i < 4; i++) {
      const vector = quantizeVector(floats(next, dim));
      const code = encodeCode(vector);
      expect(code.length).toBe(codeBytes(dim));
      expect(readCode(code)).toEqual(codeOf(vector));
    }
  });

  it("take 52 bytes at 384 dimensions and never change", () => {
    expect(codeBytes(384)).toBe(52);
    const hash = createHash("sha256");
    const next = random(20261124);
    for (const dim of [8, 384, 1_000]) hash.update(encodeCode({ qs: ints(next, dim), scale: 1 }));
    expect(hash.digest("hex").slice(0, 16)).toBe("338de317b906632b");
  });

  it("depend on nothing but the integers", () => {
    const qs = ints(random(3), 384);
    const before = encodeCode({ qs, scale: 1 });
    encodeCode(quantizeVector(new Float32Array(384).fill(1)));
    expect(encodeCode({ qs, scale: 0.25 })).toEqual(before);
  });

  it("of a vector of zeros have factor 0", () => {
    expect(readCode(encodeCode({ qs: new Int8Array(16), scale: 0 })).factor).toBe(0);
  });
});

describe("a query's levels", () => {
  it.each(DIMS)("of %i dimensions equal their definition to the bit", (dim) => {
    const query = unit(floats(random(dim + 2), dim));
    const { levels, scale } = quantizeLevels(query);
    expect({ levels: Array.from(levels), scale }).toEqual(levelsOf(query));
  });

  it("of zeros are zeros", () => {
    const { levels, scale } = quantizeLevels(new Float32Array(8));
    expect([scale, ...levels]).toEqual(new Array(rotatedDim(8) + 1).fill(0));
  });
});

it("the estimate is unbiased, with an error of 1 / sqrt(dim) and less", () => {
  // Many pairs of each cosine: the mean error of 400 is within 4 standard errors of 0.
  const next = random(11);
  for (const cosine of [-0.5, 0, 0.3, 0.8]) {
    const errors = Array.from({ length: 400 }, () => {
      const a = unit(gaussians(next, 384));
      const b = gaussians(next, 384);
      const along = dot(a, b);
      const across = unit(b.map((value, i) => value - along * a[i]!));
      const query = a.map((value, i) => cosine * value + Math.sqrt(1 - cosine ** 2) * across[i]!);
      return estimate(query, encodeCode(quantizeVector(a))) - cosine;
    });
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const spread = Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
    expect(spread).toBeLessThan(1 / Math.sqrt(384));
    expect(Math.abs(mean)).toBeLessThan((4 * spread) / 20);
  }
});
