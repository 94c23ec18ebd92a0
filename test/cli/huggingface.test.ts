/** Checkpoints as GGUF: names, the order of rows, keys, and what is refused. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { convert } from "../../cli/convert.ts";
import { ggufName, type HfConfig, openHuggingFace, ropeFactors } from "../../cli/huggingface.ts";
import { modelsAdd } from "../../cli/models-add.ts";
import { checkDecoder } from "../../src/model/check-decoder.ts";
import { parseHeader } from "../../src/model/gguf.ts";
import { seeded } from "../model/tiny-decoder.ts";
import { runCommand } from "./said.ts";

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "brink-hf-")), "Tiny-Model");
  mkdirSync(folder);
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

const DIM = 64;
const KV = 32;
const HEAD = 16;
const FFN = 96;

const CONFIG: HfConfig = {
  model_type: "llama",
  hidden_size: DIM,
  num_hidden_layers: 1,
  num_attention_heads: DIM / HEAD,
  num_key_value_heads: KV / HEAD,
  intermediate_size: FFN,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 100_000,
  vocab_size: 264,
  eos_token_id: 257,
  bos_token_id: 256,
  tie_word_embeddings: true,
};

const SMOLLM = {
  type: "Sequence",
  pretokenizers: [
    { type: "Digits", individual_digits: true },
    { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  ],
};

/** The 256 byte letters of GPT-2 and one merge. */
function tokenizerJson(pre_tokenizer: object = SMOLLM, rest: object = {}) {
  const kept = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b !== 173);
  let next = 256;
  const letters = Array.from({ length: 256 }, (_, b) => String.fromCodePoint(kept(b) ? b : next++));
  const vocab = Object.fromEntries(letters.map((letter, id) => [letter, id]));
  return {
    model: { type: "BPE", vocab: { ...vocab, th: 258 }, merges: [["t", "h"]], ...rest },
    pre_tokenizer,
    normalizer: null,
    post_processor: null,
    added_tokens: [
      { id: 256, content: "<|start|>", special: true },
      { id: 257, content: "<|end|>", special: true },
      { id: 259, content: "<tool>", special: false },
    ],
  };
}

const SHAPES: Record<string, number[]> = {
  "model.embed_tokens.weight": [264, DIM],
  "model.norm.weight": [DIM],
  "model.layers.0.input_layernorm.weight": [DIM],
  "model.layers.0.post_attention_layernorm.weight": [DIM],
  "model.layers.0.self_attn.q_proj.weight": [DIM, DIM],
  "model.layers.0.self_attn.k_proj.weight": [KV, DIM],
  "model.layers.0.self_attn.v_proj.weight": [KV, DIM],
  "model.layers.0.self_attn.o_proj.weight": [DIM, DIM],
  "model.layers.0.mlp.gate_proj.weight": [FFN, DIM],
  "model.layers.0.mlp.up_proj.weight": [FFN, DIM],
  "model.layers.0.mlp.down_proj.weight": [DIM, FFN],
};

