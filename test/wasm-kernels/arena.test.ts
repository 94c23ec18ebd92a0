import { describe, expect, it } from "vitest";
import { LINEAR_MEMORY_BYTES_MAX } from "../../src/limits.ts";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { Kernels, qmaxOf } from "../../src/model/kernels.ts";
import { kernelsModule, newKernels } from "./arena.ts";

describe("the arena", () => {
  it("aligns to 16 bytes, and frees to a mark", () => {
    const kernels = newKernels();
    kernels.alloc(3);
    const mark = kernels.mark();
    const a = kernels.alloc(5);
    expect(a % 16).toBe(0);
    const peak = kernels.bytesPeak;
    kernels.release(mark);
    expect(kernels.alloc(1)).toBe(a);
    expect(kernels.bytesPeak).toBe(peak);
    expect(kernels.bytesUsed).toBe(a + 16);
  });

  it("grows up to its limit and throws past it, staying usable", () => {
    const kernels = Kernels.create(kernelsModule, { bytesMax: 300_000 });
    const a = kernels.alloc(200_000);
    expect(() => kernels.alloc(200_000)).toThrow(/limit of 300000/);
    kernels.u8(a, 200_000).fill(1);
    kernels.alloc(90_000);
    expect(kernels.memory.buffer.byteLength).toBeLessThanOrEqual(5 * 65536);
  });

  it.each([
    ["encoders'", Kernels],
    ["decoders'", DecoderKernels],
  ])("%s memory grows to the bound of all and no byte beyond, where none is named", (_, kind) => {
    const kernels = kind.create(kernelsModule, { variant: "plain" });
    const rest = LINEAR_MEMORY_BYTES_MAX - kernels.bytesUsed;
    expect(() => kernels.alloc(rest + 1)).toThrow(`limit of ${LINEAR_MEMORY_BYTES_MAX}`);
    const at = kernels.alloc(rest);
    kernels.u8(at, rest)[rest - 1] = 1;
    expect(() => kernels.alloc(1)).toThrow(`limit of ${LINEAR_MEMORY_BYTES_MAX}`);
    expect(kernels.memory.buffer.byteLength).toBe(LINEAR_MEMORY_BYTES_MAX);
  });

  it("refuses shapes and ranges that do not fit", () => {
    const kernels = newKernels();
    const x = kernels.alloc(64);
    expect(() => kernels.geluF32(x, x, 17)).toThrow(/geluF32 y/);
    expect(() => kernels.geluF32(x + 2, x, 1)).toThrow(/geluF32 y/);
    expect(() => kernels.geluF32(x, x, 0)).toThrow(/size of 0/);
    expect(() => kernels.geluF32(x, x, 1.5)).toThrow(/size of 1.5/);
    expect(() => kernels.geluF32(0, x, 1)).toThrow(/geluF32 y/);
  });
});

it("qmax keeps k products of 127 within i32 at every k", () => {
  for (let k = 1; k < 70_000; k += 13) expect(127 * k * qmaxOf(k)).toBeLessThan(2 ** 31);
  expect(qmaxOf(384)).toBe(8191);
});

it("the kernels import nothing", () => {
  expect(WebAssembly.Module.imports(kernelsModule)).toEqual([]);
});
