/** What a shard answers a query with: the units worth ranking, each with its exact scores. */
import type { Bitmap } from "../../index/bitmap.ts";
import { type Bm25Term, tfOf } from "../../index/bm25.ts";
import type { TermCounts } from "../../index/term-counts.ts";
import { TopK } from "../../index/top-k.ts";
import { cosineOf, type QuantizedQuery, quantizeQuery } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import type { PassageStore, ScoredPassage } from "./passage-store.ts";
import type { Resident } from "./resident.ts";
import type { NearPassage } from "./shard-tier.ts";
import type { CandidateList, CandidateRequest, CorpusStatistics } from "./shard-types.ts";
import type { Slots } from "./slots.ts";
import { rowRuns } from "./sql.ts";

/** A candidate on its way: its unit's slot, and what is known of it. */
interface Candidate {
  unit: number;
  /** The slot of the passage that shows the unit. */
  passage: number;
  bm25: number;
  /** Whether the list by BM25 brought it. */
  lexical: boolean;
  estimate: number;
  cosine: number;
  time: number;
  counts: TermCounts | null;
}

/** The candidates among the living documents, or among those in `filter` (by slot); with `near` the
 *  list by vector is of those passages instead of the best by estimate. Throws `invalid_request`
 *  for a vector of the wrong size. */
export function findCandidates(
  store: PassageStore,
  resident: Resident,
  request: CandidateRequest,
  filter: Bitmap | null,
  near: readonly NearPassage[] | null = null,
): CandidateList {
  const search = new Search(store, resident, request, filter, near);
  return search.run();
}

class Search {
  readonly #store: PassageStore;
  readonly #resident: Resident;
  readonly #request: CandidateRequest;
  readonly #filter: Bitmap | null;
  readonly #near: readonly NearPassage[] | null;
  readonly #terms: Bm25Term[];
  readonly #query: QuantizedQuery | null;
  readonly #byDocument: boolean;
  readonly #timings: Record<string, number> = {};

