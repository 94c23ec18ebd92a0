/** Decoders against their float64 reference over the same dequantized weights: 256 greedy tokens
 *  and all their logits.
 *
 *  What separates the two is what is rounded on the way: keys and values (to 8 bits or 16), the
 *  activations that meet 4-bit weights (to 8 bits) and others (to 16), and f32 itself. A bound here
 *  is about twice the greatest difference seen; a greedy token is certain where the reference's
 *  best logit leads by more than twice the bound; the scripted models' lead by that everywhere. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type GgufValue, parseHeader } from "../../src/model/gguf.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";
import { PackedTexts } from "../../src/model/text-list.ts";
import { tensorsOf } from "../oracle/llama.ts";
import { bestOf, compareGreedy, loadDecoder, referenceSteps } from "../support/decoding.ts";
import { quantize, typeId } from "../support/quantize.ts";
import { type Script, scriptedDecoder } from "../support/scripted-decoder.ts";
import { type Field, ggufFile } from "./gguf-file.ts";

const STEPS = 256;
const stories = join(import.meta.dirname, "../../../shared/data/weights/stories260k-f32.gguf");

/** Bounds of a logit's error in the scripted models, whose logits deviate by 1.5 of each other. */
const BOUNDS: [type: TensorType, bound: number][] = [
  ["F32", 0.12],
  ["F16", 0.12],
  ["BF16", 0.12],
  ["Q8_0", 0.12],
  ["Q5_0", 0.12],
  ["Q5_1", 0.12],
  ["Q5_K", 0.12],
  ["Q6_K", 0.14],
  ["Q4_0", 0.25],
  ["Q4_1", 0.25],
  ["Q4_K", 0.25],
];

const FLOATS: ReadonlySet<TensorType> = new Set(["F32", "F16", "BF16"]);

/** A prompt that meets every part of the vocabulary, past one block of a row of any kernel. */
const prompt = [1, ...Array.from({ length: 40 }, (_, i) => (i * 97 + 3) % 512)];

async function expectGreedy(bytes: Uint8Array, bound: number, count = STEPS): Promise<void> {
  const steps = referenceSteps(bytes, prompt, count);
  const { decoder } = await loadDecoder(bytes);
  const { tokens, expected, worst, margin } = compareGreedy(decoder, prompt, steps);
  expect(margin).toBeGreaterThan(2 * bound);
  expect(tokens).toEqual(expected);
  expect(tokens).toHaveLength(count);
  expect(new Set(tokens).size).toBeGreaterThan(count * 0.75); // no loop to fall into
  expect(worst).toBeLessThan(bound);
}

describe("a scripted llama gives the reference's tokens, logits within the bound", () => {
  it.each(BOUNDS)("%s, within %f", async (type, bound) => {
    const count = FLOATS.has(type) ? 64 : STEPS; // stories260k does the rest
    await expectGreedy(scriptedDecoder({ typeOf: () => type }), bound, count);
  });

  it("mixed as Q4_K_M files are: Q6_K for output, values and half of ffn_down", async () => {
    const better = /^(output|blk\.\d+\.attn_v|blk\.0\.ffn_down)\.weight$/;
    const typeOf = (name: string) => (better.test(name) ? "Q6_K" : "Q4_K");
    await expectGreedy(scriptedDecoder({ typeOf }), 0.25);
  });

  it("mixed with every neighbour of another type", async () => {
    const types: TensorType[] = ["Q8_0", "Q4_0", "F16", "Q5_1", "Q4_K", "Q6_K", "Q5_0"];
    let next = 0;
    await expectGreedy(scriptedDecoder({ typeOf: () => types[next++ % types.length]! }), 0.18);
  });
});

describe("other architectures give the reference's tokens, logits within the bound", () => {
  it.each<[string, Partial<Script>]>([
    ["qwen2: biases, halves turned", { architecture: "qwen2", seed: 3 }],
    ["qwen3: heads normalized, halves turned", { architecture: "qwen3" }],
    ["qwen3 whose heads are wider than the model", { architecture: "qwen3", head_dim: 128 }],
    ["llama with factors in RoPE, as Llama 3.2", { ropeFactors: true }],
    ["llama with a KV head for each head", { n_kv_heads: 4 }],
    ["llama with one KV head and a ragged feed-forward", { n_kv_heads: 1, ffn_dim: 544 }],
  ])("%s", async (_, script) => {
    await expectGreedy(scriptedDecoder({ typeOf: () => "Q8_0", ...script }), 0.12, 64);
  });

  it("the bound would not hide the wrong pairs of RoPE", () => {
    const bytes = scriptedDecoder({ typeOf: () => "Q8_0" });
    const steps = referenceSteps(bytes, prompt, 1);
    const others = referenceSteps(bytes, prompt, 1, { ropeLayout: "halves" });
    const last = prompt.length - 1;
    const apart = steps[last]!.logits.map((v, t) => Math.abs(v - others[last]!.logits[t]!));
    expect(Math.max(...apart)).toBeGreaterThan(1);
  });
});

/** The same model with its matrices as halves: F32 tensors of two dimensions become F16. */
function asHalves(bytes: Uint8Array): Uint8Array {
  const { metadata, tensors } = parseHeader(bytes);
  const values = tensorsOf(bytes);
  const list = tensors.map(({ name, dims }) => {
    const type: TensorType = dims.length > 1 ? "F16" : "F32";
    return { name, dims, type: typeId(type), data: quantize(type, values.get(name)!.data) };
  });
  const fieldOf = (key: string, value: GgufValue): Field => {
    if (typeof value === "string") return ["string", value];
    if (value instanceof PackedTexts) return ["strings", [...value]];
    if (!Array.isArray(value)) return [key.endsWith("epsilon") ? "f32" : "u32", Number(value)];
    if (typeof value[0] === "string") return ["strings", value as string[]];
    return [key.endsWith("scores") ? "f32s" : "i32s", value as number[]];
  };
  const fields = Array.from(metadata, ([key, value]) => [key, fieldOf(key, value)] as const);
  return ggufFile(Object.fromEntries(fields), list);
}

const absent = "stories260k (skipped where ../shared/data/weights is absent)";
describe.skipIf(!existsSync(stories))(absent, () => {
  const file = () => new Uint8Array(readFileSync(stories));

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["F32", (bytes) => bytes],
    ["F16", asHalves],
  ])("%s with a 16-bit cache gives the reference's tokens, logits within 0.02", async (_, as) => {
    const bytes = as(file());
    const steps = referenceSteps(bytes, [1], STEPS);
    const { decoder } = await loadDecoder(bytes, { cacheBits: 16 });
    const { tokens, expected, worst } = compareGreedy(decoder, [1], steps);
    expect(tokens).toEqual(expected);
    expect(worst).toBeLessThan(0.02);
    expect(decoder.tokenizer.decode(tokens)).toMatch(/^Once upon a time, there was a little girl/);
  });

  it("with an 8-bit cache gives all tokens that lead by a logit, logits within 2", async () => {
    const steps = referenceSteps(file(), [1], STEPS);
    const { decoder } = await loadDecoder(file());
    const wrong: number[] = [];
    let worst = 0;
    for (const { id, logits: expected, best, margin } of steps) {
      const logits = decoder.append([id]);
      worst = Math.max(worst, ...expected.map((v, t) => Math.abs(v - logits[t]!)));
      if (bestOf(logits) !== best) wrong.push(margin);
    }
    expect(Math.max(0, ...wrong)).toBeLessThan(1);
    expect(wrong.length).toBeLessThan(6);
    expect(worst).toBeLessThan(2); // of logits between -22 and 22
  });
});
