import { expect, it, vi } from "vitest";
import { GEMM_TIMING_BYTES_MAX } from "../../src/limits.ts";
import { chooseGemm } from "../../src/model/choose-gemm.ts";
import { Kernels } from "../../src/model/kernels.ts";
import { kernelsModule, newKernels } from "../wasm-kernels/arena.ts";

it("both variants are timed where the clock moves, and one is chosen", () => {
  let calls = 0;
  const choice = chooseGemm(kernelsModule, () => calls++ * 0.5);
  expect(choice.by).toBe("timing");
  expect(["plain", "relaxed"]).toContain(choice.name);
  expect(calls).toBeGreaterThan(20);
});

it("the probe of the relaxed instruction decides where the clock stands still", () => {
  const choice = chooseGemm(kernelsModule, () => 0);
  expect(choice).toEqual({ name: newKernels().variant, by: "probe" });
});

it("timing takes no more linear memory than its bound, whatever it would ask for", () => {
  const create = vi.spyOn(Kernels, "create");
  chooseGemm(kernelsModule, () => 0);
  const made = create.mock.results.map(({ value }) => value as Kernels);
  create.mockRestore();
  expect(made).toHaveLength(3);
  for (const kernels of made) {
    expect(kernels.memory.buffer.byteLength).toBeLessThanOrEqual(GEMM_TIMING_BYTES_MAX);
    kernels.alloc(GEMM_TIMING_BYTES_MAX - kernels.bytesUsed);
    expect(() => kernels.alloc(1)).toThrow(`limit of ${GEMM_TIMING_BYTES_MAX}`);
    expect(kernels.memory.buffer.byteLength).toBe(GEMM_TIMING_BYTES_MAX);
  }
});
