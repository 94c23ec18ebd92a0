/** What a decoder's vocabulary takes: `node --expose-gc bench/tokenizer-heap.ts` loads byte-level
 *  BPE vocabularies of the sizes of SmolLM2's and Qwen's, of random merges from a seed, and prints
 *  what stays in the heap beside the metadata, what the metadata takes until it is let go, and how
 *  long loading and encoding take. */
import type { GgufValue } from "../src/model/gguf.ts";
import { loadTokenizer } from "../src/model/tokenizer.ts";
import { BYTE_CHARS, toyBpe } from "../test/model/toy-vocabulary.ts";
import { seeded } from "../test/model/wordpiece-strings.ts";

const SIZES = [
  { name: "SmolLM2", pre: "smollm", merges: 48_900, controls: 17 },
  { name: "Qwen", pre: "qwen2", merges: 151_387, controls: 293 },
];
/** Bytes of the longest token that a merge makes. */
const LONGEST = 16;

/** Merges of letters into ever longer tokens, all different. */
function randomMerges(count: number): string[] {
  const below = seeded(7);
  const tokens = BYTE_CHARS.filter((char) => /^[a-zA-Zà-þ]$/.test(char));
  const known = new Set(tokens);
  const merges: string[] = [];
  while (merges.length < count) {
    const [left, right] = [tokens[below(tokens.length)]!, tokens[below(tokens.length)]!];
    const both = left + right;
    if (both.length > LONGEST || known.has(both)) continue;
    known.add(both);
    tokens.push(both);
    merges.push(`${left} ${right}`);
  }
  return merges;
}

/** Through JSON, so that every string is whole and its own, as when a file is read. */
function metadataOf(pre: string, merges: number, controls: number): Map<string, GgufValue> {
  const metadata = toyBpe({
    pre,
    merges: randomMerges(merges),
    controls: Array.from({ length: controls }, (_, i) => `<|reserved_${i}|>`),
  });
  return new Map(JSON.parse(JSON.stringify([...metadata])));
}

/** Bytes in use after a collection: JavaScript's heap and what typed arrays hold outside it. */
function bytesInUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;

if (!globalThis.gc) throw new Error("run with --expose-gc");
loadTokenizer(metadataOf("gpt-2", 1_000, 1)).encode("what loads once is not counted");
for (const { name, pre, merges, controls } of SIZES) {
  const start = bytesInUse();
  let metadata: Map<string, GgufValue> | null = metadataOf(pre, merges, controls);
  const withMetadata = bytesInUse();
  const from = performance.now();
  const tokenizer = loadTokenizer(metadata);
  const loadMs = performance.now() - from;
  metadata = null;
  const kept = bytesInUse();
  const below = seeded(8);
  const text = Array.from({ length: 200_000 }, () => "etaoin shrdlu"[below(13)]).join("");
  const encodeFrom = performance.now();
  const tokens = tokenizer.encode(text, { tokensMax: text.length }).length;
  const encodeMs = performance.now() - encodeFrom;
  console.log(
    `${name}: ${tokenizer.vocab_size} tokens, ${merges} merges: tokenizer ` +
      `${megabytes(kept - start)}, metadata ${megabytes(withMetadata - start)}, loaded in ` +
      `${loadMs.toFixed(0)} ms, ${((text.length / encodeMs) * 1e-3).toFixed(2)} million ` +
      `characters a second (${tokens} tokens)`,
  );
}