/** Writes a BF16 file of these tensors; the numbers, rounded as the file has them, by name. */
function writeSafetensors(name: string, shapes: Record<string, number[]>, seed = 1) {
  const random = seeded(seed);
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Uint16Array[] = [];
  const values: Record<string, Float32Array> = {};
  let at = 0;
  for (const [tensor, shape] of Object.entries(shapes)) {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const numbers = Float32Array.from({ length: count }, random);
    const bits = Uint16Array.from(new Uint32Array(numbers.buffer), (word) => word >>> 16);
    values[tensor] = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
    header[tensor] = { dtype: "BF16", shape, data_offsets: [at, at + 2 * count] };
    parts.push(bits);
    at += 2 * count;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = parts.map((part) => Buffer.from(part.buffer));
  writeFileSync(join(folder, name), Buffer.concat([length, json, ...data]));
  return values;
}

const put = (name: string, json: object) => writeFileSync(join(folder, name), JSON.stringify(json));

it("a llama checkpoint becomes a GGUF that a decoder is read from", async () => {
  put("config.json", CONFIG);
  put("tokenizer.json", tokenizerJson());
  put("tokenizer_config.json", { chat_template: "{{ messages[0].content }}" });
  const values = writeSafetensors("model.safetensors", SHAPES);
  const source = await openHuggingFace(join(folder, "model.safetensors"));
  const to = join(folder, "out.gguf");
  await convert(source, "Q8_0", to, () => {});
  const header = parseHeader(Uint8Array.from(readFileSync(to)));
  expect(checkDecoder(header, 64).architecture).toBe("llama");
  const meta = (key: string) => header.metadata.get(key);
  expect(meta("general.name")).toBe("Tiny-Model");
  expect(meta("llama.rope.freq_base")).toBe(100_000);
  expect(meta("tokenizer.ggml.pre")).toBe("smollm");
  expect(meta("tokenizer.ggml.merges")).toEqual(["t h"]);
  expect(meta("tokenizer.chat_template")).toBe("{{ messages[0].content }}");
  expect(meta("tokenizer.ggml.eos_token_id")).toBe(257);
  expect(meta("tokenizer.ggml.bos_token_id")).toBe(256);
  const types = meta("tokenizer.ggml.token_type") as number[];
  expect([0, 256, 257, 258, 259, 260].map((id) => types[id])).toEqual([1, 3, 3, 1, 4, 5]);
  const token = source.tensors.find(({ name }) => name === "token_embd.weight")!;
  expect(await token.read(3, 2)).toEqual(
    values["model.embed_tokens.weight"]!.subarray(3 * DIM, 5 * DIM),
  );
  await source.close();
});

it.each<[object, number, string | undefined]>([
  [{ rope_theta: 1_000_000, rope_type: "default" }, 1_000_000, undefined],
  [{ rope_theta: 500_000, rope_type: "linear", factor: 4 }, 500_000, "linear"],
  [{ rope_type: "default" }, 10_000, undefined],
])("RoPE is what transformers 5 writes of it, %j", async (rope_parameters, base, scaling) => {
  const { rope_theta: _, ...config } = CONFIG;
  put("config.json", { ...config, rope_parameters, hidden_act: "silu", partial_rotary_factor: 1 });
  put("tokenizer.json", tokenizerJson());
  writeSafetensors("model.safetensors", SHAPES);
  const source = await openHuggingFace(join(folder, "model.safetensors"));
  await convert(source, "Q8_0", join(folder, "out.gguf"), () => {});
  await source.close();
  const { metadata } = parseHeader(Uint8Array.from(readFileSync(join(folder, "out.gguf"))));
  expect(metadata.get("llama.rope.freq_base")).toBe(base);
  expect(metadata.get("llama.rope.scaling.type")).toBe(scaling);
});

it("a conversion whose upload broke off is made anew where a file is another", async () => {
  put("config.json", CONFIG);
  put("tokenizer.json", tokenizerJson());
  writeSafetensors("model.safetensors", SHAPES);
  const values = { cache: join(folder, "cache"), url: "http://127.0.0.1:1", key: "k", json: true };
  const add = () => runCommand(modelsAdd, [join(folder, "model.safetensors")], values);
  const target = join(folder, "cache", "Tiny-Model-q8_0.gguf");
  const converted = async () => {
    await expect(add()).rejects.toThrow();
    const { metadata } = parseHeader(Uint8Array.from(readFileSync(target)));
    return metadata.get("tokenizer.chat_template");
  };
  expect(await converted()).toBeUndefined();
  const { mtimeMs } = statSync(target);
  expect(await converted()).toBeUndefined();
  expect(statSync(target).mtimeMs).toBe(mtimeMs);
  put("tokenizer_config.json", { chat_template: "one" });
  expect(await converted()).toBe("one");
  writeFileSync(join(folder, "chat_template.jinja"), "another");
  expect(await converted()).toBe("another");
  rmSync(join(folder, "chat_template.jinja"));
  expect(await converted()).toBe("one");
});

it("q and k rows are those of interleaved pairs, from any row on, and v's stay", async () => {
  put("config.json", CONFIG);
  put("tokenizer.json", tokenizerJson());
  const values = writeSafetensors("model.safetensors", SHAPES);
  const source = await openHuggingFace(join(folder, "model.safetensors"));
  const tensor = (name: string) => source.tensors.find((one) => one.name === name)!;
  for (const [name, hf, rows] of [
    ["blk.0.attn_q.weight", "q_proj", DIM],
    ["blk.0.attn_k.weight", "k_proj", KV],
  ] as const) {
    const from = values[`model.layers.0.self_attn.${hf}.weight`]!;
    const wanted = Array.from({ length: rows }, (_, row) => {
      const [head, pair, second] = [Math.floor(row / HEAD), (row % HEAD) >> 1, row % 2];
      const at = (head * HEAD + second * (HEAD / 2) + pair) * DIM;
      return from.subarray(at, at + DIM);
    });
    const got = await tensor(name).read(0, rows);
    for (const [row, values] of wanted.entries())
      expect(got.subarray(row * DIM, (row + 1) * DIM)).toEqual(values);
    expect(await tensor(name).read(5, 20)).toEqual(got.subarray(5 * DIM, 25 * DIM));
  }
  const v = await tensor("blk.0.attn_v.weight").read(0, KV);
  expect(v).toEqual(values["model.layers.0.self_attn.v_proj.weight"]);
  await source.close();
});

it("a qwen3 in two files keeps its rows, has its norms, and unties its output", async () => {
  put("config.json", {
    ...CONFIG,
    model_type: "qwen3",
    tie_word_embeddings: false,
    head_dim: HEAD,
  });
  put("tokenizer.json", tokenizerJson());
  const q = { "model.layers.0.self_attn.q_proj.weight": [DIM, DIM] };
  const norms = {
    "model.layers.0.self_attn.q_norm.weight": [HEAD],
    "model.layers.0.self_attn.k_norm.weight": [HEAD],
    "lm_head.weight": [264, DIM],
  };
  const { "model.layers.0.self_attn.q_proj.weight": _, ...rest } = SHAPES;
  writeSafetensors("model-00001-of-00002.safetensors", { ...rest, ...norms });
  const values = writeSafetensors("model-00002-of-00002.safetensors", q, 2);
  const names = (shapes: object, file: string) =>
    Object.fromEntries(Object.keys(shapes).map((name) => [name, file]));
  put("model.safetensors.index.json", {
    weight_map: {
      ...names({ ...rest, ...norms }, "model-00001-of-00002.safetensors"),
      ...names(q, "model-00002-of-00002.safetensors"),
    },
  });
  const source = await openHuggingFace(join(folder, "model.safetensors.index.json"));
  const tensors = new Map(source.tensors.map((tensor) => [tensor.name, tensor]));
  expect(tensors.size).toBe(14);
  expect(tensors.has("output.weight") && tensors.has("blk.0.attn_k_norm.weight")).toBe(true);
  expect(await tensors.get("blk.0.attn_q.weight")!.read(0, DIM)).toEqual(
    values["model.layers.0.self_attn.q_proj.weight"],
  );
  await source.close();
});

it("what cuts texts is named: gpt-2, llama-bpe, qwen2, and anything else is refused", async () => {
  put("config.json", CONFIG);
  writeSafetensors("model.safetensors", SHAPES);
  const tail = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const head = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
  const split = (digits: string) => ({
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: head + digits + tail }, behavior: "Isolated" },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  });
  const named = async (pre: object, normalizer: object | null = null) => {
    put("tokenizer.json", { ...tokenizerJson(pre), normalizer });
    const source = await openHuggingFace(join(folder, "model.safetensors"));
    await convert(source, "Q4_0", join(folder, "out.gguf"), () => {});
    await source.close();
    const header = parseHeader(Uint8Array.from(readFileSync(join(folder, "out.gguf"))));
    return header.metadata.get("tokenizer.ggml.pre");
  };
  expect(await named(split("\\p{N}{1,3}"))).toBe("llama-bpe");
  expect(await named(split("\\p{N}"), { type: "NFC" })).toBe("qwen2");
  expect(await named(split("\\p{N}"))).toBe("stablelm2");
  expect(await named({ type: "ByteLevel", add_prefix_space: false })).toBe("gpt-2");
  await expect(named(split("\\d+"))).rejects.toThrow(/in a way that Brink does not know/);
  await expect(named({ type: "Whitespace" })).rejects.toThrow(/Whitespace/);
  await expect(named(split("\\p{N}{1,3}"), { type: "NFC" })).rejects.toThrow(/NFC/);
});

