import { it } from "vitest";
import { linear } from "../oracle/kernels.ts";
import { expectWithin, floats, newKernels, putF32, random, writesOnly } from "./arena.ts";

it.each([
  [1, 1, 1],
  [3, 2, 5],
  [2, 3, 8],
  [7, 2, 384],
  [4, 1, 391],
])("linear_f32 equals its definition at [%i, %i] with k = %i", (m, n, k) => {
  const next = random(k);
  const [x, w, bias] = [floats(next, m * k), floats(next, n * k), floats(next, n)];
  const kernels = newKernels();
  const [xs, ws, bs] = [x, w, bias].map((values) => putF32(kernels, values));
  const y = kernels.alloc(m * n * 4);
  writesOnly(kernels, [[y, m * n * 4]], () => kernels.linearF32(y, xs!, ws!, bs!, { m, n, k }));
  // k products up to 1 and their partial sums, up to k, round 2 k times in the worst case; each
  // of eight lanes sums k / 8 of them.
  const bound = (k / 8 + 12) * k * 2 ** -24;
  expectWithin(kernels.f32(y, m * n), linear(x, w, bias, m, n, k), () => bound);
});
