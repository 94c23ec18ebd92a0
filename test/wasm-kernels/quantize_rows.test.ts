import { describe, expect, it } from "vitest";
import { qmaxOf, quantizedBytes } from "../../src/model/kernels.ts";
import { expectWithin, floats, newKernels, putF32, random, writesOnly } from "./arena.ts";

const SHAPES = [
  [1, 1],
  [2, 7],
  [3, 16],
  [5, 33],
  [4, 384],
  [2, 1537],
] as const;

function quantize(variant: "plain" | "relaxed", values: Float32Array, m: number, k: number) {
  const kernels = newKernels(variant);
  const x = putF32(kernels, values);
  const bytes = quantizedBytes(m, k);
  const [q, d] = [kernels.alloc(bytes), kernels.alloc(m * 4)];
  kernels.u8(q, bytes).fill(0xa5);
  writesOnly(
    kernels,
    [
      [q, bytes],
      [d, m * 4],
    ],
    () => kernels.quantizeRows(q, d, x, m, k),
  );
  const kp = bytes / 2 / m;
  const at = (r: number, j: number) => {
    if (variant === "plain") return kernels.i16(q, m * kp)[r * kp + j]!;
    const row = kernels.u8(q, bytes).subarray(r * kp * 2);
    expect(Math.max(row[j]!, row[kp + j]!)).toBeLessThan(128);
    return row[j]! * 128 + row[kp + j]! - 8192;
  };
  const quants = Array.from({ length: m * kp }, (_, i) => at((i / kp) | 0, i % kp));
  return { quants, d: kernels.f32(d, m), kp };
}

describe.each(["plain", "relaxed"] as const)("quantize_rows, %s", (variant) => {
  it.each(SHAPES)("rounds %i rows of %i to the nearest, pads with zeros", (m, k) => {
    const x = floats(random(k), m * k, 5);
    const { quants, d, kp } = quantize(variant, x, m, k);
    const back = Array.from(x, (_, i) => quants[((i / k) | 0) * kp + (i % k)]! * d[(i / k) | 0]!);
    // Half a step, and the f32 roundings of x / d and of d itself.
    expectWithin(back, x, (i) => (d[(i / k) | 0]! / 2) * 1.01 + Math.abs(x[i]!) * 2 ** -22);
    for (let r = 0; r < m; r++) {
      expect(quants.slice(r * kp + k, r * kp + kp)).toEqual(new Array(kp - k).fill(0));
      const largest = Math.max(...quants.slice(r * kp, r * kp + k).map(Math.abs));
      expect(largest).toBe(qmaxOf(k));
    }
  });

  it("gives zeros for a row of zeros, vanishing or non-finite numbers, and d says which", () => {
    const rows = [0, 1e-40, Number.NaN, Number.NEGATIVE_INFINITY];
    const x = Float32Array.from({ length: 4 * 20 }, (_, i) =>
      i % 20 === 19 ? rows[(i / 20) | 0]! : 0,
    );
    const { quants, d } = quantize(variant, x, 4, 20);
    expect(quants.every((q) => q === 0)).toBe(true);
    expect(Array.from(d)).toEqual([0, 0, Number.NaN, Number.NaN]);
  });

  it("stays in range at the largest floats", () => {
    const x = new Float32Array([3.4028234e38, -3.4028234e38, 1e38, 0]);
    const { quants } = quantize(variant, x, 1, 4);
    expect(quants.slice(0, 4)).toEqual([8191, -8191, Math.round((1e38 / 3.4028234e38) * 8191), 0]);
  });
});
