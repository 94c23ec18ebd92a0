/** What search and the map of shards must say of known contents. */
import { isDeepStrictEqual } from "node:util";
import { BruteForce, sameRanking } from "../../bench/brute-force.ts";
import type { BenchClient, ServiceHit } from "../../bench/client.ts";
import { HASHES, hashOf } from "../../src/memory/shard-map.ts";
import { pick, type Random, randomQuery, randomVector } from "./documents.ts";
import type { Contents } from "./expected-memory.ts";
import { NAMESPACE } from "./operations.ts";

const QUERIES = 6;
const K = 20;
const MODES = ["bm25", "vector", "hybrid"] as const;

/** Throws unless mode bm25 finds exactly what counting by hand finds, a document's own vector finds
 *  the document, and every mode finds the same, to the last digit, once the index has been made
 *  anew from the tables. */
export async function checkSearch(
  client: BenchClient,
  random: Random,
  contents: Contents,
): Promise<void> {
  const queries = Array.from({ length: QUERIES }, () => {
    return { text: randomQuery(random), vector: randomVector(random) };
  });
  const truth = new BruteForce(queries, contents.size);
  for (const document of contents.values()) truth.add(document);
  const before: ServiceHit[][] = [];
  for (const query of queries) before.push(...(await findInEachMode(client, query)));
  for (const [q, { text }] of queries.entries()) {
    const hits = before[q * MODES.length]!.map(({ document_id, score }) => {
      return { id: document_id, score };
    });
    const expected = truth.bm25(q, contents.size);
    if (hits.length !== Math.min(K, expected.length) || !sameRanking(hits, expected))
      throw new Error(
        `bm25 finds ${JSON.stringify(hits)} for "${text}", ` +
          `counting by hand ${JSON.stringify(expected.slice(0, K))}`,
      );
  }
  if (contents.size > 0) await checkVector(client, random, contents);
  await client.call("POST", `/admin/namespaces/${NAMESPACE}/compact?rebuild=true`, {});
  const after: ServiceHit[][] = [];
  for (const query of queries) after.push(...(await findInEachMode(client, query)));
  for (const [i, hits] of after.entries())
    if (!isDeepStrictEqual(hits, before[i]))
      throw new Error(
        `after a rebuild, ${MODES[i % MODES.length]} finds ${JSON.stringify(hits)}, ` +
          `before ${JSON.stringify(before[i])}`,
      );
}

export interface ShardCount {
  object: string | null;
  lo: number;
  hi: number;
  documents: number;
}

/** Throws unless every hash has one shard, each in an object of its own, which holds as many
 *  documents as fall to it: a document then has one owner. */
export function checkShards(shards: readonly ShardCount[], ids: Iterable<string>): void {
  const hashes = Array.from(ids, hashOf);
  const objects = new Set(shards.map(({ object }) => object));
  if (objects.size !== shards.length) throw new Error("an object is named by two ranges");
  let at = 0;
  for (const { object, lo, hi, documents } of shards) {
    if (lo !== at) throw new Error(`the map of shards goes on at ${lo}, not at ${at}`);
    at = hi;
    const owned = hashes.filter((hash) => lo <= hash && hash < hi).length;
    if (documents !== owned)
      throw new Error(`${object} counts ${documents} documents, ${owned} fall to it`);
  }
  if (at !== HASHES) throw new Error(`the map of shards ends at ${at}`);
}

async function findInEachMode(
  client: BenchClient,
  { text, vector }: { text: string; vector: Float32Array },
): Promise<ServiceHit[][]> {
  const found: ServiceHit[][] = [];
  for (const mode of MODES) {
    const embedding = mode === "bm25" ? undefined : Array.from(vector);
    const hits = await client.search(NAMESPACE, { mode, query: text, embedding, k: K });
    found.push(hits.map(({ document_id, score }) => ({ document_id, score })));
  }
  return found;
}

async function checkVector(client: BenchClient, random: Random, contents: Contents): Promise<void> {
  const { id, vector } = pick(random, [...contents.values()]);
  const query = { mode: "vector", embedding: Array.from(vector), k: 1 };
  const [best] = await client.search(NAMESPACE, query);
  if (best?.document_id !== id)
    throw new Error(`its own vector finds ${best?.document_id}, not ${id}`);
}
