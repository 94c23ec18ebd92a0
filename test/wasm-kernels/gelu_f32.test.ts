import { expect, it } from "vitest";
import { gelu } from "../oracle/kernels.ts";
import { expectWithin, newKernels, putF32, writesOnly } from "./arena.ts";

it("gelu_f32 stays within 1e-6 max(1, |x|) / 2 of x Phi(x) over a fine grid", () => {
  const n = 40_003;
  const x = Float32Array.from({ length: n }, (_, i) => (i - n / 2) / 2000);
  const kernels = newKernels();
  const at = putF32(kernels, x);
  const y = kernels.alloc(n * 4);
  writesOnly(kernels, [[y, n * 4]], () => kernels.geluF32(y, at, n));
  expectWithin(kernels.f32(y, n), Array.from(x, gelu), (i) => 5e-7 * Math.max(1, Math.abs(x[i]!)));
});

it("gelu_f32 works in place, handles every tail, keeps 0 and NaN", () => {
  for (let n = 1; n < 9; n++) {
    const kernels = newKernels();
    const x = putF32(kernels, [0, Number.NaN, 1, -1, 0.5, 3, -3, 20].slice(0, n));
    writesOnly(kernels, [[x, n * 4]], () => kernels.geluF32(x, x, n));
    const y = kernels.f32(x, n);
    expect(y[0]).toBe(0);
    if (n > 1) expect(y[1]).toBeNaN();
    if (n > 7) expect(y[7]).toBeCloseTo(20, 4);
  }
});
