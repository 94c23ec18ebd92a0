/** One peer of the lexical index in a process of its own: `node lexical.mjs NAME CORPUS`. CORPUS is
 *  a file of lines: a passage's terms, separated by spaces, then after an empty line the queries'.
 *  Each line on stdin, "FROM COUNT", runs that many queries from there on; the answer is a line of
 *  JSON: { cpuMs, hits }, hits being the passages found by each. The first line says how long the
 *  index took to fill. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const K = 10;
const identity = (text) => text.split(" ");

const PEERS = {
  async minisearch(passages) {
    const { default: MiniSearch } = await import("minisearch");
    const index = new MiniSearch({
      fields: ["text"],
      tokenize: identity,
      processTerm: (term) => term,
      searchOptions: { combineWith: "OR" },
    });
    index.addAll(passages.map((text, id) => ({ id, text })));
    return (query) =>
      index
        .search(query)
        .slice(0, K)
        .map(({ id }) => id);
  },
  async orama(passages) {
    const { create, insertMultiple, search } = await import("@orama/orama");
    const tokenizer = { language: "english", normalizationCache: new Map(), tokenize: identity };
    const index = create({ schema: { text: "string" }, components: { tokenizer } });
    const documents = passages.map((text, id) => ({ id: String(id), text }));
    await insertMultiple(index, documents, 5_000, "english", undefined, 0);
    // tolerance 0 and threshold 1: every document with any of the terms, as the others have it.
    const options = { limit: K, tolerance: 0, threshold: 1, exact: false };
    return async (query) => {
      const { hits } = await search(index, { term: query, ...options });
      return hits.map(({ id }) => Number(id));
    };
  },
  async wink(passages) {
    const { default: bm25 } = await import("wink-bm25-text-search");
    const index = bm25();
    index.defineConfig({ fldWeights: { text: 1 } });
    index.definePrepTasks([identity]);
    for (const [id, text] of passages.entries()) index.addDoc({ text }, id);
    index.consolidate();
    return (query) => index.search(query, K).map(([id]) => Number(id));
  },
};

const [name, file] = process.argv.slice(2);
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const lines = readFileSync(file, "utf8").split("\n");
const gap = lines.indexOf("");
const queries = lines.slice(gap + 1);
const before = cpuMs();
const search = await PEERS[name](lines.slice(0, gap));
globalThis.gc?.();
const { heapUsed } = process.memoryUsage();
console.log(JSON.stringify({ fillMs: cpuMs() - before, heapBytes: heapUsed }));
for await (const line of createInterface({ input: process.stdin })) {
  const [from, count] = line.split(" ").map(Number);
  const hits = [];
  const start = cpuMs();
  for (let i = from; i < from + count; i++) hits.push(await search(queries[i % queries.length]));
  console.log(JSON.stringify({ cpuMs: cpuMs() - start, hits }));
}
