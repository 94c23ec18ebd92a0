/** nDCG@10 and recall of POST /v1/memory/search on a data set in BEIR's layout: every variant of
 *  BM25, vectors beside exact ones, and the fusions. */
import { type BeirQuery, ndcgAt, readCorpus, readQueries, recallOf } from "./beir.ts";
import { type Client, embedAll, fillNamespace, fromBase64, withService } from "./client.ts";
import {
  type Bound,
  bootstrapMean,
  type EvalOptions,
  type EvalReport,
  type Figure,
  showProgress,
} from "./report.ts";
import { compareVectors } from "./retrieval-vectors.ts";

const NAMESPACE = "eval-retrieval";
const CUTOFF = 10;
/** Hits are documents; recall is counted among so many. */
const HITS = 100;

/** Variants of BM25 with the nDCG@10 that bm25s 0.3.16 has on SciFact's test queries, at the
 *  settings of the table that it publishes (github.com/xhluca/bm25-benchmarks, within .1 point of
 *  these): k1 is 1.2 there but for two of Lucene's. */
const VARIANTS: { name: string; options: object; published: number }[] = [
  { name: "lucene 1.5/.75", options: { bm25_variant: "lucene" }, published: 0.686 },
  { name: "lucene 1.2/.75", options: { k1: 1.2 }, published: 0.679 },
  { name: "lucene .9/.4", options: { k1: 0.9, b: 0.4 }, published: 0.676 },
  { name: "robertson", options: { bm25_variant: "robertson", k1: 1.2 }, published: 0.682 },
  { name: "atire", options: { bm25_variant: "atire", k1: 1.2 }, published: 0.68 },
  { name: "bm25l", options: { bm25_variant: "bm25l", k1: 1.2 }, published: 0.686 },
  { name: "bm25plus", options: { bm25_variant: "bm25plus", k1: 1.2 }, published: 0.68 },
];
/** What a variant is taken with where it names nothing else: the defaults of bm25s. */
const DEFAULTS = { bm25_variant: "lucene", k1: 1.5, b: 0.75, delta: 0.5 };
const DEFAULT_FUSION = { fusion: "convex", cosine_weight: 0.75 };
const PUBLISHED_WITHIN = 0.003;
const UNLABELLED_MIN = 0.71;
const TUNED_MIN = 0.725;
/** Weights of the cosine that are tried on the training queries. */
const WEIGHTS = Array.from({ length: 13 }, (_, i) => (i + 8) / 20); // .4, .45 .. 1

type BoundedReport = Required<EvalReport>;

interface Run {
  client: Client;
  queries: readonly BeirQuery[];
  /** By query; computed once, so that a run costs a search alone. */
  embeddings: ReadonlyMap<string, number[]>;
}

/** Documents are the unit, title and text together; a document's cosine is that of its best
 *  passage. The bounds hold on SciFact's whole test split and are checked there alone. */
export async function evaluateRetrieval(options: EvalOptions): Promise<EvalReport> {
  const documents = readCorpus(options.data);
  const queries = readQueries(options.data, options.split).slice(0, options.limit);
  const training = options.tune ? readQueries(options.data, "train") : [];
  const report: BoundedReport = {
    what: "retrieval",
    data: options.data,
    questions: queries.length,
    figures: {},
    bounds: [],
  };
  await withService(options.url, async (client) => {
    await fillNamespace(client, NAMESPACE, { bm25_unit: "document", ...DEFAULTS }, documents);
    const asked = [...queries, ...training];
    const vectors = await embedAll(
      client,
      "queries",
      asked.map(({ text }) => text),
    );
    const embeddings = new Map(asked.map(({ id }, i) => [id, Array.from(fromBase64(vectors[i]!))]));
    const run: Run = { client, queries, embeddings };
    await compareVariants(run, report);
    await compareFusions(run, report);
    if (options.tune) await tuneWeight({ ...run, queries: training }, run, report);
    await compareVectors(client, documents, queries, embeddings, report);
  });
  const isSciFact = documents.length === 5_183 && queries.length === 300;
  return { ...report, bounds: isSciFact && options.split === "test" ? report.bounds : [] };
}

