/** Vocabularies of byte-level BPE for tests and benches: plausible ones, from seeded numbers. */
import type { Fields } from "../model/gguf-file.ts";

const SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + " +
  "message['content'] + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** The 256 characters that byte-level BPE writes bytes with: printable ones stand for themselves,
 *  the others for code points from 256 on. Source: GPT-2's encoder. */
function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
    return String.fromCodePoint(printable ? byte : next++);
  });
}

/** The tokenizer.ggml keys of a vocabulary of `size` tokens: three specials, the bytes, then
 *  merges of earlier tokens, lower-case letters with or without a space in front. Ids 1 and 2 begin
 *  and end a ChatML message. `next` gives numbers in [0, 1). */
export function byteLevelVocabulary(size: number, next: () => number, pre = "smollm"): Fields {
  const bytes = byteAlphabet();
  const space = bytes[32]!;
  const tokens = [...SPECIALS, ...bytes].slice(0, size);
  const seen = new Set(tokens);
  const parts = [...Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i)), space];
  const part = () => parts[Math.floor(next() * parts.length)]!;
  const merges: string[] = [];
  while (tokens.length < size) {
    const [left, right] = [part(), part()];
    const token = left + right;
    if (right.startsWith(space) || token.length > 12 || seen.has(token)) continue;
    seen.add(token);
    tokens.push(token);
    parts.push(token);
    merges.push(`${left} ${right}`);
  }
  const types = tokens.map((_, id) => (id < SPECIALS.length ? 3 : 1));
  return {
    "tokenizer.ggml.model": ["string", "gpt2"],
    "tokenizer.ggml.pre": ["string", pre],
    "tokenizer.ggml.tokens": ["strings", tokens],
    "tokenizer.ggml.token_type": ["i32s", types],
    "tokenizer.ggml.merges": ["strings", merges],
    "tokenizer.ggml.bos_token_id": ["u32", 1],
    "tokenizer.ggml.eos_token_id": ["u32", 2],
    "tokenizer.ggml.unknown_token_id": ["u32", 0],
    "tokenizer.ggml.padding_token_id": ["u32", 2],
    "tokenizer.ggml.add_bos_token": ["bool", false],
    "tokenizer.chat_template": ["string", CHATML],
  };
}
