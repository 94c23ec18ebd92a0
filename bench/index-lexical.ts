/** The lexical index at 100,000 passages beside what one would use instead: queries a second from
 *  terms to the exact best ten, bytes, and the times to encode and load. Every answer is checked
 *  against scoring each passage before it is timed. Peers that are not installed are left out, and
 *  so said: `npm run bench:peers`, and for bm25s BRINK_PYTHON, a Python that has it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BM25_DEFAULTS, scoreOf, weigh } from "../index/bm25.ts";
import { LexicalIndex } from "../index/lexical-index.ts";
import { encodeSegment } from "../index/segment.ts";
import { TopK } from "../index/top-k.ts";
import { assert } from "../src/errors.ts";
import type { BoundedFigure } from "./figures.ts";
import { compileKernels } from "./kernels-module.ts";
import { type LexicalCorpus, lexicalCorpus } from "./lexical-corpus.ts";
import { cpuMs, quantile } from "./report.ts";

const PASSAGES = 100_000;
const SEGMENT_PASSAGES = 25_000;
const QUESTIONS = 1_000;
const K = 10;
const PEERS = join(import.meta.dirname, "peers");
/** Of each peer: how many times as many queries a second we are held to, and its batch. */
const BOUNDS = {
  minisearch: { least: 5, batch: 20 },
  orama: { least: 5, batch: 20 },
  wink: { least: 20, batch: 10 },
  bm25s: { least: 1, batch: 500 },
} as const;

type PeerName = keyof typeof BOUNDS;

/** Runs queries [from, from + count); CPU time. */
interface Searcher {
  run(from: number, count: number): Promise<{ cpuMs: number; hits: number[][] }>;
}

/** Ours: from terms to hits, statistics included, as a shard would ask. */
class Ours implements Searcher {
  readonly index = new LexicalIndex(compileKernels(), BM25_DEFAULTS);
  readonly corpus: LexicalCorpus;

  constructor(corpus: LexicalCorpus, segments: readonly Uint8Array[]) {
    this.corpus = corpus;
    for (const segment of segments) this.index.load(segment);
  }

  ask(question: readonly string[]) {
    const { index } = this;
    const qtfs = new Map<number, number>();
    for (const term of question) {
      const id = this.corpus.lexicon.find(term);
      if (id !== undefined) qtfs.set(id, (qtfs.get(id) ?? 0) + 1);
    }
    const query = Array.from(qtfs, ([id, qtf]) => ({ id, qtf }));
    const df = query.map(({ id }) => index.df(id));
    return { query, statistics: { units: index.units, lengthSum: index.lengthSum, df } };
  }

  search(question: readonly string[], k: number) {
    const { query, statistics } = this.ask(question);
    return this.index.search(query, statistics, k, null);
  }

  run(from: number, count: number, k = K) {
    const { questions } = this.corpus;
    const hits: number[][] = [];
    const start = cpuMs();
    for (let i = from; i < from + count; i++)
      hits.push(this.search(questions[i % questions.length]!, k).map(({ slot }) => slot));
    return Promise.resolve({ cpuMs: cpuMs() - start, hits });
  }
}

/** Fails unless some questions' hits are those of scoring every passage, to the bit. */
function checkExact(ours: Ours, n: number): void {
  for (const question of ours.corpus.questions.slice(0, n)) {
    const { query, statistics } = ours.ask(question);
    const weights = weigh(query, statistics, BM25_DEFAULTS);
    const best = new TopK(K);
    for (const [slot, counts] of ours.corpus.counts.entries()) {
      const score = scoreOf(query, weights, counts);
      if (score > weights.base) best.push(slot, score);
    }
    const expected = best.sorted().map(({ id, score }) => ({ slot: id, score }));
    const found = ours.search(question, K);
    assert(JSON.stringify(found) === JSON.stringify(expected), `exact hits of ${question}`);
  }
}

/** A peer in its own process; null where it is not installed. */
class Peer implements Searcher {
  readonly fillMs: number;
  readonly heapBytes: number;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    child: ChildProcess,
    lines: AsyncIterator<string>,
    filled: { fillMs: number; heapBytes: number },
  ) {
    this.#child = child;
    this.#lines = lines;
    this.fillMs = filled.fillMs;
    this.heapBytes = filled.heapBytes;
  }

  static async open(name: PeerName, file: string): Promise<Peer | null> {
    const command = commandOf(name, file);
    if (command === null) return null;
    const child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const { done, value } = await lines.next();
    assert(!done, `${name} fills its index`);
    return new Peer(child, lines, JSON.parse(value));
  }

  async run(from: number, count: number) {
    this.#child.stdin!.write(`${from} ${count}\n`);
    const { done, value } = await this.#lines.next();
    assert(!done, "a peer answers");
    return JSON.parse(value) as { cpuMs: number; hits: number[][] };
  }

  close(): void {
    this.#child.stdin!.end();
    this.#child.kill();
  }
}

function commandOf(name: PeerName, file: string): string[] | null {
  if (name === "bm25s") {
    const python = process.env.BRINK_PYTHON;
    return python === undefined ? null : [python, join(PEERS, "lexical.py"), file];
  }
  const folder = { minisearch: "minisearch", orama: "@orama/orama", wink: "wink-bm25-text-search" };
  if (!existsSync(join(PEERS, "node_modules", folder[name]))) return null;
  const flags = ["--expose-gc", "--max-old-space-size=8000"];
  return [process.execPath, ...flags, join(PEERS, "lexical.mjs"), name, file];
}

/** The corpus as the peers read it. A term ends with a mark, so that no term begins another: one
 *  of the peers finds by prefix. */
