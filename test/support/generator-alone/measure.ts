/** Measures the memory of the generator's isolate while it loads a model and fills its context. */
import { createReadStream, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { readHeap } from "../../../scripts/inspector.ts";
import { type RunningService, startService } from "../../../scripts/service.ts";
import { readParameters } from "../../../src/engine/generator-parameters.ts";
import type { GenerateCall, GeneratorStatus } from "../../../src/engine/generator-protocol.ts";

export interface GeneratorMemory {
  /** heap + array buffers + linear memory, bytes, at their peak. */
  peakBytes: number;
  linearBytes: number;
  heapBytes: number;
  buffersBytes: number;
  /** Readings that the peak is of. */
  readings: number;
}

export interface Measured {
  empty: GeneratorMemory;
  load: GeneratorMemory;
  /** While prompt and answer filled the context. */
  full: GeneratorMemory;
  after: GeneratorMemory;
  status: GeneratorStatus;
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** Starts the generator alone with `state`, puts the file in its store and asks it. */
export async function measureGenerator(
  state: string,
  file: string,
  context: number,
): Promise<Measured> {
  const config = join(import.meta.dirname, "wrangler.toml");
  const service = await startService({ state, configs: [config], readyPath: "/status" });
  try {
    await put(service, file);
    const empty = await watch(service, Promise.resolve());
    const load = await watch(service, ask(service, context, SENTENCE, 1));
    const { prompt_tokens: few } = await ask(service, context, SENTENCE, 1);
    const { prompt_tokens: more } = await ask(service, context, SENTENCE.repeat(5), 1);
    const repeats = Math.floor((0.75 * context - few) / ((more - few) / 4));
    let usage!: Measured["usage"];
    const work = ask(service, context, SENTENCE.repeat(repeats), null).then((counted) => {
      usage = counted;
    });
    const full = await watch(service, work);
    const after = await watch(service, Promise.resolve());
    return { empty, load, full, after, status: await readStatus(service), usage };
  } finally {
    await service.stop();
  }
}

const SENTENCE = "The quick brown fox jumps over the lazy dog. ";

/** Reads the memory until the work is done, and once more. */
async function watch(service: RunningService, work: Promise<unknown>): Promise<GeneratorMemory> {
  const peak = { peakBytes: 0, linearBytes: 0, heapBytes: 0, buffersBytes: 0, readings: 0 };
  const look = async () => {
    const { linear_memory_bytes: linearBytes } = await readStatus(service);
    const { heapBytes, buffersBytes } = await readHeap(service.inspectorUrl);
    const peakBytes = linearBytes + heapBytes + buffersBytes;
    peak.readings++;
    if (peakBytes > peak.peakBytes)
      Object.assign(peak, { peakBytes, linearBytes, heapBytes, buffersBytes });
  };
  let working = true;
  const done = work.finally(() => {
    working = false;
  });
  while (working) await look();
  await done;
  await look();
  return peak;
}

/** A greedy answer's usage. Throws unless it is complete. */
async function ask(
  service: RunningService,
  context: number,
  content: string,
  max_tokens: number | null,
): Promise<Measured["usage"]> {
  const call: GenerateCall = {
    model: "model",
    context,
    scope: "default",
    messages: [{ role: "user", content }],
    hits: [],
    parameters: readParameters({ temperature: 0, max_tokens }),
  };
  const response = await fetch(`${service.url}/generate`, {
    method: "POST",
    body: JSON.stringify(call),
  });
  const lines = (await response.text()).trim().split("\n");
  const { usage } = JSON.parse(lines.at(-1)!) as { usage?: Measured["usage"] };
  if (usage === undefined) throw new Error(`the generator said ${lines.at(-1)}`);
  return usage;
}

async function put(service: RunningService, file: string): Promise<void> {
  const response = await fetch(`${service.url}/model`, {
    method: "PUT",
    headers: { "content-length": `${statSync(file).size}` },
    body: Readable.toWeb(createReadStream(file)) as unknown as BodyInit,
    duplex: "half",
  } as RequestInit);
  if (!response.ok) throw new Error(`PUT /model: ${response.status} ${await response.text()}`);
}

async function readStatus(service: RunningService): Promise<GeneratorStatus> {
  return (await (await fetch(`${service.url}/status`)).json()) as GeneratorStatus;
}