async function compareVariants(run: Run, { figures, bounds }: BoundedReport): Promise<void> {
  for (const { name, options, published } of VARIANTS) {
    await setOptions(run.client, { ...DEFAULTS, ...options });
    const { ndcg, recall } = await measure(run, "bm25", `bm25 ${name}`);
    figures[`bm25 ${name}, nDCG@${CUTOFF}`] = ndcg;
    if (name === VARIANTS[0]!.name) figures[`bm25 ${name}, recall@${HITS}`] = recall;
    const [least, most] = [published - PUBLISHED_WITHIN, published + PUBLISHED_WITHIN];
    bounds.push({ name: `bm25 ${name}, nDCG@${CUTOFF}`, value: ndcg.value, least, most });
  }
  await setOptions(run.client, DEFAULTS);
}

async function compareFusions(run: Run, { figures, bounds }: BoundedReport): Promise<void> {
  const vector = await measure(run, "vector", "vector");
  figures[`vector, nDCG@${CUTOFF}`] = vector.ndcg;
  figures[`vector, recall@${HITS}`] = vector.recall;
  await setOptions(run.client, { fusion: "rrf" });
  const ranks = await measure(run, "hybrid", "hybrid by ranks");
  figures[`hybrid by reciprocal ranks, nDCG@${CUTOFF}`] = ranks.ndcg;
  await setOptions(run.client, DEFAULT_FUSION);
  const convex = await measure(run, "hybrid", "hybrid");
  figures[`hybrid as it comes, nDCG@${CUTOFF}`] = convex.ndcg;
  figures[`hybrid as it comes, recall@${HITS}`] = convex.recall;
  figures["hybrid as it comes, took_ms, median"] = convex.tookMs;
  const name = `hybrid without labels (reciprocal ranks), nDCG@${CUTOFF}`;
  bounds.push({ name, value: ranks.ndcg.value, least: UNLABELLED_MIN });
}

/** The weight with the best mean on the training queries (the lowest of equals), measured on the
 *  others. */
async function tuneWeight(
  training: Run,
  run: Run,
  { figures, bounds }: BoundedReport,
): Promise<void> {
  let best = { weight: 0, value: -1 };
  for (const weight of WEIGHTS) {
    await setOptions(run.client, { fusion: "convex", cosine_weight: weight });
    const { value } = (await measure(training, "hybrid", `weight ${weight}`)).ndcg;
    figures[`on train, cosine_weight ${weight.toFixed(2)}, nDCG@${CUTOFF}`] = value;
    if (value > best.value) best = { weight, value };
  }
  await setOptions(run.client, { fusion: "convex", cosine_weight: best.weight });
  const tuned = (await measure(run, "hybrid", "hybrid, tuned")).ndcg;
  const name = `hybrid with cosine_weight ${best.weight} as tuned on train, nDCG@${CUTOFF}`;
  figures[name] = tuned;
  bounds.push({ name, value: tuned.value, least: TUNED_MIN } satisfies Bound);
  await setOptions(run.client, DEFAULT_FUSION);
}

function setOptions(client: Client, options: object): Promise<unknown> {
  return client.call("PUT", `/admin/namespaces/${NAMESPACE}`, options);
}

async function measure(
  { client, queries, embeddings }: Run,
  mode: "bm25" | "vector" | "hybrid",
  label: string,
): Promise<{ ndcg: Figure; recall: Figure; tookMs: number }> {
  const ndcg: number[] = [];
  const recall: number[] = [];
  const tookMs: number[] = [];
  for (const [i, { id, text, grades }] of queries.entries()) {
    const vector = mode === "bm25" ? {} : { embedding: embeddings.get(id) };
    const body = { namespace: NAMESPACE, query: text, k: HITS, mode, ...vector };
    const reply = await client.call<{ hits: { document_id: string }[]; took_ms: number }>(
      "POST",
      "/v1/memory/search",
      body,
    );
    const ranked = reply.hits.map((hit) => hit.document_id);
    ndcg.push(ndcgAt(CUTOFF, ranked, grades));
    recall.push(recallOf(ranked, grades));
    tookMs.push(reply.took_ms);
    showProgress(label, i + 1, queries.length);
  }
  const median = tookMs.sort((a, b) => a - b)[tookMs.length >> 1]!;
  return { ndcg: bootstrapMean(ndcg), recall: bootstrapMean(recall), tookMs: median };
}
