/** The built Worker with one large namespace, called through HTTP: filling it, searching it, what
 *  it takes, and how soon it answers after a start. Wall time: the work is in another process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningService, startService } from "../scripts/service.ts";
import { BenchClient } from "./client.ts";
import { type BenchQuery, Corpus } from "./corpus.ts";
import { type BoundedFigure, percentiles } from "./figures.ts";
import { fillAndCheck, SMALL } from "./filled.ts";
import { quantile } from "./report.ts";
import { given, timeEach, timeSearch } from "./search-times.ts";

const NAMESPACE = "bench";
const K = 10;

interface Sizes {
  passages: number;
  originals: number;
  queries: number;
  checked: number;
  starts: number;
}

const FULL: Sizes = {
  passages: 100_000,
  originals: 12_000,
  queries: 1_000,
  checked: 100,
  starts: 3,
};
const QUICK: Sizes = { passages: 2_000, originals: 300, queries: 100, checked: 10, starts: 1 };

/** `data`: a folder for readTexts. */
export async function benchService(data: string, quick: boolean): Promise<BoundedFigure[]> {
  const sizes = quick ? QUICK : FULL;
  const corpus = await Corpus.open(data, sizes);
  const state = mkdtempSync(join(tmpdir(), "brink-bench-"));
  try {
    const filled = await withService(state, (client) => fillAndSearch(client, corpus, sizes));
    return [...filled, ...(await coldStarts(state, corpus, sizes.starts))];
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

async function withService<T>(
  state: string,
  work: (client: BenchClient) => Promise<T>,
): Promise<T> {
  // Not /healthz, which embeds the documentation.
  const service: RunningService = await startService({ state, readyPath: "/console" });
  const client = new BenchClient(service.url);
  try {
    return await work(client);
  } finally {
    client.close();
    await service.stop();
  }
}

async function fillAndSearch(
  client: BenchClient,
  corpus: Corpus,
  { passages, checked }: Sizes,
): Promise<BoundedFigure[]> {
  const { seconds, textBytes, stats, recalls } = await fillAndCheck(client, NAMESPACE, {}, corpus, {
    passages,
    checked,
  });
  const beside = (stats.sqlite_bytes - textBytes) / passages;
  return [
    { name: "passages", value: passages, unit: "" },
    { name: "ingest, vectors given", value: passages / seconds, unit: "passages/s", least: 1_500 },
    {
      name: "embedding, where none is given",
      value: await embedRate(client, corpus),
      unit: "passages/s",
    },
    { name: "resident", value: stats.resident_bytes / passages, unit: "B/passage", most: 300 },
    { name: "on disk beside the text", value: beside, unit: "B/passage", most: 1_800 },
    { name: "recall@10, vector", value: recalls.vector, unit: "", least: 0.98 },
    { name: "recall@10, hybrid", value: recalls.hybrid, unit: "", least: 0.98 },
    ...(await searchTimes(client, corpus.queries)),
  ];
}

/** Passages a second through POST /v1/embeddings. */
async function embedRate(client: BenchClient, corpus: Corpus): Promise<number> {
  const embed = (from: number, n: number) => {
    const input = Array.from({ length: n }, (_, i) => corpus.document(from + i).text);
    return client.call("POST", "/v1/embeddings", { input, encoding_format: "base64" });
  };
  await embed(0, 16);
  const startMs = performance.now();
  for (let call = 1; call <= 4; call++) await embed(call * 16, 16);
  return 64_000 / (performance.now() - startMs);
}

async function searchTimes(
  client: BenchClient,
  queries: readonly BenchQuery[],
): Promise<BoundedFigure[]> {
  const filter = { shelf: { lt: 20 }, year: { gte: 2005 } }; // about one in nine
  const kinds: [string, (query: BenchQuery) => object, { p50?: number; p99?: number }][] = [
    ["hybrid, vector given", given("hybrid"), { p50: 15, p99: 40 }],
    ["hybrid, text alone", ({ text }) => ({ mode: "hybrid", query: text }), { p50: 30 }],
    ["bm25", given("bm25"), {}],
    ["vector, vector given", given("vector"), {}],
    ["hybrid, filtered", (query) => ({ ...given("hybrid")(query), filter }), {}],
  ];
  const figures = percentiles("a call that searches nothing", await timeIdleCalls(client));
  for (const [name, ask, bounds] of kinds)
    figures.push(...percentiles(name, await timeEach(client, NAMESPACE, queries, ask), bounds));
  return figures;
}

/** What the local runtime and HTTP take of every figure below: a call that touches no object. */
async function timeIdleCalls(client: BenchClient): Promise<number[]> {
  const samples: number[] = [];
  for (let call = 0; call < 200; call++) {
    const startMs = performance.now();
    await client.call("GET", "/v1/models");
    samples.push(performance.now() - startMs);
  }
  return samples;
}

/** The first query after a start, less a warm one: what the object adds by loading. The Worker and
 *  the models have been used before, on the small namespace. */
async function coldStarts(state: string, corpus: Corpus, starts: number): Promise<BoundedFigure[]> {
  const cold: Record<string, number[]> = { bm25: [], hybrid: [] };
  for (let start = 0; start < starts; start++)
    for (const [mode, samples] of Object.entries(cold))
      samples.push(await withService(state, (client) => coldStart(client, corpus.queries, mode)));
  return Object.entries(cold).map(([mode, samples]) => {
    const median = quantile(
      samples.sort((a, b) => a - b),
      0.5,
    );
    return { name: `cold start, ${mode}`, value: median, unit: "ms", most: 300 };
  });
}

async function coldStart(
  client: BenchClient,
  queries: readonly BenchQuery[],
  mode: string,
): Promise<number> {
  const ask = given(mode);
  for (const query of queries.slice(0, 5)) await client.search(SMALL, { k: K, ...ask(query) });
  const first = await timeSearch(client, NAMESPACE, ask(queries[0]!));
  const warm: number[] = [];
  for (const query of queries.slice(1, 6))
    warm.push(await timeSearch(client, NAMESPACE, ask(query)));
  return (
    first -
    quantile(
      warm.sort((a, b) => a - b),
      0.5,
    )
  );
}
