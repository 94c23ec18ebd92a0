/** Fuzzing of what comes from outside, a target for each kind of input. Every case is made by
 *  seed, target and number alone, so that any one can be run again by itself. */
import { bombs } from "./bombs.ts";
import { chatTemplates } from "./chat-templates.ts";
import { cursors } from "./cursors.ts";
import { filters } from "./filters.ts";
import { ggufFiles } from "./gguf.ts";
import { htmlPages } from "./html.ts";
import { jsonBodies } from "./json.ts";
import { longTexts } from "./long-texts.ts";
import { markdownTexts } from "./markdown.ts";
import { ndjsonBodies } from "./ndjson.ts";
import { patterns } from "./patterns.ts";
import { Random } from "./random.ts";
import { snapshots } from "./snapshots.ts";
import type { Target } from "./target.ts";
import { tokenizers } from "./tokenizers.ts";

export const TARGETS: readonly Target[] = [
  jsonBodies,
  ndjsonBodies,
  markdownTexts,
  htmlPages,
  ggufFiles,
  tokenizers,
  chatTemplates,
  filters,
  cursors,
  patterns,
  snapshots,
  bombs,
  longTexts,
];

/** What one case may take, far above what any does and below what a request waits. */
export const CASE_MS_MAX = 5_000;

export interface Tally {
  cases: number;
  /** How many met which end. */
  ends: Map<string, number>;
  msMax: number;
  /** Of JavaScript's heap and buffers, sampled every 256 cases. */
  heapBytesMax: number;
}

/** Runs cases from..from + count. Throws at the first that is not as it must be, naming the command
 *  that runs it again. */
export async function fuzz(
  target: Target,
  seed: number,
  [from, count]: [from: number, count: number],
  progress: (tally: Tally) => void = () => {},
): Promise<Tally> {
  const run = await target.prepare();
  const tally: Tally = { cases: 0, ends: new Map(), msMax: 0, heapBytesMax: 0 };
  for (let number = from; number < from + count; number++) {
    let input: unknown;
    const start = performance.now();
    try {
      const end = await run(new Random(seed, target.name, number), (shown) => (input = shown));
      if (![...target.ends, ...(target.rare ?? [])].includes(end))
        throw new Error(`ends as ${end}`);
      tally.ends.set(end, (tally.ends.get(end) ?? 0) + 1);
    } catch (error) {
      const again = `npm run torture -- fuzz --only ${target.name} --seed ${seed} --case ${number}`;
      const shown = typeof input === "string" ? input : JSON.stringify(input);
      const message = `${error}\n  input: ${JSON.stringify(shown?.slice(0, 2_000))}\n  ${again}`;
      throw new Error(message, { cause: error });
    }
    tally.cases++;
    tally.msMax = Math.max(tally.msMax, performance.now() - start);
    if (tally.cases % 256 !== 1) continue;
    const { heapUsed, external } = process.memoryUsage();
    tally.heapBytesMax = Math.max(tally.heapBytesMax, heapUsed + external);
    progress(tally);
  }
  return tally;
}
