import { expect, it } from "vitest";
import { chooseGemm } from "../../src/model/choose-gemm.ts";
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