it("what cannot be converted is refused by name", async () => {
  const open = () => openHuggingFace(join(folder, "model.safetensors"));
  writeSafetensors("model.safetensors", SHAPES);
  await expect(open()).rejects.toThrow(/config.json is needed/);
  put("config.json", { ...CONFIG, model_type: "mamba" });
  await expect(open()).rejects.toThrow("model_type is mamba");
  put("config.json", { ...CONFIG, rope_scaling: { rope_type: "yarn" } });
  put("tokenizer.json", tokenizerJson());
  await expect(open()).rejects.toThrow("rope_scaling is yarn");
  for (const [told, message] of [
    [{ rope_parameters: { rope_type: "yarn" } }, "rope_scaling is yarn"],
    [{ rope_parameters: { full_attention: { rope_theta: 1 } } }, "full_attention of its own"],
    [{ rope_parameters: { partial_rotary_factor: 0.5 } }, "partial_rotary_factor is 0.5"],
    [{ partial_rotary_factor: 0.25 }, "partial_rotary_factor is 0.25"],
    [{ hidden_act: "gelu" }, "hidden_act is gelu"],
  ] as const) {
    put("config.json", { ...CONFIG, ...told });
    await expect(open()).rejects.toThrow(message);
  }
  put("config.json", CONFIG);
  put("tokenizer.json", tokenizerJson(SMOLLM, { byte_fallback: true }));
  await expect(open()).rejects.toThrow("SentencePiece");
  put("tokenizer.json", tokenizerJson());
  writeSafetensors("model.safetensors", { ...SHAPES, "model.layers.0.mlp.experts.weight": [2, 2] });
  await expect(open()).rejects.toThrow("has no place in a decoder");
  writeFileSync(join(folder, "model.safetensors"), Buffer.alloc(64, 0xff));
  await expect(open()).rejects.toThrow("no safetensors file");
});

