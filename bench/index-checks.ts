/** Answers are checked before a time counts: what the service finds against brute force. */
import { type BruteForce, recallOf, sameRanking } from "./brute-force.ts";
import type { BenchClient } from "./client.ts";
import type { BenchQuery } from "./corpus.ts";

const K = 10;
/** 1-bit codes choose what is scored exactly; so many of the true best ten must be among it. */
const RECALL_MIN = 0.98;

export interface Recalls {
  vector: number;
  hybrid: number;
}

/** Throws unless mode bm25 gives exactly the expected ten for every query, and modes vector and
 *  hybrid at least RECALL_MIN of them on average; what those two gave. */
export async function checkAnswers(
  client: BenchClient,
  namespace: string,
  queries: readonly BenchQuery[],
  truth: BruteForce,
): Promise<Recalls> {
  const sums = { vector: 0, hybrid: 0 };
  for (const [q, { text, vector }] of queries.entries()) {
    const embedding = Array.from(vector);
    const find = async (query: object) => {
      const hits = await client.search(namespace, { query: text, k: K, ...query });
      return hits.map(({ document_id, score }) => ({ id: document_id, score }));
    };
    const bm25 = await find({ mode: "bm25" });
    const expected = truth.bm25(q, 4 * K);
    if (bm25.length < Math.min(K, expected.length) || !sameRanking(bm25, expected))
      throw new Error(
        `bm25 finds ${JSON.stringify(bm25)} for ${JSON.stringify(text)}, ` +
          `brute force ${JSON.stringify(expected.slice(0, K))}`,
      );
    sums.vector += recallOf(await find({ mode: "vector", embedding }), truth.vector(q, K));
    sums.hybrid += recallOf(await find({ mode: "hybrid", embedding }), truth.hybrid(q, K));
  }
  const recalls = { vector: sums.vector / queries.length, hybrid: sums.hybrid / queries.length };
  for (const [mode, recall] of Object.entries(recalls))
    if (recall < RECALL_MIN)
      throw new Error(`mode ${mode} has recall@${K} ${recall.toFixed(4)} against brute force`);
  return recalls;
}
