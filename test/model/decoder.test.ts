/** Decoders: what a step depends on, what they take, and which files they refuse. */
import { describe, expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import {
  DECODER_LOGIT_ROWS_MAX,
  DECODER_ROWS_STEP,
  DECODER_RUNTIME_BYTES,
  DECODER_TOKENIZER_BYTES_PER_MERGE,
  DECODER_TOKENIZER_BYTES_PER_TOKEN,
} from "../../src/limits.ts";
import type { CacheBits } from "../../src/model/attend.ts";
import { Decoder, planDecoder } from "../../src/model/decoder.ts";
import { checkDecoderFits } from "../../src/model/decoder-memory.ts";
import { parseHeader } from "../../src/model/gguf.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";
import { loadDecoder, newDecoderKernels } from "../support/decoding.ts";
import { type Script, scriptedDecoder } from "../support/scripted-decoder.ts";
import { f32Bytes, streamOf, type TestTensor } from "./gguf-file.ts";

const SMALL: Partial<Script> = { dim: 64, head_dim: 16, ffn_dim: 96, vocab_size: 512 };
const small = (changes: Partial<Script> = {}, edit?: (tensors: TestTensor[]) => TestTensor[]) =>
  scriptedDecoder({ ...SMALL, typeOf: () => "Q8_0", ...changes }, edit);

/** Ids spread over the vocabulary. */
const text = (n: number) => Array.from({ length: n }, (_, i) => (i * 97 + 3) % 512);

describe.each<[TensorType, CacheBits]>([
  ["F32", 8],
  ["Q8_0", 8],
  ["Q8_0", 16],
  ["Q4_0", 8],
  ["Q4_1", 16],
])("a decoder of %s with a cache of %i bits", (type, cacheBits) => {
  const bytes = small({ typeOf: () => type });
  const load = async () => (await loadDecoder(bytes, { cacheBits })).decoder;

  it("gives the same logits, to the last bit, however a text is divided", async () => {
    const ids = text(2 * DECODER_ROWS_STEP + 9);
    const whole = (await load()).append(ids, 4).slice();
    const single = await load();
    single.append(ids.slice(0, -4));
    const rows = ids.slice(-4).map((id) => single.append([id]).slice());
    const parts = await load();
    for (let at = 0; at < ids.length - 12; at += 7) parts.append(ids.slice(at, at + 7), 0);
    parts.truncate(ids.length - 20);
    const last = parts.append(ids.slice(-20), 4);
    for (const [i, row] of rows.entries()) {
      const at = i * 512;
      expect(Buffer.from(row.buffer).equals(Buffer.from(whole.slice(at, at + 512).buffer))).toBe(
        true,
      );
      expect(Buffer.from(row.buffer).equals(Buffer.from(last.slice(at, at + 512).buffer))).toBe(
        true,
      );
    }
  });
});

describe("the context", () => {
  it("holds what was asked for, the model's own at most, 2,048 by default", async () => {
    const context = async (context_length: number, context?: number) =>
      (await loadDecoder(small({ context_length }), { context })).decoder.context_length;
    expect(await context(512, 100)).toBe(100);
    expect(await context(512, 1_000)).toBe(512);
    expect(await context(4_096)).toBe(2_048);
  });

  it("forgets what follows a truncation, and nothing else", async () => {
    const { decoder } = await loadDecoder(small());
    const ids = text(40);
    const first = decoder.append(ids).slice();
    decoder.append(text(9));
    expect(decoder.length).toBe(49);
    decoder.truncate(39);
    expect(decoder.append(ids.slice(39))).toEqual(first);
    decoder.truncate(0);
    expect(decoder.append(ids)).toEqual(first);
  });

  it("throws, unchanged, for ids, rows or lengths that it cannot take", async () => {
    const { decoder } = await loadDecoder(small(), { context: 50 });
    decoder.append(text(10));
    for (const wrong of [
      () => decoder.append([]),
      () => decoder.append(text(41)),
      () => decoder.append([512]),
      () => decoder.append([-1]),
      () => decoder.append([1.5]),
      () => decoder.append([1, 2], 3),
      () => decoder.append(text(30), DECODER_LOGIT_ROWS_MAX + 1),
      () => decoder.truncate(11),
    ])
      expect(wrong).toThrow("invariant broken");
    expect(decoder.length).toBe(10);
    expect(decoder.append(text(40))).toHaveLength(512);
  });
});

describe("memory", () => {
  it.each<[string, Partial<Script>]>([
    ["Q8_0", {}],
    ["F16, untied, ragged", { typeOf: () => "F16", ffn_dim: 92, n_kv_heads: 1 }],
    ["qwen2", { architecture: "qwen2" }],
    ["qwen3, tied", { architecture: "qwen3", tied: true }],
  ])("of %s is what the plan says, and no step takes more", async (_, script) => {
    const bytes = small(script);
    const kernels = newDecoderKernels();
    const before = kernels.bytesUsed;
    const { weights, activations, config, context } = planDecoder(
      parseHeader(bytes),
      { usedBytes: before, linearMax: kernels.bytesMax },
      { cacheBits: 16 },
    );
    const decoder = await Decoder.load(kernels, streamOf(bytes), { cacheBits: 16 });
    const { contextBytes, weightBytes } = decoder.facts;
    const joined = 16 * 8 * config.n_layers; // tensors side by side are aligned as one
    expect(weightBytes).toBe(weights);
    expect(kernels.bytesUsed - before).toBeLessThanOrEqual(weights + contextBytes);
    expect(kernels.bytesUsed - before).toBeGreaterThan(weights + contextBytes - joined);
    const used = kernels.bytesUsed;
    const peak = kernels.bytesPeak;
    expect(peak).toBeLessThanOrEqual(used + activations);
    decoder.append(text(context - 1), DECODER_LOGIT_ROWS_MAX);
    decoder.append([1]);
    expect(kernels.bytesPeak).toBe(peak);
    expect(kernels.bytesUsed).toBe(used);
  });

  it("that is not there is refused with the sum and the context that would fit", async () => {
    const bytes = small({ context_length: 4_096 });
    const kernels = newDecoderKernels(1_200_000);
    const before = kernels.bytesUsed;
    const error = await Decoder.load(kernels, streamOf(bytes), { context: 4_096 }).catch((e) => e);
    expect(codeOf(error)).toBe("model_too_large");
    expect(error.message).toMatch(
      /^weights 0\.\d MB \+ KV cache \d\.\d MB for 4096 positions \+ activations \d\.\d MB \+ /,
    );
    const context = Number(/; a context of (\d+) positions would fit$/.exec(error.message)![1]);
    expect(kernels.bytesUsed).toBe(before);
    expect((await loadDecoder(bytes, { context }, 1_200_000)).decoder.context_length).toBe(context);
    const more = loadDecoder(bytes, { context: context + 2 }, 1_200_000);
    await expect(more).rejects.toThrow(`a context of ${context} positions would fit`);
  });

  it("has room for every merge, of which a vocabulary may have more than tokens", () => {
    const header = parseHeader(small());
    const plan = (merges: number) => () => {
      const list = Array(merges).fill("a b");
      const metadata = new Map(header.metadata).set("tokenizer.ggml.merges", list);
      planDecoder({ ...header, metadata }, { usedBytes: 0, linearMax: 1 });
    };
    const more = 500_000;
    const bytes = DECODER_RUNTIME_BYTES + 512 * DECODER_TOKENIZER_BYTES_PER_TOKEN;
    const mb = (n: number) => `tokenizer and runtime ${(n / 1e6).toFixed(1)} MB`;
    expect(plan(512)).toThrow(mb(bytes));
    expect(plan(512 + more)).toThrow(mb(bytes + more * DECODER_TOKENIZER_BYTES_PER_MERGE));
  });

  it("of a model whose weights alone are too many is refused whatever the context", () => {
    const memory = {
      weights: 600e6,
      kvCache: (n: number) => n * 1e4,
      activations: 4e6,
      vocab_size: 1e5,
      merges: 0,
    };
    expect(() => checkDecoderFits(memory, 2048, { usedBytes: 4096, linearMax: 118e6 })).toThrow(
      "weights 600.0 MB + KV cache 20.5 MB for 2048 positions + activations 4.0 MB + tokenizer " +
        "and runtime 14.4 MB = 638.9 MB, the limit is 118.0 MB; no context would fit",
    );
  });
});

describe("a file that is not the model is refused by name, and nothing stays allocated", () => {
  const change =
    (name: string, to: Partial<TestTensor> | null) =>
    (tensors: TestTensor[]): TestTensor[] =>
      tensors.flatMap((tensor) =>
        tensor.name === name ? (to === null ? [] : [{ ...tensor, ...to }]) : [tensor],
      );
  const withByte = (name: string, at: number, value: number) => (tensors: TestTensor[]) => {
    tensors.find((tensor) => tensor.name === name)!.data[at] = value;
    return tensors;
  };
  const extra = { name: "blk.0.attn_q.bias", dims: [64], type: 0, data: f32Bytes(text(64)) };
  const noNumber = f32Bytes(text(64).map((_, i) => (i === 9 ? Number.NaN : 1)));
  const down = "blk.0.ffn_down.weight";

  it.each<[string, (tensors: TestTensor[]) => TestTensor[], RegExp]>([
    ["missing", change("blk.1.attn_v.weight", null), /attn_v.weight \[64, 32\] is missing/],
    [
      "misshapen",
      change(down, { dims: [64, 96] }),
      /ffn_down.weight is \[64, 96\] in GGUF's order/,
    ],
    ["unknown", (tensors) => [...tensors, extra], /blk.0.attn_q.bias has no place in this model/],
    ["of another vocabulary", change("token_embd.weight", { dims: [32, 1024] }), /is \[32, 1024\]/],
    ["an infinite scale", withByte(down, 34 * 7 + 1, 0x7c), /ffn_down.weight holds .* in row 2/],
    ["a scale of NaN", withByte("output.weight", 1, 0xff), /output.weight holds .* in row 0/],
    ["a norm of NaN", change("output_norm.weight", { data: noNumber }), /output_norm.weight holds/],
  ])("%s", async (_, edit, message) => {
    const kernels = newDecoderKernels();
    const before = kernels.bytesUsed;
    const error = await Decoder.load(kernels, streamOf(small({}, edit))).catch((e) => e);
    expect(codeOf(error), String(error)).toBe("invalid_model_file");
    expect(error.message).toMatch(message);
    expect(kernels.bytesUsed).toBe(before);
  });

  it("a file that ends inside a tensor", async () => {
    const bytes = small();
    await expect(loadDecoder(bytes.subarray(0, bytes.length - 200))).rejects.toThrow(
      "file ends at",
    );
  });

  it("weights whose products are no numbers, when they are first used", async () => {
    const data = f32Bytes(text(64 * 512).map(() => 3e38));
    const edit = change("output.weight", { type: 0, data });
    const { decoder } = await loadDecoder(small({}, edit));
    const error = await Promise.resolve()
      .then(() => decoder.append([1, 2, 3]))
      .catch((e) => e);
    expect(codeOf(error)).toBe("invalid_model_file");
    expect(error.message).toBe("scripted-llama gives logits that are not finite");
    expect(decoder.length).toBe(0);
  });
});