function writeCorpus(file: string, { passages, questions, lexicon }: LexicalCorpus): void {
  const line = (ids: Iterable<number>) => Array.from(ids, (id) => `t${id}.`).join(" ");
  const known = questions.map((terms) => terms.flatMap((term) => lexicon.find(term) ?? []));
  writeFileSync(file, [...passages.map(line), "", ...known.map(line)].join("\n"));
}

/** Queries a second in each of `rounds` batches, the searchers in turn. */
async function measure(
  searchers: readonly { searcher: Searcher; batch: number }[],
  rounds: number,
): Promise<number[][]> {
  const rates: number[][] = searchers.map(() => []);
  for (const { searcher, batch } of searchers) await searcher.run(0, batch); // warm-up
  for (let round = 0; round < rounds; round++)
    for (const [i, { searcher, batch }] of searchers.entries()) {
      const { cpuMs: ms } = await searcher.run(round * batch, batch);
      rates[i]!.push((1_000 * batch) / ms);
    }
  return rates.map((values) => values.sort((a, b) => a - b));
}

const spread = (name: string, rates: readonly number[], unit: string): BoundedFigure[] => [
  { name, value: quantile(rates, 0.5), unit },
  {
    name: `${name}, quartiles`,
    value: quantile(rates, 0.25),
    unit: `.. ${quantile(rates, 0.75).toFixed(0)}`,
  },
];

/** What our index takes, and the times to make and to load it. */
function sizes(corpus: LexicalCorpus): { figures: BoundedFigure[]; ours: Ours } {
  const n = corpus.counts.length;
  const postings = corpus.counts.reduce((sum, { ids }) => sum + ids.length, 0);
  let start = cpuMs();
  const segments = Array.from({ length: Math.ceil(n / SEGMENT_PASSAGES) }, (_, i) =>
    encodeSegment(corpus.counts.slice(i * SEGMENT_PASSAGES, (i + 1) * SEGMENT_PASSAGES)),
  );
  const encodeMs = cpuMs() - start;
  start = cpuMs();
  const ours = new Ours(corpus, segments);
  const loadMs = cpuMs() - start;
  const bytes = segments.reduce((sum, segment) => sum + segment.length, 0);
  const { lexicon } = corpus;
  const figures: BoundedFigure[] = [
    { name: "postings a passage", value: postings / n, unit: "" },
    {
      name: "segments",
      value: bytes / postings,
      unit: "B a posting",
      most: n < PASSAGES ? undefined : 2.25,
    },
    { name: "segments", value: bytes / n, unit: "B a passage" },
    {
      name: "resident, lexicon included",
      value: (ours.index.bytes + lexicon.bytes) / n,
      unit: "B a passage",
    },
    {
      name: `lexicon of ${lexicon.terms} terms`,
      value: lexicon.bytes / lexicon.terms,
      unit: "B a term",
      most: 25,
    },
    { name: `encoding ${n} passages`, value: encodeMs, unit: "ms" },
    { name: `loading ${n} passages, checked`, value: loadMs, unit: "ms" },
  ];
  return { figures, ours };
}

/** Figures of the lexical index on the texts below `data`, beside its peers. */
export async function benchLexical(data: string, quick: boolean): Promise<BoundedFigure[]> {
  const corpus = lexicalCorpus(data, quick ? PASSAGES / 10 : PASSAGES, QUESTIONS);
  const { figures, ours } = sizes(corpus);
  checkExact(ours, 20);
  const folder = mkdtempSync(join(tmpdir(), "brink-lexical-"));
  const peers = new Map<PeerName, Peer>();
  try {
    const file = join(folder, "corpus.txt");
    writeCorpus(file, corpus);
    for (const name of Object.keys(BOUNDS) as PeerName[]) {
      const peer = await Peer.open(name, file);
      if (peer === null) console.log(`without ${name}: not installed`);
      else peers.set(name, peer);
    }
    await ours.run(0, 2_000);
    figures.push(...(await compare(ours, peers, quick ? 5 : 21)));
  } finally {
    for (const peer of peers.values()) peer.close();
    rmSync(folder, { recursive: true });
  }
  return figures;
}

async function compare(
  ours: Ours,
  peers: ReadonlyMap<PeerName, Peer>,
  rounds: number,
): Promise<BoundedFigure[]> {
  const deep: Searcher = { run: (from, count) => ours.run(from, count, 128) };
  const others = [...peers].map(([name, searcher]) => ({ searcher, batch: BOUNDS[name].batch }));
  const mine = [ours, deep].map((searcher) => ({ searcher, batch: 500 }));
  const [own, own128, ...rates] = await measure([...mine, ...others], rounds);
  const figures = [
    ...spread(`best ${K}`, own!, "queries/s"),
    ...spread("best 128", own128!, "queries/s"),
  ];
  for (const [i, [name, peer]] of [...peers].entries()) {
    const { hits } = await peer.run(0, 200);
    const same = (await ours.run(0, 200)).hits.map((mine_, j) => overlap(mine_, hits[j]!));
    const ratio = quantile(own!, 0.5) / quantile(rates[i]!, 0.5);
    const { least } = BOUNDS[name];
    figures.push(
      ...spread(name, rates[i]!, "queries/s"),
      { name: `best ${K} against ${name}`, value: ratio, unit: "x", least },
      { name: `${name}: filling`, value: peer.fillMs, unit: "ms" },
      { name: `${name}: heap`, value: peer.heapBytes / 1e6, unit: "MB" },
      {
        name: `${name}: of our hits`,
        value: (100 * same.reduce((a, b) => a + b)) / 200,
        unit: "%",
      },
    );
  }
  return figures;
}

/** Share of `mine` that is among `theirs`. */
function overlap(mine: readonly number[], theirs: readonly number[]): number {
  if (mine.length === 0) return 1;
  return mine.filter((slot) => theirs.includes(slot)).length / mine.length;
}
