/** Shards of plain arrays that answer by brute force: what a search coordinates over, without
 *  storage or index. BM25 units are passages. */
import { scoreOf, weigh } from "../../index/bm25.ts";
import { matches } from "../../index/filter.ts";
import { countTerms } from "../../index/term-counts.ts";
import { terms } from "../../index/terms.ts";
import type {
  CandidateList,
  CandidateRequest,
  CorpusStatistics,
  Gatherer,
  ShownPassage,
  ShowRequest,
} from "../../src/memory/shard-types.ts";
import type { Metadata, NamespaceOptions } from "../../src/memory/types.ts";
import { embedWords } from "./documents.ts";

export interface FakeDocument {
  id: string;
  row: number;
  lines: string[];
  metadata: Metadata;
  time: number;
}

interface Unit {
  shard: number;
  passage: number;
  document: FakeDocument;
  seq: number;
  vector: Float32Array;
}

export class FakeGatherer implements Gatherer {
  readonly units: Unit[];
  readonly options: NamespaceOptions;
  /** Every question, by its name. */
  readonly asked: { kind: string; depth?: number }[] = [];
  /** Passages that a write removes between ranking and showing, as `document#seq`. */
  gone = new Set<string>();

  constructor(documents: readonly FakeDocument[], options: NamespaceOptions, shards = 1) {
    this.options = options;
    const next = new Array<number>(shards).fill(1);
    this.units = documents.flatMap((document) => {
      const shard = document.row % shards;
      return document.lines.map((line, seq) => {
        const passage = next[shard]!++;
        return { shard, passage, document, seq, vector: embedWords(line) };
      });
    });
  }

  async statistics(wanted: string[]): Promise<CorpusStatistics> {
    this.asked.push({ kind: "statistics" });
    const all = this.units.map((unit) => terms(lineOf(unit), "document"));
    const df = wanted.map((term) => all.filter((held) => held.includes(term)).length);
    return { units: all.length, lengthSum: all.flat().length, df };
  }

  async candidates(request: CandidateRequest): Promise<CandidateList> {
    this.asked.push({ kind: "candidates", depth: request.vectorDepth });
    const passing = this.units.filter(
      ({ document }) => request.filter === null || matches(request.filter, document.metadata),
    );
    const scored = passing.map((unit) => this.#score(unit, request));
    const best = (
      of: typeof scored,
      scoreBy: (one: (typeof scored)[number]) => number,
      n: number,
    ) =>
      of
        .toSorted(
          (a, b) =>
            scoreBy(b) - scoreBy(a) ||
            a.unit.document.row - b.unit.document.row ||
            a.unit.seq - b.unit.seq,
        )
        .slice(0, n);
    const holding = scored.filter(({ tfs }) => tfs.some((tf) => tf > 0));
    const lexical =
      request.mode === "vector" ? [] : best(holding, ({ bm25 }) => bm25, request.bm25Depth);
    const estimated =
      request.mode === "bm25" ? [] : best(scored, ({ estimate }) => estimate, request.vectorDepth);
    const found = [...new Set([...estimated.toReversed(), ...lexical])]; // in no promised order
    const column = (of: (one: (typeof scored)[number]) => number) => found.map(of);
    return {
      passage: Float64Array.from(column(({ unit }) => unit.passage)),
      row: Float64Array.from(column(({ unit }) => unit.document.row)),
      seq: Uint32Array.from(column(({ unit }) => unit.seq)),
      bm25: Float64Array.from(column(({ bm25 }) => bm25)),
      lexical: Uint8Array.from(column((one) => Number(lexical.includes(one)))),
      estimate: Float32Array.from(
        column((one) => (estimated.includes(one) ? one.estimate : Number.NaN)),
      ),
      cosine: Float32Array.from(column(({ cosine }) => cosine)),
      time: Float64Array.from(column(({ unit }) => unit.document.time)),
      shard: Uint16Array.from(column(({ unit }) => unit.shard)),
      tfs: request.explain ? Uint32Array.from(found.flatMap(({ tfs }) => tfs)) : null,
      lengths: request.explain ? Uint32Array.from(column(({ length }) => length)) : null,
      timings_ms: { scan: 3 },
    };
  }

  async show(wanted: { shard: number; request: ShowRequest }[]): Promise<(ShownPassage | null)[]> {
    this.asked.push({ kind: "show" });
    return wanted.flatMap(({ shard, request }) =>
      request.passages.map((passage) => {
        const unit = this.units.find((one) => one.shard === shard && one.passage === passage)!;
        return this.gone.has(`${unit.document.id}#${unit.seq}`) ? null : shownOf(unit, request);
      }),
    );
  }

  #score(unit: Unit, { mode, terms: query, statistics, vector }: CandidateRequest) {
    const held = terms(lineOf(unit), "document");
    const tfs = query.map(({ term }) => held.filter((one) => one === term).length);
    const numbers = held.map((term) => query.findIndex((asked) => asked.term === term));
    const counts = countTerms(numbers.filter((number) => number >= 0));
    const { bm25_variant: variant, k1, b, delta } = this.options;
    const asked = query.map(({ qtf }, id) => ({ id, qtf }));
    const weights = weigh(asked, statistics, { variant, k1, b, delta });
    const score = scoreOf(asked, weights, { ...counts, length: held.length });
    const holds = tfs.some((tf) => tf > 0);
    const cosine =
      mode === "bm25" ? Number.NaN : unit.vector.reduce((sum, x, i) => sum + x * vector![i]!, 0);
    return {
      unit,
      tfs,
      length: held.length,
      bm25: mode === "vector" ? Number.NaN : holds ? score : 0,
      cosine: Math.fround(cosine),
      estimate: Math.round(cosine * 50) / 50, // coarse, as codes are
    };
  }
}

function lineOf({ document, seq }: Unit): string {
  return document.lines[seq]!;
}

function shownOf(unit: Unit, { vectors, neighbours }: ShowRequest): ShownPassage {
  const { document, seq, passage } = unit;
  const from = Math.max(0, seq - neighbours);
  const to = Math.min(document.lines.length, seq + neighbours + 1);
  const start = document.lines.slice(0, from).reduce((sum, line) => sum + line.length + 1, 0);
  const text = document.lines.slice(from, to).join("\n");
  return {
    passage,
    document_id: document.id,
    title: null,
    metadata: document.metadata,
    version: 1,
    seq,
    start,
    end: start + text.length,
    text,
    heading_path: [],
    anchor: null,
    vector: vectors ? unit.vector : null,
    duplicates: [],
  };
}
