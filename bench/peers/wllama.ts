/** llama.cpp compiled to WASM, from the npm package @wllama/wllama, on Node with one thread: the
 *  peer of Brink's decoders. Two of its versions, since neither is the faster one for every file:
 *  3.13.0 multiplies Q4_0 without SIMD on one thread, and 2.3.7 does not. */
import { openAsBlob } from "node:fs";
import { join } from "node:path";
import { cpuMs } from "../report.ts";
import { actAsBrowser } from "./browser-worker.ts";

export interface DecoderPeer {
  name: string;
  /** Forgets everything, evaluates a prompt of about `promptTokens` and then `tokens` more, one at
   *  a time; ms a token of each part. */
  run(promptTokens: number, tokens: number): Promise<{ prefillMs: number; decodeMs: number }>;
  close(): Promise<void>;
}

export interface WllamaTwo extends DecoderPeer {
  /** The `k` likeliest tokens after `ids`, best first, with their probabilities. */
  likeliest(ids: readonly number[], k: number): Promise<{ token: number; p: number }[]>;
}

const SILENT = { debug() {}, log() {}, warn() {}, error: console.error };
const PACKAGES = join(import.meta.dirname, "node_modules");
/** The worker fetches this path from the disk: see browser-worker.ts. */
const served = (path: string) => `http://localhost${join(PACKAGES, path)}`;

/** Ids of a prompt without meaning; any token costs the same. */
export const promptOf = (tokens: number) =>
  Array.from({ length: tokens }, (_, i) => 1_000 + ((i * 7919) % 40_000));

/** Version 2.3.7, which takes token ids. `cacheType` is that of the keys; values stay f16. */
export async function openWllamaTwo(file: string, cacheType: "f16" | "q8_0"): Promise<WllamaTwo> {
  actAsBrowser();
  const { Wllama } = await import(join(PACKAGES, "wllama-2/esm/index.js"));
  const paths = Object.fromEntries(
    ["single-thread/wllama.wasm", "multi-thread/wllama.wasm"].map((path) => [
      path,
      served(`wllama-2/esm/${path}`),
    ]),
  );
  const wllama = new Wllama(paths, { logger: SILENT, suppressNativeLog: true });
  const options = { n_threads: 1, n_ctx: 1024, n_batch: 256, cache_type_k: cacheType };
  await wllama.loadModel([await openAsBlob(file)], options);
  return {
    name: `wllama 2.3.7, ${cacheType} keys`,
    async run(promptTokens, tokens) {
      await wllama.kvClear();
      const start = cpuMs();
      await wllama.decode(promptOf(promptTokens), {});
      const middle = cpuMs();
      for (const id of promptOf(tokens)) await wllama.decode([id], {});
      const end = cpuMs();
      return { prefillMs: (middle - start) / promptTokens, decodeMs: (end - middle) / tokens };
    },
    async likeliest(ids, k) {
      await wllama.kvClear();
      await wllama.samplingInit({ temp: 0 });
      await wllama.decode(ids, {});
      return wllama.getLogits(k);
    },
    close: () => wllama.exit(),
  };
}

/** Version 3.13.0, which takes text alone and times itself by the wall clock, greedy sampling of
 *  each token included. */
export async function openWllamaThree(file: string): Promise<DecoderPeer> {
  actAsBrowser();
  const { Wllama } = await import(join(PACKAGES, "wllama-3/esm/index.js"));
  const paths = { default: served("wllama-3/esm/wasm/wllama.wasm") };
  const wllama = new Wllama(paths, { logger: SILENT, suppressNativeLog: true });
  const batch = { n_ctx: 1024, n_batch: 256, n_ubatch: 256, n_parallel: 1 };
  await wllama.loadModel([await openAsBlob(file)], { n_threads: 1, n_gpu_layers: 0, ...batch });
  return {
    name: "wllama 3.13.0",
    async run(promptTokens, tokens) {
      // Letters of a scripted vocabulary that merges next to nothing: about a token each.
      const letter = (i: number) => String.fromCharCode(97 + ((i * 7919) % 26));
      const prompt = Array.from({ length: promptTokens }, (_, i) => letter(i)).join("");
      const sampling = { temperature: 0, ignore_eos: true, cache_prompt: false };
      const { timings } = await wllama.createCompletion({
        prompt,
        max_tokens: tokens,
        ...sampling,
      });
      return {
        prefillMs: timings.prompt_per_token_ms,
        decodeMs: timings.predicted_per_token_ms,
      };
    },
    close: () => wllama.exit(),
  };
}
