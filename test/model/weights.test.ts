/** Loading: exact weights, one copy, bounded staging, and refusals by name. */
import { beforeAll, describe, expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { GGUF_PANEL_BYTES, LINEAR_MEMORY_BYTES_MAX } from "../../src/limits.ts";
import { halfToFloat } from "../../src/model/dequantize.ts";
import { Encoder } from "../../src/model/encoder.ts";
import type { TensorInfo } from "../../src/model/gguf.ts";
import { GgufStream, type Panel } from "../../src/model/gguf-stream.ts";
import { dequantizeRow, rowToInt8 } from "../../src/model/quants.ts";
import { SHORT_CHARS_MAX, Sha256, sha256, sha256OfShort } from "../../src/model/sha256.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";
import { loadBert } from "../../src/model/weights.ts";
import { type Field, f32Bytes, ggufFile, streamOf, type TestTensor } from "./gguf-file.ts";
import { modelBytes, newKernels } from "./shipped.ts";
import { seeded } from "./wordpiece-strings.ts";

const DIM = 32;
const FFN = 64;
const VOCAB = 6;
const CONTEXT = 8;

const FIELDS: Record<string, Field> = {
  "general.architecture": ["string", "bert"],
  "general.name": ["string", "tiny"],
  "bert.embedding_length": ["u32", DIM],
  "bert.block_count": ["u32", 1],
  "bert.attention.head_count": ["u32", 4],
  "bert.feed_forward_length": ["u32", FFN],
  "bert.context_length": ["u32", CONTEXT],
  "bert.attention.layer_norm_epsilon": ["f32", 1e-12],
};

/** A whole one-layer BERT in f32. */
function tinyTensors(): TestTensor[] {
  const below = seeded(5);
  const f32 = (name: string, ...dims: number[]): TestTensor => {
    const length = dims.reduce((a, b) => a * b, 1);
    const data = f32Bytes(Array.from({ length }, () => below(2_001) / 1_000 - 1));
    return { name, dims, type: 0, data };
  };
  const both = (name: string, rows: number, cols: number) => [
    f32(`${name}.weight`, cols, rows),
    f32(`${name}.bias`, rows),
  ];
  const norm = (name: string) => [f32(`${name}.weight`, DIM), f32(`${name}.bias`, DIM)];
  return [
    f32("token_embd.weight", DIM, VOCAB),
    f32("token_types.weight", DIM, 2),
    f32("position_embd.weight", DIM, CONTEXT),
    ...norm("token_embd_norm"),
    ...["q", "k", "v"].flatMap((part) => both(`blk.0.attn_${part}`, DIM, DIM)),
    ...both("blk.0.attn_output", DIM, DIM),
    ...norm("blk.0.attn_output_norm"),
    ...both("blk.0.ffn_up", FFN, DIM),
    ...both("blk.0.ffn_down", DIM, FFN),
    ...norm("blk.0.layer_output_norm"),
  ];
}

async function load(fields: Record<string, Field>, tensors: TestTensor[]) {
  const kernels = newKernels();
  const before = kernels.bytesUsed;
  const file = await GgufStream.open(streamOf(ggufFile(fields, tensors)));
  try {
    return { kernels, ...(await loadBert(kernels, file, VOCAB)) };
  } catch (error) {
    expect(kernels.bytesUsed, "what a failed load allocated").toBe(before);
    throw error;
  }
}

describe("the shipped encoder", () => {
  const bytes = modelBytes("encoder");
  let kernels: ReturnType<typeof newKernels>;
  let before: number;
  beforeAll(async () => {
    kernels = newKernels();
    before = kernels.bytesUsed;
    await Encoder.load(kernels, streamOf(bytes), "exact");
  });

  it("takes at most 1.1 times its file's bytes: there is no second copy", () => {
    expect(kernels.bytesUsed - before).toBeLessThan(bytes.length * 1.1);
  });

  it("is staged through one panel", () => {
    expect(kernels.bytesPeak - kernels.bytesUsed).toBeLessThanOrEqual(GGUF_PANEL_BYTES);
  });
});

it("a model that just fits beside what is held is loaded, any other is refused", async () => {
  const open = () => GgufStream.open(streamOf(ggufFile(FIELDS, tinyTensors())));
  const kernels = newKernels();
  const before = kernels.bytesUsed;
  await loadBert(kernels, await open(), VOCAB);
  const takes = kernels.bytesPeak - before;
  kernels.release(before);
  expect(kernels.bytesMax).toBe(LINEAR_MEMORY_BYTES_MAX);
  kernels.alloc(LINEAR_MEMORY_BYTES_MAX - before - takes);
  const mark = kernels.mark();
  await loadBert(kernels, await open(), VOCAB);
  expect(kernels.bytesPeak).toBe(LINEAR_MEMORY_BYTES_MAX);
  kernels.release(mark);
  for (const held of [16, LINEAR_MEMORY_BYTES_MAX - mark]) {
    kernels.alloc(held);
    await expect(loadBert(kernels, await open(), VOCAB)).rejects.toMatchObject({
      code: "invalid_model_file",
      message: expect.stringContaining(`the limit is ${LINEAR_MEMORY_BYTES_MAX}`),
    });
    expect(kernels.bytesUsed).toBe(mark + held);
    kernels.release(mark);
  }
});

it("weights land where the forward pass reads them", async () => {
  const tensors = tinyTensors();
  const values = (name: string) => {
    const { data } = tensors.find((tensor) => tensor.name === name)!;
    return new Float32Array(data.buffer);
  };
  const { kernels, weights, tokens } = await load(FIELDS, tensors);
  const [layer] = weights.layers;
  expect(kernels.f32(weights.positions, CONTEXT * DIM)).toEqual(values("position_embd.weight"));
  expect(kernels.f32(weights.types, 2 * DIM)).toEqual(values("token_types.weight"));
  expect(kernels.f32(layer!.outNorm.beta, DIM)).toEqual(values("blk.0.layer_output_norm.bias"));
  for (const [i, part] of ["q", "k", "v"].entries())
    expect(kernels.f32(layer!.qkv.bias + i * DIM * 4, DIM)).toEqual(
      values(`blk.0.attn_${part}.bias`),
    );
  const embeddings = values("token_embd.weight");
  const qs = kernels.i8(tokens.qs, VOCAB * DIM);
  const d = kernels.f32(tokens.d, VOCAB);
  for (const [i, q] of qs.entries())
    expect(Math.abs(q * d[(i / DIM) | 0]! - embeddings[i]!)).toBeLessThan(0.51 / 127);
});

describe("a file that is not the model is refused by name", () => {
  const change = (name: string, to: Partial<TestTensor> | null) =>
    tinyTensors().flatMap((tensor) =>
      tensor.name === name ? (to === null ? [] : [{ ...tensor, ...to }]) : [tensor],
    );
  const withValue = (name: string, value: number) => {
    const tensors = tinyTensors();
    const tensor = tensors.find((one) => one.name === name)!;
    new Float32Array(tensor.data.buffer)[DIM - 1] = value;
    return tensors;
  };
  const extra = { name: "blk.0.attn_q_norm.weight", dims: [1], type: 0, data: f32Bytes([1]) };

  it.each<[string, Record<string, Field>, TestTensor[], RegExp]>([
    [
      "missing",
      FIELDS,
      change("blk.0.ffn_up.bias", null),
      /blk.0.ffn_up.bias \[64, 1\] is missing/,
    ],
    [
      "misshapen",
      FIELDS,
      change("blk.0.ffn_up.weight", { dims: [FFN, DIM] }),
      /blk.0.ffn_up.weight is \[64, 32\] in GGUF's order, not \[32, 64\]/,
    ],
    ["unknown", FIELDS, [...tinyTensors(), extra], /blk.0.attn_q_norm.weight has no place/],
    [
      "NaN",
      FIELDS,
      withValue("blk.0.attn_k.weight", Number.NaN),
      /attn_k.weight holds a value that/,
    ],
    ["infinite", FIELDS, withValue("token_embd_norm.bias", Infinity), /token_embd_norm.bias holds/],
    ["architecture", { ...FIELDS, "general.architecture": ["string", "llama"] }, [], /is llama/],
    [
      "no heads",
      { ...FIELDS, "bert.attention.head_count": ["u32", 0] },
      [],
      /is 0, not an integer/,
    ],
    ["heads", { ...FIELDS, "bert.attention.head_count": ["u32", 3] }, [], /over 3 heads/],
    ["key's type", { ...FIELDS, "bert.block_count": ["f32", 1.5] }, [], /bert.block_count is 1.5/],
    ["eps", { ...FIELDS, "bert.attention.layer_norm_epsilon": ["f32", -1] }, [], /not in \(0, 1\)/],
  ])("%s", async (_, fields, tensors, message) => {
    const error = await load(fields, tensors).then(
      () => null,
      (thrown: Error) => thrown,
    );
    expect(codeOf(error), String(error)).toBe("invalid_model_file");
    expect(error?.message).toMatch(message);
  });
});

/** One row as a panel. */
function panelOf(type: TensorType, cols: number, bytes: Uint8Array): Panel {
  const rowBytes = bytes.length;
  const tensor: TensorInfo = {
    name: "t",
    type,
    dims: [cols, 1],
    rows: 1,
    cols,
    rowBytes,
    offset: 0,
    bytes: rowBytes,
  };
  return { tensor, row: 0, rows: 1, bytes: bytes as Uint8Array<ArrayBuffer> };
}

/** Q8_0 blocks of 32 quants, scale bits as given. */
function q8Row(scales: number[], quant: (j: number) => number): Uint8Array {
  return Uint8Array.from(
    scales.flatMap((bits, block) => [
      bits & 255,
      bits >> 8,
      ...Array.from({ length: 32 }, (_, b) => quant(block * 32 + b) & 255),
    ]),
  );
}

function toInt8(panel: Panel) {
  const out = new Int8Array(panel.tensor.cols);
  const row = new Float32Array(panel.tensor.cols);
  const d = rowToInt8(panel, 0, out, () => dequantizeRow(panel, 0, row));
  return { out, d, row: dequantizeRow(panel, 0, row) };
}

describe("rows become int8", () => {
  const ramp = (j: number) => ((j * 37) % 255) - 127;

  it("unchanged, when their Q8_0 blocks share a scale", () => {
    const { out, d } = toInt8(panelOf("Q8_0", 64, q8Row([0x3c00, 0x3c00], ramp)));
    expect(d).toBe(1);
    expect([...out]).toEqual(Array.from({ length: 64 }, (_, j) => ramp(j)));
  });

  it.each([
    ["scales that differ", q8Row([0x3c00, 0x3800], ramp)],
    ["a quant of -128", q8Row([0x3c00, 0x3c00], (j) => (j === 40 ? -128 : ramp(j)))],
  ])("within half a step, with %s", (_, bytes) => {
    const { out, d, row } = toInt8(panelOf("Q8_0", 64, bytes));
    expect(Math.min(...out)).toBeGreaterThanOrEqual(-127);
    for (const [j, value] of row.entries())
      expect(Math.abs(out[j]! * d - value)).toBeLessThanOrEqual(d * 0.5001);
  });

  it.each([0x7c00, 0xfc00, 0x7e00])("never with the scale 0x%x, which is not finite", (bits) => {
    expect(() =>
      toInt8(
        panelOf(
          "Q8_0",
          32,
          q8Row([bits], () => 1),
        ),
      ),
    ).toThrow(/not finite in row 0/);
  });

  it("of zeros and of the smallest floats", () => {
    expect(toInt8(panelOf("F32", 2, f32Bytes([0, 0])))).toMatchObject({ d: 0 });
    const { out } = toInt8(panelOf("F32", 2, f32Bytes([2 ** -149 * 190, -(2 ** -149) * 190])));
    expect([...out]).toEqual([127, -127]);
  });

  it("the same from F16 and BF16 as from F32", () => {
    const bytes = (...halves: number[]) => new Uint8Array(Uint16Array.from(halves).buffer);
    const expected = toInt8(panelOf("F32", 2, f32Bytes([1, -0.5])));
    expect(toInt8(panelOf("F16", 2, bytes(0x3c00, 0xb800)))).toEqual(expected);
    expect(toInt8(panelOf("BF16", 2, bytes(0x3f80, 0xbf00)))).toEqual(expected);
  });
});

it("half floats have the value that DataView gives them, all 65,536", () => {
  const view = new DataView(new ArrayBuffer(2)) as DataView & {
    getFloat16(at: number): number;
  };
  for (let bits = 0; bits < 65_536; bits++) {
    view.setUint16(0, bits);
    expect(Object.is(halfToFloat(bits), view.getFloat16(0)), `0x${bits.toString(16)}`).toBe(true);
  }
});

it("SHA-256 of a short text equals the runtime's of its UTF-8", async () => {
  const longest = "\u20ac".repeat(SHORT_CHARS_MAX); // three bytes each
  const lengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, SHORT_CHARS_MAX];
  const texts = [longest, "\ud800 alone", "a\u00e9\u{1f600}", ...lengths.map((n) => "q".repeat(n))];
  for (const text of [...texts, ""]) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    expect(sha256OfShort(text)).toBe(Buffer.from(digest).toString("hex"));
  }
  expect(() => sha256OfShort("q".repeat(SHORT_CHARS_MAX + 1))).toThrow(RangeError);
});

it("SHA-256 in portions equals the runtime's in one", async () => {
  const bytes = Uint8Array.from({ length: 1_000 }, (_, i) => (i * 7) & 255);
  for (const n of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000]) {
    const own = new Sha256();
    const chosen = sha256();
    for (let at = 0; at < n; at += 13) {
      const part = bytes.subarray(at, Math.min(n, at + 13));
      own.update(part);
      await chosen.update(part);
    }
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.subarray(0, n)));
    expect(own.digest()).toBe(Buffer.from(expected).toString("hex"));
    expect(await chosen.digest()).toBe(Buffer.from(expected).toString("hex"));
  }
});
