/** A whole one-layer BERT in f32 with a vocabulary of a few pieces, for tests of loading. */
import { mulberry32 } from "../../eval/random.ts";
import { ENCODER_TOKENS_MAX } from "../../src/limits.ts";
import { type Fields, f32Bytes, type TestTensor } from "../model/gguf-file.ts";

const PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581the", "\u2581edge", "s"];
const SIZES = { dim: 32, ffn: 64 };

export function tinyBert(context = ENCODER_TOKENS_MAX): { fields: Fields; tensors: TestTensor[] } {
  const { dim, ffn } = SIZES;
  const next = mulberry32(5);
  const f32 = (name: string, ...dims: number[]): TestTensor => {
    const length = dims.reduce((a, b) => a * b, 1);
    return { name, dims, type: 0, data: f32Bytes(Array.from({ length }, () => next() * 2 - 1)) };
  };
  const both = (name: string, rows: number, cols: number) => [
    f32(`${name}.weight`, cols, rows),
    f32(`${name}.bias`, rows),
  ];
  const norm = (name: string) => [f32(`${name}.weight`, dim), f32(`${name}.bias`, dim)];
  const tensors = [
    f32("token_embd.weight", dim, PIECES.length),
    f32("token_types.weight", dim, 2),
    f32("position_embd.weight", dim, context),
    ...norm("token_embd_norm"),
    ...["q", "k", "v"].flatMap((part) => both(`blk.0.attn_${part}`, dim, dim)),
    ...both("blk.0.attn_output", dim, dim),
    ...norm("blk.0.attn_output_norm"),
    ...both("blk.0.ffn_up", ffn, dim),
    ...both("blk.0.ffn_down", dim, ffn),
    ...norm("blk.0.layer_output_norm"),
  ];
  const fields: Fields = {
    "general.architecture": ["string", "bert"],
    "general.name": ["string", "tiny"],
    "bert.embedding_length": ["u32", dim],
    "bert.block_count": ["u32", 1],
    "bert.attention.head_count": ["u32", 4],
    "bert.feed_forward_length": ["u32", ffn],
    "bert.context_length": ["u32", context],
    "bert.attention.layer_norm_epsilon": ["f32", 1e-12],
    "tokenizer.ggml.model": ["string", "bert"],
    "tokenizer.ggml.tokens": ["strings", PIECES],
    "tokenizer.ggml.padding_token_id": ["u32", 0],
    "tokenizer.ggml.unknown_token_id": ["u32", 1],
    "tokenizer.ggml.cls_token_id": ["u32", 2],
    "tokenizer.ggml.seperator_token_id": ["u32", 3],
  };
  return { fields, tensors };
}