it("a safetensors header that is none is refused by what is wrong", async () => {
  put("config.json", CONFIG);
  put("tokenizer.json", tokenizerJson());
  const name = "model.norm.weight";
  const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const refusal = (header: string) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const file = Buffer.concat([length, Buffer.from(header), Buffer.alloc(8)]);
    writeFileSync(join(folder, "model.safetensors"), file);
    const open = openHuggingFace(join(folder, "model.safetensors"));
    const code = { code: "invalid_model_file", message: expect.any(String) };
    return expect(open.then((source) => source.close())).rejects.toMatchObject(code);
  };
  for (const header of ["{", "null", "[]", "7"]) await refusal(header);
  for (const odd of [
    ...[null, 7, "x", { ...entry, dtype: "I64" }, { ...entry, dtype: "constructor" }],
    ...[
      { ...entry, shape: "2" },
      { ...entry, shape: [2, 0] },
      { ...entry, shape: ["2"] },
    ],
    ...[
      { ...entry, shape: [0.5, 4] },
      { ...entry, shape: [-1, -2] },
      { ...entry, shape: null },
    ],
    ...[
      { ...entry, shape: [2 ** 53, 2] },
      { ...entry, data_offsets: [8, 0] },
    ],
    ...[
      { ...entry, data_offsets: [8] },
      { ...entry, data_offsets: [8, 16] },
    ],
    ...[
      { ...entry, data_offsets: [-8, 0] },
      { dtype: "F32", shape: [2] },
    ],
  ])
    await refusal(JSON.stringify({ [name]: odd }));
});

it("names map one to one", () => {
  expect(ggufName("model.layers.12.mlp.down_proj.weight")).toBe("blk.12.ffn_down.weight");
  expect(ggufName("model.layers.3.self_attn.q_proj.bias")).toBe("blk.3.attn_q.bias");
});

it("Llama 3's frequency factors are 1 for fast pairs, the factor for slow ones, and rise", () => {
  const rope_scaling = {
    rope_type: "llama3",
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const factors = ropeFactors({ ...CONFIG, head_dim: 64, rope_theta: 500_000, rope_scaling })!;
  expect(factors.length).toBe(32);
  expect([factors[0], factors[31]]).toEqual([1, 32]);
  expect([...factors]).toEqual([...factors].sort((a, b) => a - b));
  const between = factors.filter((factor) => factor > 1 && factor < 32);
  expect(between.length).toBeGreaterThan(2);
  expect(ropeFactors(CONFIG)).toBeNull();
  const { rope_theta: _, ...config } = CONFIG;
  const rope_parameters = { ...rope_scaling, rope_theta: 500_000 };
  expect(ropeFactors({ ...config, head_dim: 64, rope_parameters })).toEqual(factors);
});
