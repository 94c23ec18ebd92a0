/** Small vocabularies, as GGUF metadata. */
import type { GgufValue, Metadata } from "../../src/model/gguf.ts";

/** What byte-level BPE writes for each byte: a printable character. */
export const BYTE_CHARS: readonly string[] = (() => {
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCharCode(printable ? byte : 256 + others++);
  });
})();

/** A text as byte-level BPE writes it. */
export function byteChars(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => BYTE_CHARS[byte]!).join("");
}

/** Byte-level BPE: a token a byte, those of `merges` ("l o", in byte characters), then `controls`
 *  and `userDefined`, in that order. */
export function toyBpe(options: {
  pre?: string;
  merges?: string[];
  controls?: string[];
  userDefined?: string[];
  more?: Record<string, GgufValue>;
}): Metadata {
  const { pre = "gpt-2", merges = [], controls = [], userDefined = [], more = {} } = options;
  const merged = merges.map((merge) => merge.replace(" ", ""));
  const tokens = [...BYTE_CHARS, ...merged, ...controls, ...userDefined];
  const types = [
    ...Array(256 + merged.length).fill(1),
    ...controls.map(() => 3),
    ...userDefined.map(() => 4),
  ];
  return new Map<string, GgufValue>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", pre],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", types],
    ["tokenizer.ggml.merges", merges],
    ...Object.entries(more),
  ]);
}

/** SentencePiece: <unk>, <s>, </s>, the byte tokens unless `bytes` is false, then `pieces` with
 *  their scores. */
export function toySpm(options: {
  pieces: [string, number][];
  bytes?: boolean;
  userDefined?: string[];
  more?: Record<string, GgufValue>;
}): Metadata {
  const { pieces, bytes = true, userDefined = [], more = {} } = options;
  const byteTokens = Array.from(
    { length: bytes ? 256 : 0 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const entries: [string, number, number][] = [
    ["<unk>", 0, 2],
    ["<s>", 0, 3],
    ["</s>", 0, 3],
    ...byteTokens.map((text): [string, number, number] => [text, 0, 6]),
    ...pieces.map(([text, score]): [string, number, number] => [text, score, 1]),
    ...userDefined.map((text): [string, number, number] => [text, 0, 4]),
  ];
  return new Map<string, GgufValue>([
    ["tokenizer.ggml.model", "llama"],
    ["tokenizer.ggml.tokens", entries.map(([text]) => text)],
    ["tokenizer.ggml.scores", entries.map(([, score]) => score)],
    ["tokenizer.ggml.token_type", entries.map(([, , type]) => type)],
    ...Object.entries(more),
  ]);
}
