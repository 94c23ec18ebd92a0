/** The quantizers against the Python package `gguf`, whose results are ggml's bit for bit. */
import { expect, it } from "vitest";
import { dequantize, halfToFloat } from "../../src/model/dequantize.ts";
import {
  floatToHalf,
  QUANTIZED_BLOCK_BYTES,
  type QuantizedType,
  quantizeRow,
} from "../../src/model/quantize.ts";
import fixture from "./quantize.fixture.json" with { type: "json" };

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, "base64"));
const numbers = new Float32Array(bytesOf(fixture.numbers).buffer);

function quantized(type: QuantizedType, row: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((row.length / 32) * QUANTIZED_BLOCK_BYTES[type]);
  quantizeRow(type, row, out);
  return out;
}

it.each(["Q8_0", "Q4_0"] as const)("%s blocks are those of the package `gguf`", (type) => {
  expect(numbers.length).toBe(fixture.blocks * 32);
  expect(quantized(type, numbers)).toEqual(bytesOf(fixture[type]));
});

it("halves are those of numpy", () => {
  const halves = new Uint16Array(bytesOf(fixture.F16).buffer);
  const from = fixture.f16_from * 32;
  expect(Array.from(numbers.subarray(from), floatToHalf)).toEqual(Array.from(halves));
});

it("every finite half comes back as it went, and ties go to the even neighbour", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    const value = halfToFloat(bits);
    expect(floatToHalf(value)).toBe(bits);
    expect(floatToHalf(-value)).toBe(bits | 0x8000);
    if (bits === 0x7bff) continue;
    const middle = (value + halfToFloat(bits + 1)) / 2; // exact in f32
    expect(floatToHalf(middle)).toBe(bits + (bits & 1));
  }
  expect([65519, 65520, Number.NaN].map(floatToHalf)).toEqual([0x7bff, 0x7c00, 0x7e00]);
});

it.each([
  ["Q8_0", 1 / 127],
  ["Q4_0", 1 / 8],
] as const)("%s is within half a step and a half's rounding of the numbers", (type, step) => {
  const row = numbers.subarray(8 * 32);
  const back = new Float32Array(row.length);
  const bytes = quantized(type, row);
  dequantize(type, new DataView(bytes.buffer), back);
  for (let i = 0; i < row.length; i += 32) {
    const max = Math.max(...row.subarray(i, i + 32).map(Math.abs));
    // Q4_0 reaches from -8 to 7, so what lies opposite to the greatest may be a whole step off.
    const bound = max * step * (type === "Q4_0" ? 1 : 0.5) + max * 2 ** -11;
    for (let j = i; j < i + 32; j++)
      expect(Math.abs(back[j]! - row[j]!)).toBeLessThanOrEqual(bound);
  }
});

it("a scale that no half holds is refused", () => {
  const row = new Float32Array(32).fill(1e30);
  expect(() => quantized("Q8_0", row)).toThrow(/beyond the 65504/);
});
