/** A decoder beside llama.cpp as wllama on the very same file: one process, one thread each,
 *  interleaved, CPU time but where a peer can only time itself. */
import { assert } from "../src/errors.ts";
import type { Decoder } from "../src/model/decoder.ts";
import { openWllamaThree, openWllamaTwo, promptOf, type WllamaTwo } from "./peers/wllama.ts";
import { cpuMs, type Result, summarize } from "./report.ts";

const PREFILL_TOKENS = 256;
const DECODE_TOKENS = 32;
const PREFIX_TOKENS = 512;
/** The likeliest tokens of llama.cpp have nearly its probabilities here: both engines quantize
 *  activations to 8 bits, each its own way, and Brink the cache as well. */
async function checkAgainst(peer: WllamaTwo, decoder: Decoder): Promise<void> {
  const prompts = [[5, 6, 7], promptOf(64), promptOf(PREFILL_TOKENS)];
  for (const ids of prompts) {
    decoder.truncate(0);
    const logits = decoder.append(ids).slice();
    const top = logits.reduce((a, b) => Math.max(a, b));
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - top), 0);
    for (const { token, p } of await peer.likeliest(ids, 8)) {
      const ours = Math.exp(logits[token]! - top) / sum;
      assert(Math.abs(ours / p - 1) < 0.25, `token ${token} has p ${ours}, llama.cpp says ${p}`);
    }
  }
}

/** CPU ms a token: a prompt of PREFILL_TOKENS, then DECODE_TOKENS one by one. */
function runDecoder(decoder: Decoder): { prefillMs: number; decodeMs: number } {
  decoder.truncate(0);
  const start = cpuMs();
  decoder.append(promptOf(PREFILL_TOKENS));
  const middle = cpuMs();
  for (const id of promptOf(DECODE_TOKENS)) decoder.append([id]);
  const end = cpuMs();
  return {
    prefillMs: (middle - start) / PREFILL_TOKENS,
    decodeMs: (end - middle) / DECODE_TOKENS,
  };
}

/** CPU ms to the first logits of a prompt of PREFIX_TOKENS and 8 more: all of it, or the 8 alone
 *  where the prefix is in the cache. */
function firstLogitsMs(decoder: Decoder, cached: boolean): number {
  decoder.truncate(cached ? PREFIX_TOKENS : 0);
  const start = cpuMs();
  decoder.append(promptOf(PREFIX_TOKENS + 8).slice(decoder.length));
  return cpuMs() - start;
}

/** Rows of prefill and decode with the ratio to the fastest peer, then of a cached prefix. */
export async function besidePeers(
  decoder: Decoder,
  file: string,
  quick: boolean,
): Promise<Result[]> {
  const two = await openWllamaTwo(file, "f16");
  const peers = [two, await openWllamaTwo(file, "q8_0"), await openWllamaThree(file)];
  await checkAgainst(two, decoder);
  const runs = [
    { name: "brink", run: async () => runDecoder(decoder) },
    ...peers.map((peer) => ({
      name: peer.name,
      run: () => peer.run(PREFILL_TOKENS, DECODE_TOKENS),
    })),
  ];
  const samples = runs.map(() => ({ prefill: [] as number[], decode: [] as number[] }));
  for (let round = -1; round < (quick ? 1 : 7); round++)
    for (const [i, { run }] of runs.entries()) {
      const { prefillMs, decodeMs } = await run();
      if (round < 0) continue; // warm-up
      samples[i]!.prefill.push(prefillMs);
      samples[i]!.decode.push(decodeMs);
    }
  for (const peer of peers) await peer.close();
  const rows = (part: "prefill" | "decode"): Result[] => {
    const results = runs.map(({ name }, i) => {
      return { ...summarize(`${part} a token, ${name}`, samples[i]![part]), unit: "tokens/s" };
    });
    const [ours, ...theirs] = results;
    const best = theirs.reduce((a, b) => (a.msMedian < b.msMedian ? a : b));
    return [{ ...ours!, peer: best.name, ratio: best.msMedian / ours!.msMedian }, ...theirs];
  };
  return [...rows("prefill"), ...rows("decode"), ...prefixRows(decoder, quick)];
}

function prefixRows(decoder: Decoder, quick: boolean): Result[] {
  firstLogitsMs(decoder, false);
  const [whole, cached]: [number[], number[]] = [[], []];
  for (let round = 0; round < (quick ? 1 : 7); round++) {
    whole.push(firstLogitsMs(decoder, false));
    cached.push(firstLogitsMs(decoder, true));
  }
  const slow = summarize(`first logits of ${PREFIX_TOKENS} + 8 tokens, nothing cached`, whole);
  const fast = summarize(`the same, ${PREFIX_TOKENS} cached`, cached);
  return [slow, { ...fast, peer: slow.name, ratio: slow.msMedian / fast.msMedian }];
}
