/** A namespace that is full, at rest, and known to answer right. */
import { BruteForce } from "./brute-force.ts";
import type { BenchClient } from "./client.ts";
import type { Corpus } from "./corpus.ts";
import { type Filled, fill, type NamespaceStats, settle } from "./fill.ts";
import { checkAnswers, type Recalls } from "./index-checks.ts";

/** A namespace with one document: what a call costs that is not the large one's. */
export const SMALL = "small";

/** Makes SMALL and a namespace with these options, fills them, and checks the large one's answers
 *  to the first `checked` queries by brute force. Throws where they are wrong. */
export async function fillAndCheck(
  client: BenchClient,
  namespace: string,
  options: object,
  corpus: Corpus,
  { passages, checked }: { passages: number; checked: number },
): Promise<Filled & { stats: NamespaceStats; recalls: Recalls }> {
  const sample = corpus.queries.slice(0, checked);
  const truth = new BruteForce(sample, passages);
  await client.call("PUT", `/admin/namespaces/${SMALL}`, {});
  await fill(client, SMALL, corpus, { to: 1 });
  await client.call("PUT", `/admin/namespaces/${namespace}`, options);
  const filled = await fill(client, namespace, corpus, {
    to: passages,
    visit: (document) => truth.add(document),
  });
  const stats = await settle(client, namespace);
  if (stats.passages !== passages)
    throw new Error(`${passages} texts of one passage each became ${stats.passages} passages`);
  return { ...filled, stats, recalls: await checkAnswers(client, namespace, sample, truth) };
}
