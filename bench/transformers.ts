/** The peer transformers.js on onnxruntime-web with one thread, from bench/peers. On Node it would
 *  take onnxruntime-node, which is native; it takes another runtime where one stands under the
 *  symbol that it looks for, so it gets onnxruntime-web. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as ort from "onnxruntime-web";
import type { BertConfig } from "../src/model/bert.ts";

const PEERS = join(import.meta.dirname, "peers");
const NAME = "all-MiniLM-L6-v2";

/** A text to its unit-length embedding, tokenizing and pooling included. */
export type Embed = (text: string) => Promise<Float32Array>;

interface Library {
  env: {
    allowRemoteModels: boolean;
    localModelPath: string;
    useWasmCache: boolean;
    version: string;
  };
  pipeline(
    task: string,
    model: string,
    options: object,
  ): Promise<(text: string, options: object) => Promise<{ data: Float32Array }>>;
}

/** What a model's folder holds beside its ONNX file. `pieces` is the vocabulary as GGUF has it: a
 *  word's first piece begins with U+2581. */
function tokenizerFiles(pieces: readonly string[], config: BertConfig) {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const plain = (piece: string) =>
    piece.startsWith("\u2581") ? piece.slice(1) : special.includes(piece) ? piece : `##${piece}`;
  const vocab = Object.fromEntries(pieces.map((piece, id) => [plain(piece), id]));
  const idOf = (token: string) => vocab[token]!;
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const tokenizer = {
    version: "1.0",
    added_tokens: special.map((content) => {
      const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
      return { id: idOf(content), content, ...flags, special: true };
    }),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [token("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, token("[SEP]")],
      pair: [],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
  return {
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": {
      tokenizer_class: "BertTokenizer",
      model_max_length: 256,
      do_lower_case: true,
    },
    "config.json": {
      model_type: "bert",
      architectures: ["BertModel"],
      hidden_size: config.dim,
      num_hidden_layers: config.n_layers,
      num_attention_heads: config.n_heads,
      vocab_size: config.vocab_size,
    },
  };
}

/** Opens the model over the given ONNX file (as `transformersModel` makes it); null, with a line
 *  that says so, where the peers are not installed. */
export async function openTransformers(
  file: Uint8Array,
  pieces: readonly string[],
  config: BertConfig,
): Promise<{ name: string; embed: Embed } | null> {
  if (!existsSync(join(PEERS, "node_modules/@huggingface/transformers"))) {
    console.log("transformers.js is not installed: npm run bench:peers");
    return null;
  }
  ort.env.wasm.numThreads = 1;
  (globalThis as unknown as Record<symbol, unknown>)[Symbol.for("onnxruntime")] = ort;
  const entry = createRequire(join(PEERS, "package.json")).resolve("@huggingface/transformers");
  const library = (await import(
    pathToFileURL(entry.replace(/\.cjs$/, ".mjs")).href
  )) as unknown as Library;
  const folder = mkdtempSync(join(tmpdir(), "brink-bench-"));
  try {
    mkdirSync(join(folder, NAME, "onnx"), { recursive: true });
    writeFileSync(join(folder, NAME, "onnx/model_quantized.onnx"), file);
    for (const [name, content] of Object.entries(tokenizerFiles(pieces, config)))
      writeFileSync(join(folder, NAME, name), JSON.stringify(content));
    library.env.allowRemoteModels = false;
    library.env.useWasmCache = false; // it would fetch the runtime again, from a server
    library.env.localModelPath = `${folder}/`;
    const extract = await library.pipeline("feature-extraction", NAME, {
      dtype: "q8",
      device: "auto", // with a runtime that it does not know, the library names no device itself
      session_options: { executionProviders: ["wasm"], graphOptimizationLevel: "all" },
    });
    const embed = async (text: string) =>
      (await extract(text, { pooling: "mean", normalize: true })).data;
    return { name: `transformers.js ${library.env.version}`, embed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