  constructor(
    store: PassageStore,
    resident: Resident,
    request: CandidateRequest,
    filter: Bitmap | null,
    near: readonly NearPassage[] | null,
  ) {
    this.#near = near;
    this.#store = store;
    this.#resident = resident;
    this.#request = request;
    this.#filter = filter;
    this.#byDocument = resident.byDocument;
    this.#terms = request.terms.map(({ term, qtf }) => {
      return { id: resident.lexicon.find(term) ?? null, qtf };
    });
    this.#query = request.mode === "bm25" ? null : this.#checked(request.vector);
  }

  #checked(vector: Float32Array | null): QuantizedQuery {
    if (vector === null)
      throw new ServiceError(
        "invalid_request",
        `mode ${this.#request.mode} needs the query's embedding`,
      );
    this.#resident.checkDimension(vector.length);
    return quantizeQuery(vector);
  }

  run(): CandidateList {
    if (this.#resident.slots.livePassages === 0) return listOf([], this.#resident, this.#request);
    const found = new Map<number, Candidate>();
    if (this.#request.mode !== "vector") this.#timed("bm25", () => this.#findByTerms(found));
    if (this.#query !== null) this.#timed("vector", () => this.#findByVector(found));
    const candidates = [...found.values()];
    this.#timed("rescore", () => {
      if (this.#byDocument) this.#scoreDocuments(candidates);
      else {
        this.#scorePassages(candidates);
        this.#showStandIns(candidates);
      }
    });
    const list = listOf(candidates, this.#resident, this.#request, this.#terms);
    return { ...list, timings_ms: this.#timings };
  }

  #timed(stage: string, work: () => void): void {
    const startMs = performance.now();
    work();
    this.#timings[stage] = performance.now() - startMs;
  }

  #findByTerms(found: Map<number, Candidate>): void {
    const { statistics, bm25Depth } = this.#request;
    const allowed = this.#filter === null ? null : this.#units(this.#filter);
    const best = this.#resident.lexical.search(this.#terms, statistics, bm25Depth, allowed);
    for (const { slot, score } of best)
      found.set(slot, { ...blank(slot), bm25: score, lexical: true });
  }

  #units(filter: Bitmap): Bitmap {
    const { slots } = this.#resident;
    return this.#byDocument ? slots.documentsOf(filter) : slots.passagesOf(filter);
  }

  #findByVector(found: Map<number, Candidate>): void {
    const [slots, estimates] = this.#byDocument ? this.#bestDocuments() : this.#bestPassages();
    for (const [i, slot] of slots.entries())
      found.set(slot, { ...(found.get(slot) ?? blank(slot)), estimate: estimates[i]! });
  }

  #bestPassages(): [Uint32Array, Float32Array] {
    const { codes, slots } = this.#resident;
    const { vector, vectorDepth } = this.#request;
    if (this.#near !== null) return livingOf(this.#near, slots);
    const best = codes!.best(vector!, vectorDepth, slots.passagesOf(this.#filter));
    return [best.slots, best.estimates];
  }

  /** A document's estimate is the greatest of its passages. */
  #bestDocuments(): [Uint32Array, Float32Array] {
    const { codes, slots } = this.#resident;
    const estimates = codes!.estimates(this.#request.vector!);
    const best = new TopK(this.#request.vectorDepth);
    for (const document of slots.documentsOf(this.#filter)) {
      const [from, to] = slots.span(document);
      let greatest = Number.NEGATIVE_INFINITY;
      for (let i = from; i < to; i++) if (estimates[i]! > greatest) greatest = estimates[i]!;
      best.push(document, greatest);
    }
    const sorted = best.sorted();
    return [Uint32Array.from(sorted, ({ id }) => id), Float32Array.from(sorted, (x) => x.score)];
  }

  /** A passage whose own document does not pass is shown by one that is linked to it. */
  #showStandIns(candidates: readonly Candidate[]): void {
    if (this.#filter === null) return;
    const { slots } = this.#resident;
    const standIns = slots.standIns(this.#filter);
    const shown = candidates.filter(({ unit }) => standIns.has(unit));
    for (const candidate of shown) candidate.passage = standIns.get(candidate.unit)!;
    if (!this.#request.times) return;
    const rows = shown.map(({ passage }) => slots.passageRowOf(passage));
    const stored = this.#store.scored(rows, true);
    for (const [i, candidate] of shown.entries()) candidate.time = stored.get(rows[i]!)!.time;
  }

  #scorePassages(candidates: readonly Candidate[]): void {
    const { mode, explain, times } = this.#request;
    if (mode === "bm25" && !explain && !times) return; // the list of terms has all there is
    const { slots } = this.#resident;
    const rows = candidates.map(({ unit }) => slots.passageRowOf(unit));
    const stored = this.#store.scored(rows, times);
    for (const [i, candidate] of candidates.entries()) {
      const { vector, counts, time } = stored.get(rows[i]!)!;
      candidate.time = time;
      if (explain) candidate.counts = counts();
      if (this.#query !== null) candidate.cosine = cosineOf(this.#query, vector());
      this.#scoreTerms(candidate, () => candidate.counts ?? counts());
    }
  }

  /** BM25 where the list of terms did not bring the candidate: 0 without a term of the query. */
  #scoreTerms(candidate: Candidate, countsOf: () => TermCounts): void {
    if (this.#request.mode === "vector" || !Number.isNaN(candidate.bm25)) return;
    const { statistics } = this.#request;
    const counts = countsOf();
    const holds = tfsOf(this.#terms, counts).some((tf) => tf > 0);
    candidate.bm25 = holds ? this.#resident.lexical.score(this.#terms, statistics, counts) : 0;
  }

  /** A document counts as its closest passage does, and that one shows it; without a vector the
   *  passage with the best BM25 of its own shows it. */
  #scoreDocuments(candidates: readonly Candidate[]): void {
    const { slots } = this.#resident;
    this.#countDocuments(candidates);
    for (const some of rowRuns(candidates, ({ unit }) => spanLength(slots.span(unit)))) {
      const rows = some.flatMap(({ unit }) =>
        passageRows(slots.firstRowOf(unit), slots.span(unit)),
      );
      const stored = this.#store.scored(rows, this.#request.times);
      for (const candidate of some) {
        const [from, to] = slots.span(candidate.unit);
        const first = slots.firstRowOf(candidate.unit);
        const passages = passageRows(first, [from, to]).map((row) => stored.get(row)!);
        candidate.time = passages[0]!.time;
        if (this.#query === null) candidate.passage = from + this.#bestByTerms(passages);
        else this.#closest(candidate, from, passages);
      }
    }
  }

  #countDocuments(candidates: readonly Candidate[]): void {
    const { mode, explain } = this.#request;
    if (mode === "vector") return;
    const wanted = candidates.filter(({ bm25 }) => explain || Number.isNaN(bm25));
    const rows = wanted.map(({ unit }) => this.#resident.slots.rowOf(unit));
    for (const [i, counts] of this.#store.documentCounts(rows).entries()) {
      wanted[i]!.counts = counts;
      this.#scoreTerms(wanted[i]!, () => counts);
    }
  }

  #closest(candidate: Candidate, from: number, passages: readonly ScoredPassage[]): void {
    let best = Number.NEGATIVE_INFINITY;
    for (const [seq, { vector }] of passages.entries()) {
      const cosine = cosineOf(this.#query!, vector());
      if (cosine <= best) continue;
      best = cosine;
      candidate.passage = from + seq;
    }
    candidate.cosine = best;
  }

  /** Which passage of a document matches the terms best, by BM25 with the documents' idf and
   *  lengths relative to the document's mean passage; a tie goes to the first. */
  #bestByTerms(passages: readonly ScoredPassage[]): number {
    const { units, df } = this.#request.statistics;
    const counted = passages.map(({ counts }) => counts());
    const length = counted.reduce((sum, counts) => sum + counts.length, 0);
    const statistics: CorpusStatistics = {
      units,
      df,
      lengthSum: (units * length) / passages.length,
    };
    let best = { seq: 0, score: 0 };
    for (const [seq, counts] of counted.entries()) {
      if (!tfsOf(this.#terms, counts).some((tf) => tf > 0)) continue;
      const score = this.#resident.lexical.score(this.#terms, statistics, counts);
      if (score > best.score) best = { seq, score };
    }
    return best.seq;
  }
}

function blank(unit: number): Candidate {
  const unknown = { bm25: Number.NaN, estimate: Number.NaN, cosine: Number.NaN };
  return { unit, passage: unit, lexical: false, ...unknown, time: Number.NaN, counts: null };
}

const spanLength = ([from, to]: [number, number]) => to - from;

function passageRows(first: number, span: [number, number]): number[] {
  return Array.from({ length: spanLength(span) }, (_, seq) => first + seq);
}

/** How often counts have each of the query's terms. O(terms * log n). */
function tfsOf(terms: readonly Bm25Term[], counts: TermCounts): number[] {
  return terms.map(({ id }) => (id === null ? 0 : tfOf(counts, id)));
}

function listOf(
  candidates: readonly Candidate[],
  { slots }: Resident,
  { explain, mode }: CandidateRequest,
  terms: readonly Bm25Term[] = [],
): CandidateList {
  const n = candidates.length;
  const filled = <T extends Float64Array | Float32Array | Uint32Array | Uint8Array>(
    array: T,
    of: (candidate: Candidate) => number,
  ): T => {
    for (let i = 0; i < n; i++) array[i] = of(candidates[i]!);
    return array;
  };
  const explained = explain && mode !== "vector";
  return {
    passage: filled(new Float64Array(n), ({ passage }) => slots.passageRowOf(passage)),
    row: filled(new Float64Array(n), ({ passage }) => slots.rowOf(slots.documentOf(passage))),
    seq: filled(new Uint32Array(n), ({ passage }) => slots.seqOf(passage)),
    bm25: filled(new Float64Array(n), ({ bm25 }) => bm25),
    lexical: filled(new Uint8Array(n), ({ lexical }) => (lexical ? 1 : 0)),
    estimate: filled(new Float32Array(n), ({ estimate }) => estimate),
    cosine: filled(new Float32Array(n), ({ cosine }) => cosine),
    time: filled(new Float64Array(n), ({ time }) => time),
    shard: new Uint16Array(n),
    tfs: explained
      ? Uint32Array.from(candidates.flatMap(({ counts }) => tfsOf(terms, counts!)))
      : null,
    lengths: explained ? filled(new Uint32Array(n), ({ counts }) => counts!.length) : null,
    timings_ms: {},
  };
}

/** The slots and scores of the passages that are still there. */
function livingOf(near: readonly NearPassage[], slots: Slots): [Uint32Array, Float32Array] {
  const found = near
    .map(({ row, score }) => ({ slot: slots.findPassage(row), score }))
    .filter(({ slot }) => slot >= 0);
  return [
    Uint32Array.from(found, ({ slot }) => slot),
    Float32Array.from(found, ({ score }) => score),
  ];
}
