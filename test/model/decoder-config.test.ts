/** What decoders' headers may say, and which file is refused for what. */
import { describe, expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { readDecoderConfig } from "../../src/model/decoder-config.ts";
import type { GgufHeader, GgufValue } from "../../src/model/gguf.ts";

type Values = Record<string, GgufValue | undefined>;

/** A header of such keys after the architecture's name, `undefined` for none, and such tensors. */
function header(architecture: string, values: Values, names: string[] = []): GgufHeader {
  const base: Values = {
    embedding_length: 576,
    block_count: 30,
    context_length: 8192,
    feed_forward_length: 1536,
    "attention.head_count": 9,
    "attention.head_count_kv": 3,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "rope.freq_base": 100_000,
  };
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", architecture],
    ["tokenizer.ggml.tokens", ["a", "b", "c"]],
  ]);
  for (const [key, value] of Object.entries({ ...base, ...values }))
    if (value !== undefined) metadata.set(`${architecture}.${key}`, value);
  const shape = { type: "F32", dims: [3], rows: 1, cols: 3, rowBytes: 12, bytes: 12 } as const;
  const tensors = names.map((name, i) => ({ name, ...shape, offset: 32 * i }));
  const places = { fieldSpans: new Map(), alignment: 32, dataOffset: 0, endOffset: 0 };
  return { version: 3, metadata, tensors, ...places };
}

const config = (architecture: string, values: Values = {}, names?: string[]) =>
  readDecoderConfig(header(architecture, values, names));

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(codeOf(error), String(error)).toBe("invalid_model_file");
    return (error as Error).message;
  }
  throw new Error("was not refused");
}

describe("what is read", () => {
  it("SmolLM2-135M's keys", () => {
    expect(config("llama", { "rope.dimension_count": 64, vocab_size: 3 })).toEqual({
      architecture: "llama",
      ropeLayout: "interleaved",
      attentionBias: false,
      headNorm: false,
      dim: 576,
      n_layers: 30,
      n_heads: 9,
      n_kv_heads: 3,
      head_dim: 64,
      ffn_dim: 1536,
      vocab_size: 3,
      context_length: 8192,
      rope_dim: 64,
      rope_base: 100_000,
      rope_scale: 1,
      ropeFactors: false,
      tied: true,
      eps: 1e-5,
    });
  });

  it("qwen2 has biases, qwen3 norms of heads, and both turn halves", () => {
    const traits = { ropeLayout: "halves", headNorm: false, attentionBias: true };
    expect(config("qwen2")).toMatchObject(traits);
    expect(config("qwen3")).toMatchObject({ ...traits, headNorm: true, attentionBias: false });
  });

  it("heads wider than their share of the model", () => {
    const wide = config("qwen3", { "attention.key_length": 128, "attention.value_length": 128 });
    expect(wide).toMatchObject({ head_dim: 128, rope_dim: 128 });
  });

  it("defaults: a KV head for each head, a RoPE base of 10,000", () => {
    const bare = { "attention.head_count_kv": undefined, "rope.freq_base": undefined };
    expect(config("llama", bare)).toMatchObject({ n_kv_heads: 9, rope_base: 10_000 });
  });

  it("an output matrix of its own, and factors for RoPE", () => {
    const names = ["output.weight", "rope_freqs.weight"];
    expect(config("llama", {}, names)).toMatchObject({ tied: false, ropeFactors: true });
  });

  it("linear RoPE scaling under either of its keys", () => {
    const linear = { "rope.scaling.type": "linear", "rope.scaling.factor": 4 };
    expect(config("llama", linear).rope_scale).toBe(4);
    expect(config("llama", { "rope.scale_linear": 2 }).rope_scale).toBe(2);
    expect(config("llama", { ...linear, "rope.scaling.type": "none" }).rope_scale).toBe(1);
  });

  it("parts that the file says it does not have", () => {
    expect(config("llama", { expert_count: 0, "attention.sliding_window": 0 }).dim).toBe(576);
  });
});

describe("what is refused", () => {
  it.each<[string, Values, RegExp]>([
    ["experts", { expert_count: 8 }, /llama\.expert_count is 8.*not compute/],
    ["a sliding window", { "attention.sliding_window": 4096 }, /sliding_window is 4096/],
    ["soft-capped logits", { final_logit_softcapping: 30 }, /final_logit_softcapping is 30/],
    ["a key nobody knows", { "attention.sinks": true }, /llama\.attention\.sinks is true/],
    ["YaRN", { "rope.scaling.type": "yarn" }, /rope\.scaling\.type is yarn; Brink reads none/],
    ["no width", { embedding_length: undefined }, /embedding_length is absent/],
    ["a width of no panel", { embedding_length: 580 }, /embedding_length is 580, no multiple of 8/],
    ["layers without end", { block_count: 2 ** 31 }, /block_count is 2147483648, not an integer/],
    ["half a layer", { block_count: 1.5 }, /block_count is 1.5/],
    ["no heads", { "attention.head_count": 0 }, /head_count is 0/],
    ["heads that do not divide", { "attention.head_count": 15 }, /576 is no multiple of 15/],
    ["KV heads that do not", { "attention.head_count_kv": 4 }, /head_count_kv is 4, no divisor/],
    ["KV heads by layer", { "attention.head_count_kv": [3, 3] }, /head_count_kv is an array/],
    ["an odd head", { "attention.key_length": 63 }, /heads have 63 numbers/],
    ["wide values", { "attention.value_length": 128 }, /value_length is 128, but keys have 64/],
    ["an odd RoPE", { "rope.dimension_count": 63 }, /dimension_count is 63, an odd number/],
    ["RoPE past the head", { "rope.dimension_count": 128 }, /between 1 and 64/],
    ["a RoPE base of 0", { "rope.freq_base": 0 }, /freq_base is 0, not between 1 and/],
    ["an epsilon of NaN", { "attention.layer_norm_rms_epsilon": Number.NaN }, /is NaN/],
    ["an epsilon of 0", { "attention.layer_norm_rms_epsilon": 0 }, /is 0, not between/],
    ["a wrong vocabulary", { vocab_size: 4 }, /vocab_size is 4, but there are 3 tokens/],
    ["a 64-bit context", { context_length: 2n ** 63n }, /9223372036854775808/],
  ])("%s", (_, values, message) => {
    expect(refusal(() => config("llama", values))).toMatch(message);
  });

  it("another architecture", () => {
    expect(refusal(() => config("mamba"))).toMatch(/mamba; decoders are llama, qwen2, qwen3/);
  });
});
