/** A million passages over shards on this machine, where one isolate hosts every object, and what
 *  its figures say of a hundred million. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "../scripts/service.ts";
import { arithmetic } from "./arithmetic.ts";
import { BenchClient } from "./client.ts";
import { Corpus } from "./corpus.ts";
import { type BoundedFigure, percentiles } from "./figures.ts";
import { fillAndCheck, SMALL } from "./filled.ts";
import { quantile } from "./report.ts";
import { given, timeEach } from "./search-times.ts";

const NAMESPACE = "million";

interface Sizes {
  passages: number;
  shards: number;
  originals: number;
  queries: number;
  checked: number;
}

const FULL: Sizes = {
  passages: 1_000_000,
  shards: 12,
  originals: 12_000,
  queries: 1_000,
  checked: 20,
};
const QUICK: Sizes = { passages: 5_000, shards: 8, originals: 300, queries: 50, checked: 4 };

/** Deployed, each object has an isolate of its own; here one holds them all. */
const VARIABLES = { BRINK_ISOLATE_MEMORY_MB: "2000" };

export async function benchMillion(data: string, quick: boolean): Promise<BoundedFigure[]> {
  const sizes = quick ? QUICK : FULL;
  const corpus = await Corpus.open(data, sizes);
  const state = mkdtempSync(join(tmpdir(), "brink-million-"));
  try {
    const service = await startService({
      state,
      variables: VARIABLES,
      readyPath: "/console",
    });
    const client = new BenchClient(service.url);
    try {
      return await measure(client, corpus, sizes);
    } finally {
      client.close();
      await service.stop();
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

async function measure(
  client: BenchClient,
  corpus: Corpus,
  { passages, shards, checked }: Sizes,
): Promise<BoundedFigure[]> {
  const { seconds, textBytes, stats, recalls } = await fillAndCheck(
    client,
    NAMESPACE,
    { shards },
    corpus,
    { passages, checked },
  );
  const times: Record<string, number[]> = {};
  for (const mode of ["hybrid", "bm25", "vector"])
    times[mode] = await timeEach(client, NAMESPACE, corpus.queries, given(mode));
  const small = await timeEach(client, SMALL, corpus.queries.slice(0, 100), given("hybrid"));
  const lines = arithmetic({
    passages,
    shards: stats.shards.length,
    residentBytes: stats.resident_bytes,
    sqliteBytes: stats.sqlite_bytes,
    hybridMs: median(times.hybrid!),
    smallMs: median(small),
  });
  console.log(`\non paper, a hundred million passages\n  ${lines.join("\n  ")}`);
  return [
    { name: "passages", value: passages, unit: "" },
    { name: "shards", value: stats.shards.length, unit: "" },
    { name: "ingest, vectors given", value: passages / seconds, unit: "passages/s" },
    { name: "recall@10, vector", value: recalls.vector, unit: "" },
    { name: "recall@10, hybrid", value: recalls.hybrid, unit: "" },
    ...Object.entries(times).flatMap(([mode, samples]) => percentiles(mode, samples)),
    ...percentiles("hybrid, of one passage", small),
    ...stats.shards.map(({ passages: held, resident_bytes }, i) => ({
      name: `shard ${i}, ${held.toLocaleString("en-US")} passages, resident`,
      value: resident_bytes / 1e6,
      unit: "MB",
      most: 45,
    })),
    {
      name: "on disk beside the text",
      value: (stats.sqlite_bytes - textBytes) / passages,
      unit: "B/passage",
    },
    { name: "this client, resident", value: process.memoryUsage().rss / 1e6, unit: "MB" },
  ];
}

function median(samples: readonly number[]): number {
  return quantile(
    [...samples].sort((a, b) => a - b),
    0.5,
  );
}
