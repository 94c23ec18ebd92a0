/** Wall times of searches through HTTP, one at a time. */
import type { BenchClient } from "./client.ts";
import type { BenchQuery } from "./corpus.ts";

const K = 10;

/** A query in a mode, with its vector where the mode takes one. */
export function given(mode: string): (query: BenchQuery) => object {
  return ({ text, vector }) => {
    return { mode, query: text, ...(mode === "bm25" ? {} : { embedding: Array.from(vector) }) };
  };
}

/** Times of each query, ms; a twentieth of them is asked before, untimed. */
export async function timeEach(
  client: BenchClient,
  namespace: string,
  queries: readonly BenchQuery[],
  ask: (query: BenchQuery) => object,
): Promise<number[]> {
  const warmUp = queries.slice(0, Math.ceil(queries.length / 20));
  for (const query of warmUp) await timeSearch(client, namespace, ask(query));
  const samples: number[] = [];
  for (const query of queries) samples.push(await timeSearch(client, namespace, ask(query)));
  return samples;
}

/** Wall time of one search, ms. */
export async function timeSearch(
  client: BenchClient,
  namespace: string,
  query: object,
): Promise<number> {
  const startMs = performance.now();
  await client.search(namespace, { k: K, ...query });
  return performance.now() - startMs;
}
