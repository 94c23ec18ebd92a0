/** Whether llama.cpp, through node-llama-cpp, gives Brink's greedy tokens: 256 of stories260k and
 *  of scripted models in several architectures and types. Run on Linux x64:
 *    npm run build
 *    npm install --prefix bench/peers/llama-cpp --omit=optional --ignore-scripts
 *    node bench/peers/llama-cpp/agree.mjs
 *  Nothing is downloaded when it runs. Both engines round, llama.cpp activations to 8 bits and the
 *  cache to halves, so tokens may part where the float64 reference's best logit hardly leads: such
 *  a step is shown with its lead, and one that leads by more than 0.5 fails. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { Decoder } from "../../../src/model/decoder.ts";
import { readDecoderConfig } from "../../../src/model/decoder-config.ts";
import { DecoderKernels } from "../../../src/model/decoder-kernels.ts";
import { parseHeader } from "../../../src/model/gguf.ts";
import { streamOf } from "../../../test/model/gguf-file.ts";
import { greedy, ReferenceDecoder, tensorsOf } from "../../../test/oracle/llama.ts";
import { scriptedDecoder } from "../../../test/support/scripted-decoder.ts";
import { compileKernels } from "../../kernels-module.ts";

const root = join(import.meta.dirname, "../../..");
const stories = join(root, "../shared/data/weights/stories260k-f32.gguf");
const STEPS = 256;
const LEAD_MIN = 0.5;
const prompt = [1, ...Array.from({ length: 40 }, (_, i) => (i * 97 + 3) % 512)];

const mixed = (name) => (/output\.w|attn_v|blk\.0\.ffn_down/.test(name) ? "Q6_K" : "Q4_K");
const MODELS = [
  ...["F32", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"].map((type) => [
    `llama ${type}`,
    { typeOf: () => type },
  ]),
  ["llama Q4_K and Q6_K", { typeOf: mixed }],
  ["llama Q8_0, factors in RoPE", { typeOf: () => "Q8_0", ropeFactors: true }],
  ["qwen2 Q8_0", { architecture: "qwen2", typeOf: () => "Q8_0", seed: 3 }],
  ["qwen3 Q4_K", { architecture: "qwen3", typeOf: () => "Q4_K" }],
];

const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  progressLogs: false,
  logLevel: LlamaLogLevel.error,
});

/** llama.cpp's greedy tokens after the prompt. */
async function theirs(file, ids) {
  const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 512, threads: 1 });
  const tokens = [];
  const options = { temperature: 0, yieldEogToken: true };
  for await (const token of context.getSequence().evaluate(ids, options)) {
    tokens.push(token);
    if (tokens.length === STEPS) break;
  }
  await context.dispose();
  await model.dispose();
  return tokens;
}

async function ours(bytes, ids) {
  const kernels = DecoderKernels.create(compileKernels(), { bytesMax: 64 * 1024 * 1024 });
  const decoder = await Decoder.load(kernels, streamOf(bytes), { context: 512, cacheBits: 16 });
  const tokens = [];
  let logits = decoder.append(ids);
  while (tokens.length < STEPS) {
    tokens.push(logits.reduce((best, v, t) => (v > logits[best] ? t : best), 0));
    if (tokens.length < STEPS) logits = decoder.append([tokens.at(-1)]);
  }
  return tokens;
}

/** The reference's lead at each step, as long as the tokens are its own. */
function leads(bytes, ids) {
  const config = readDecoderConfig(parseHeader(bytes));
  const steps = greedy(new ReferenceDecoder(config, tensorsOf(bytes)), ids, STEPS);
  return steps.slice(ids.length - 1);
}

async function compare(name, bytes, ids) {
  const file = join(root, "build/agree.gguf");
  writeFileSync(file, bytes);
  const [a, b] = [await ours(bytes, ids), await theirs(file, ids)];
  const same = a.findIndex((token, i) => token !== b[i]);
  if (same === -1) {
    console.log(`${name}: ${a.length} tokens agree`);
    return true;
  }
  const { margin, best } = leads(bytes, ids)[same];
  console.log(
    `${name}: ${same} tokens agree, then ${a[same]} here and ${b[same]} there; the reference has ` +
      `${best}, which leads by ${margin.toFixed(4)}`,
  );
  return margin < LEAD_MIN;
}

mkdirSync(join(root, "build"), { recursive: true });
let agree = true;
if (existsSync(stories))
  agree = (await compare("stories260k F32", readFileSync(stories), [1])) && agree;
else console.log("stories260k: skipped, ../shared/data/weights is absent");
for (const [name, script] of MODELS)
  agree = (await compare(name, scriptedDecoder(script), prompt)) && agree;
const { release } = llama.llamaCppRelease;
console.log(`llama.cpp ${release} ${agree ? "agrees" : "DISAGREES"}`);
process.exit(agree ? 0 : 1); // the addon keeps the process alive
