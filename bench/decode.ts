/** A decoder of SmolLM2-135M's shape, all of it Q4_0, random weights: tokens a second of decoding
 *  and of prefill, alone and beside wllama. Its logits are held against the float64 reference and
 *  llama.cpp's before any time counts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../src/errors.ts";
import { Decoder } from "../src/model/decoder.ts";
import { readDecoderConfig } from "../src/model/decoder-config.ts";
import { DecoderKernels } from "../src/model/decoder-kernels.ts";
import { parseHeader } from "../src/model/gguf.ts";
import { streamOf } from "../test/model/gguf-file.ts";
import { ReferenceDecoder, tensorsOf } from "../test/oracle/llama.ts";
import { besidePeers } from "./decode-peers.ts";
import { compileKernels } from "./kernels-module.ts";
import { type Candidate, type Result, timeInterleaved } from "./report.ts";
import { writeSmollmFile } from "./smollm-file.ts";

const PEERS = join(import.meta.dirname, "peers/node_modules/wllama-2");
const CONTEXT = 2_048;
const BYTES_MAX = 118_000_000;
const PREFILL_TOKENS = 256;
/** Where decoding is timed: with a short and with a long past. */
const PASTS = [64, 1_024];
/** What drafts cost: ROW_COSTS of src/generation/prompt-lookup.ts. */
const STEP_ROWS = [1, 2, 4, 8];
const STEP_PAST = 512;
/** 8-bit activations and cache over 30 layers: of the logits' own deviation. */
const ERROR_MAX = 0.05;

/** Ids spread over the vocabulary: n tokens of a prompt. */
export const promptIds = (n: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((i * 7919) % 40_000));

export async function loadSmollm(path = writeSmollmFile()): Promise<Decoder> {
  const kernels = DecoderKernels.create(compileKernels(), { bytesMax: BYTES_MAX });
  return Decoder.load(kernels, streamOf(readFileSync(path)), { context: CONTEXT });
}

/** The root mean square of the logits' errors after a few tokens, in deviations of the logits. */
function errorOf(decoder: Decoder, path: string): number {
  const bytes = new Uint8Array(readFileSync(path));
  const config = readDecoderConfig(parseHeader(bytes));
  const reference = new ReferenceDecoder(config, tensorsOf(bytes));
  const ids = promptIds(4);
  const expected = ids.map((id) => reference.next(id)).at(-1)!;
  decoder.truncate(0);
  const logits = decoder.append(ids);
  const mean = expected.reduce((a, b) => a + b, 0) / expected.length;
  const square = (of: (v: number, i: number) => number) =>
    expected.reduce((sum, v, i) => sum + of(v, i) ** 2, 0);
  return Math.sqrt(square((v, i) => v - logits[i]!) / square((v) => v - mean));
}

/** Candidates' rates are tokens a second: report() divides work by nanoseconds. */
export function decodeCandidates(decoder: Decoder): Candidate[] {
  const tokens = (n: number) => ({ unit: "tokens/s", work: n * 1e9 });
  const decode = (past: number): Candidate => ({
    name: `decode at ${past} tokens`,
    ...tokens(1),
    run: () => {
      if (decoder.length < past) decoder.append(promptIds(past).slice(decoder.length), 0);
      decoder.truncate(past);
      decoder.append([past]);
    },
  });
  const step = (rows: number): Candidate => ({
    name: `a step of ${rows} rows at ${STEP_PAST} tokens`,
    ...tokens(rows),
    run: () => {
      if (decoder.length < STEP_PAST) decoder.append(promptIds(STEP_PAST).slice(decoder.length), 0);
      decoder.truncate(STEP_PAST);
      decoder.append(promptIds(rows), rows);
    },
  });
  return [
    ...PASTS.map(decode),
    ...STEP_ROWS.map(step),
    {
      name: `prefill of ${PREFILL_TOKENS} tokens`,
      ...tokens(PREFILL_TOKENS),
      run: () => {
        decoder.truncate(0);
        decoder.append(promptIds(PREFILL_TOKENS));
      },
    },
  ];
}

/** Rows beside wllama where it is installed, then rows of ours alone. */
export async function decodeResults(quick: boolean): Promise<Result[]> {
  const path = writeSmollmFile();
  const decoder = await loadSmollm(path);
  const error = errorOf(decoder, path);
  assert(error < ERROR_MAX, `the logits are off by ${error} of their deviation`);
  const results: Result[] = [];
  if (existsSync(PEERS)) results.push(...(await besidePeers(decoder, path, quick)));
  else console.log("without wllama: `npm run bench:peers` installs it");
  for (const candidate of decodeCandidates(decoder)) {
    const rounds = quick ? { rounds: 3, sampleMs: 100 } : { rounds: 11, sampleMs: 500 };
    results.push(...(await timeInterleaved([candidate], { ...rounds, warmUpMs: 1_500 })));
  }
  const { weightBytes, contextBytes } = decoder.facts;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const percent = `${(error * 100).toFixed(2)} %`;
  console.log(`decode: weights ${mb(weightBytes)}, context ${mb(contextBytes)}, logits off by`);
  console.log(`${percent} of their deviation; wllama 3 times itself by the wall clock`);
  return results;
}
