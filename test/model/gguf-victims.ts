/** Small legal model files, and the loaders that spoilt ones meet: see test/fuzz/gguf.ts. */
import { compileKernels } from "../../bench/kernels-module.ts";
import { codeOf } from "../../src/errors.ts";
import { DECODER_CONTEXT_MAX } from "../../src/limits.ts";
import { Decoder } from "../../src/model/decoder.ts";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { Encoder } from "../../src/model/encoder.ts";
import { parseHeader } from "../../src/model/gguf.ts";
import { Kernels } from "../../src/model/kernels.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";
import { type Script, scriptedParts } from "../support/scripted-decoder.ts";
import { tinyBert } from "../support/tiny-bert.ts";
import { type Fields, ggufFile, streamOf, type TestTensor } from "./gguf-file.ts";
import type { Base } from "./gguf-mutations.ts";

/** What linear memory may grow to: the bases need under 1 MB of it. */
const BYTES_MAX = 8 * 1024 * 1024;

const TINY: Partial<Script> = {
  dim: 32,
  n_layers: 1,
  n_heads: 2,
  n_kv_heads: 1,
  head_dim: 8,
  ffn_dim: 32,
  vocab_size: 40,
  context_length: 64,
};
const BLOCKS_OF_32: TensorType[] = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"];
const BLOCKS_OF_256: TensorType[] = ["Q4_K", "Q5_K", "Q6_K"];

/** Its tensors have every type in turn that their rows allow. */
function decoderParts(script: Partial<Script>, types: readonly TensorType[]) {
  let turn = 0;
  const floats: TensorType[] = ["F32", "F16", "BF16"];
  const short = /attn_output|ffn_down/; // rows of 16 and of ffn_dim
  const typeOf = (name: string) => {
    const list = short.test(name) ? floats : types;
    return list[turn++ % list.length]!;
  };
  return scriptedParts({ ...TINY, ...script, typeOf });
}

/** A SentencePiece vocabulary in place of the other. */
function withPieces({ fields, tensors }: { fields: Fields; tensors: TestTensor[] }) {
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
  });
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, "\u2581", "e", "d", "\u2581e", "\u2581ed"];
  const own = Object.entries(fields).filter(([key]) => !key.startsWith("tokenizer."));
  const pieces: Fields = {
    "tokenizer.ggml.model": ["string", "llama"],
    "tokenizer.ggml.tokens": ["strings", tokens],
    "tokenizer.ggml.scores": ["f32s", tokens.map((_, i) => -i)],
    "tokenizer.ggml.token_type": ["i32s", tokens.map((_, i) => [2, 3, 3][i] ?? (i < 259 ? 6 : 1))],
    "tokenizer.ggml.bos_token_id": ["u32", 1],
    "tokenizer.ggml.eos_token_id": ["u32", 2],
    "tokenizer.ggml.unknown_token_id": ["u32", 0],
  };
  return { fields: { ...Object.fromEntries(own), ...pieces }, tensors };
}

export function fuzzBases(): Base[] {
  const parts = {
    llama: decoderParts({}, BLOCKS_OF_32),
    qwen3: decoderParts({ architecture: "qwen3", dim: 256, ffn_dim: 8 }, BLOCKS_OF_256),
    qwen2: decoderParts(
      { architecture: "qwen2", tied: true, context_length: 2 ** 20 },
      BLOCKS_OF_32,
    ),
    spm: withPieces(decoderParts({ vocab_size: 264, ropeFactors: true }, BLOCKS_OF_32)),
    bert: tinyBert(),
  };
  return Object.entries(parts).map(([name, { fields, tensors }]) => {
    const bytes = ggufFile(fields, tensors);
    return { name, fields, tensors, bytes, dataOffset: parseHeader(bytes).dataOffset };
  });
}

/** What may become of a file. */
type End = "loaded" | "invalid_model_file" | "model_too_large";

/** Loads, and runs what loads: a step, the tokenizer, the template; `wide` asks for the longest
 *  context. Returns "loaded" or the code of the refusal; any other error is thrown. */
export class Victims {
  private readonly decoders: DecoderKernels;
  private readonly encoders: Kernels;

  constructor() {
    const module = compileKernels();
    this.decoders = DecoderKernels.create(module, { bytesMax: BYTES_MAX });
    this.encoders = Kernels.create(module, { bytesMax: BYTES_MAX });
  }

  async meet(bytes: Uint8Array, bert: boolean, wide: boolean): Promise<End> {
    const context = wide ? DECODER_CONTEXT_MAX : 16;
    const kernels = bert ? this.encoders : this.decoders;
    const mark = kernels.mark();
    let loading = true;
    try {
      const model = bert
        ? await Encoder.load(this.encoders, streamOf(bytes))
        : await Decoder.load(this.decoders, streamOf(bytes), { context });
      loading = false;
      if (model instanceof Encoder) model.embed(["the edge"]);
      else this.run(model);
      return "loaded";
    } catch (error) {
      const code = codeOf(error);
      if (code !== "invalid_model_file" && code !== "model_too_large") throw error;
      const left = kernels.mark() - mark;
      if (loading && left > 0) throw new Error(`what was refused left ${left} bytes`);
      return code;
    } finally {
      kernels.release(mark);
    }
  }

  private run(decoder: Decoder): void {
    const ids = decoder.tokenizer.encode("the edge");
    decoder.tokenizer.decode(ids);
    decoder.append([0, ...ids].slice(0, Math.min(10, decoder.context_length)));
    try {
      decoder.template.render([{ role: "user", content: "hi" }]);
    } catch (error) {
      if (codeOf(error) !== "invalid_request") throw error; // what a template says of messages
    }
  }
}
