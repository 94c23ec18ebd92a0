/** The engine whole, beside what people use today: texts to embeddings, and a small language model.
 *  One process, one thread each, answers checked before times. */

import { refuseUnknown } from "../scripts/program.ts";
import { decodeResults } from "./decode.ts";
import { embeddingResults } from "./embedding.ts";
import type { BenchOptions } from "./main.ts";
import { type Result, report } from "./report.ts";

const PARTS: Record<string, (quick: boolean) => Promise<Result[]>> = {
  embedding: embeddingResults,
  decode: decodeResults,
};

export async function run({ json, quick, only }: BenchOptions): Promise<void> {
  const names = only?.split(",") ?? Object.keys(PARTS);
  refuseUnknown("engine", names, PARTS);
  const results: Result[] = [];
  for (const name of names) results.push(...(await PARTS[name]!(quick)));
  console.log("times are CPU time");
  report("engine", results, json);
}
