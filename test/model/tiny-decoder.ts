/** A llama of two layers whose weights come from a seed: small enough for any test. What it writes
 *  is nonsense, but the same nonsense every time. */
import { mulberry32 } from "../../eval/random.ts";
import {
  encodeField,
  encodeHeader,
  type GgufField,
  type NewTensor,
  padded,
  tensorBytes,
} from "../../src/model/gguf-writer.ts";
import { quantizeRow } from "../../src/model/quantize.ts";

export interface TinyOptions {
  type?: "F32" | "Q8_0" | "Q4_0";
  /** Tokens past the 291 that the text needs, to make the file larger. */
  vocabFiller?: number;
  seed?: number;
  /** Metadata to add or to replace. */
  fields?: Record<string, GgufField>;
}

const DIM = 32;
const FFN = 64;
const HEADS = 2;
const LAYERS = 2;
const CONTEXT = 4096;

/** Numbers in [-1, 1), from a seed. */
export function seeded(seed: number): () => number {
  const next = mulberry32(seed);
  return () => 2 * next() - 1;
}

/** SentencePiece's specials, its 256 bytes, then printable pieces. */
function vocabulary(filler: number) {
  const pieces: [text: string, score: number, type: number][] = [
    ["<unk>", 0, 2],
    ["<s>", 0, 3],
    ["</s>", 0, 3],
  ];
  for (let byte = 0; byte < 256; byte++)
    pieces.push([`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, 0, 6]);
  for (const [i, text] of Array.from("▁etaoinshrdlucmfwypvbgkjqxz.,!?[]").entries())
    pieces.push([text, -i, 1]);
  for (let i = 0; i < filler; i++) pieces.push([`▁filler${i}`, -1000 - i, 1]);
  return pieces;
}

/** The whole file. */
export function decoderFile(options: TinyOptions = {}): Uint8Array<ArrayBuffer> {
  const { type = "Q8_0", seed = 1 } = options;
  const pieces = vocabulary(options.vocabFiller ?? 0);
  const fields: Record<string, GgufField> = {
    "general.architecture": ["string", "llama"],
    "general.name": ["string", "tiny"],
    "llama.context_length": ["u32", CONTEXT],
    "llama.embedding_length": ["u32", DIM],
    "llama.block_count": ["u32", LAYERS],
    "llama.feed_forward_length": ["u32", FFN],
    "llama.attention.head_count": ["u32", HEADS],
    "llama.attention.head_count_kv": ["u32", 1],
    "llama.rope.dimension_count": ["u32", DIM / HEADS],
    "llama.attention.layer_norm_rms_epsilon": ["f32", 1e-5],
    "tokenizer.ggml.model": ["string", "llama"],
    "tokenizer.ggml.tokens": ["strings", pieces.map(([text]) => text)],
    "tokenizer.ggml.scores": ["f32s", pieces.map(([, score]) => score)],
    "tokenizer.ggml.token_type": ["i32s", pieces.map(([, , kind]) => kind)],
    "tokenizer.ggml.bos_token_id": ["u32", 1],
    "tokenizer.ggml.eos_token_id": ["u32", 2],
    "tokenizer.ggml.unknown_token_id": ["u32", 0],
    ...options.fields,
  };
  const tensors = tensorsOf(pieces.length, type);
  const encoded = Object.entries(fields).map(([key, field]) => encodeField(key, field));
  const header = encodeHeader(encoded, tensors);
  const bytes = tensors.reduce((sum, tensor) => sum + padded(tensorBytes(tensor)), header.length);
  const file = new Uint8Array(bytes);
  file.set(header);
  const random = seeded(seed);
  let at = header.length;
  for (const tensor of tensors) {
    fill(file.subarray(at, at + tensorBytes(tensor)), tensor, random);
    at += padded(tensorBytes(tensor));
  }
  return file;
}

function tensorsOf(vocab: number, type: "F32" | "Q8_0" | "Q4_0"): NewTensor[] {
  const matrix = (name: string, cols: number, rows: number): NewTensor => {
    return { name: `${name}.weight`, dims: [cols, rows], type };
  };
  const norm = (name: string): NewTensor => {
    return { name: `${name}.weight`, dims: [DIM], type: "F32" };
  };
  const layers = Array.from({ length: LAYERS }, (_, i) => [
    norm(`blk.${i}.attn_norm`),
    matrix(`blk.${i}.attn_q`, DIM, DIM),
    matrix(`blk.${i}.attn_k`, DIM, DIM / HEADS),
    matrix(`blk.${i}.attn_v`, DIM, DIM / HEADS),
    matrix(`blk.${i}.attn_output`, DIM, DIM),
    norm(`blk.${i}.ffn_norm`),
    matrix(`blk.${i}.ffn_gate`, DIM, FFN),
    matrix(`blk.${i}.ffn_up`, DIM, FFN),
    matrix(`blk.${i}.ffn_down`, FFN, DIM),
  ]);
  return [
    matrix("token_embd", DIM, vocab),
    ...layers.flat(),
    norm("output_norm"),
    matrix("output", DIM, vocab),
  ];
}

function fill(bytes: Uint8Array, { dims, type }: NewTensor, random: () => number): void {
  const cols = dims[0]!;
  const rows = dims[1] ?? 1;
  const rowBytes = bytes.length / rows;
  for (let i = 0; i < rows; i++) {
    const row = Float32Array.from({ length: cols }, () =>
      dims.length === 1 ? 1 + random() / 4 : random(),
    );
    const out = bytes.subarray(i * rowBytes, (i + 1) * rowBytes);
    if (type === "Q8_0" || type === "Q4_0") quantizeRow(type, row, out);
    else out.set(new Uint8Array(row.buffer));
  }
}
