/** 10,000 strings for the test of byte-level BPE, always the same: half of each other tokenizer's.
 *  bench/peers/bpe-fixture.mjs asks llama.cpp about them, whose C strings end at U+0000. */
import { spmStrings } from "./spm-strings.ts";
import { wordpieceStrings } from "./wordpiece-strings.ts";

export function bpeStrings(): string[] {
  const half = 5_000;
  return [...wordpieceStrings().slice(0, half), ...spmStrings().slice(0, half)].map((text) =>
    text.replaceAll("\0", "\u0001"),
  );
}
