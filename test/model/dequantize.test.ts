/** Every tensor type's blocks against the Python package `gguf`, bit for bit: each value is a sum
 *  of at most two products that f32 holds exactly, so both round once. The fixture holds random
 *  blocks and what that package gave; train/dequantize_fixture.py made it. */
import { expect, it } from "vitest";
import { dequantize, halfToFloat } from "../../src/model/dequantize.ts";
import { TENSOR_TYPES, type TensorType } from "../../src/model/tensor-types.ts";
import fixture from "./dequantize.fixture.json" with { type: "json" };

const types = Object.entries(fixture) as [TensorType, { blocks: string; values: string }][];

/** The bits of f32 numbers; -0 counts as 0. */
const bits = (floats: Float32Array) => Array.from(new Uint32Array(floats.map((v) => v + 0).buffer));

it.each(types)("%s blocks give the package's numbers", (type, { blocks, values }) => {
  const expected = new Float32Array(Uint8Array.from(Buffer.from(values, "base64")).buffer);
  const out = new Float32Array(expected.length);
  dequantize(type, new DataView(Uint8Array.from(Buffer.from(blocks, "base64")).buffer), out);
  expect(out.every(Number.isFinite)).toBe(true);
  expect(bits(out)).toEqual(bits(expected));
});

it("every type but F32, which needs no arithmetic, is in the fixture", () => {
  const named = Array.from(TENSOR_TYPES.values(), ({ name }) => name);
  expect(types.map(([type]) => type).sort()).toEqual(named.filter((n) => n !== "F32").sort());
});

it("halves that are no numbers stay so", () => {
  expect(halfToFloat(0x7c00)).toBe(Number.POSITIVE_INFINITY);
  expect(halfToFloat(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
  expect(halfToFloat(0x7e00)).toBeNaN();
});
