/** A shard by brute force: a list of documents in the order of their changes, searched by the
 *  formulas. */
import { type Bm25Options, scoreOf, weigh } from "../../index/bm25.ts";
import { type Filter, matches } from "../../index/filter.ts";
import { saidBy } from "../../index/near-duplicates.ts";
import { countTerms, type TermCounts } from "../../index/term-counts.ts";
import { terms } from "../../index/terms.ts";
import { type QuantizedVector, quantizeQuery } from "../../index/vectors.ts";
import type { CandidateRequest, CorpusStatistics } from "../../src/memory/shard-types.ts";
import type { Metadata, NamespaceOptions, PreparedDocument } from "../../src/memory/types.ts";
import { variantOracle } from "../oracle/bm25.ts";
import { codeOf, estimatesOf, type PlainCode } from "../oracle/codes.ts";

export interface OracleDocument {
  row: number;
  version: number;
  document: PreparedDocument;
}

/** A candidate as a shard must give it; null where the shard says NaN. */
export interface OracleCandidate {
  row: number;
  seq: number;
  bm25: number | null;
  estimate: number | null;
  cosine: number | null;
  time: number;
  tfs: number[] | null;
  length: number | null;
}

interface Unit {
  source: OracleDocument;
  /** The passages that stand for this unit: one, or all of its document's. */
  seqs: number[];
  counts: TermCounts;
  /** Passages that say the same and are linked to it, in their order. */
  linked: { source: OracleDocument; seq: number }[];
}

const codes = new WeakMap<QuantizedVector, PlainCode>();

/** The code of a vector by definition, made once. */
function plainCode(vector: QuantizedVector): PlainCode {
  const known = codes.get(vector) ?? codeOf(vector);
  codes.set(vector, known);
  return known;
}

function cosineOf(query: Float32Array, { qs, scale }: QuantizedVector): number {
  const { qs: values, scale: queryScale } = quantizeQuery(query);
  const dot = values.reduce((sum, value, i) => sum + value * qs[i]!, 0);
  return Math.fround(Math.fround(Math.fround(dot) * queryScale) * scale);
}

export class ShardOracle {
  options: NamespaceOptions;
  /** By row. */
  documents: OracleDocument[] = [];
  /** Terms to numbers, in any order: here the order they were first seen in. */
  readonly #numbers = new Map<string, number>();

  constructor(options: NamespaceOptions) {
    this.options = options;
  }

  find(id: string): OracleDocument | undefined {
    return this.documents.find(({ document }) => document.id === id);
  }

  put(row: number, document: PreparedDocument): void {
    const version = (this.find(document.id)?.version ?? 0) + 1;
    this.remove(document.id);
    this.documents.push({ row, version, document });
  }

  remove(id: string): void {
    this.documents = this.documents.filter(({ document }) => document.id !== id);
  }

  removeWhere(passes: (document: PreparedDocument) => boolean): number {
    const before = this.documents.length;
    this.documents = this.documents.filter(({ document }) => !passes(document));
    return before - this.documents.length;
  }

  patchMetadata(row: number, id: string, patch: Metadata): void {
    const { document } = this.find(id)!;
    const metadata = { ...document.metadata, ...patch };
    for (const [field, value] of Object.entries(patch)) if (value === null) delete metadata[field];
    this.put(row, { ...document, metadata });
  }

  #numberOf(term: string): number {
    const known = this.#numbers.get(term) ?? this.#numbers.size;
    this.#numbers.set(term, known);
    return known;
  }

  #units(): Unit[] {
    const counted = (text: string) =>
      countTerms(terms(text, "document").map((term) => this.#numberOf(term)));
    const said = new Map<string, Unit>();
    return this.documents.flatMap((source): Unit[] => {
      const { text, title, passages } = source.document;
      const heading = title === null ? "" : `${title}\n`;
      const seqs = passages.map((_, seq) => seq);
      if (this.options.bm25_unit === "document")
        return seqs.length === 0
          ? []
          : [{ source, seqs, counts: counted(heading + text), linked: [] }];
      return passages.flatMap(({ start, end }, seq) => {
        const passage = text.slice(start, end);
        const original = this.#originalOf(saidBy(passage), said);
        if (original !== null) {
          original.linked.push({ source, seq });
          return [];
        }
        const unit = { source, seqs: [seq], counts: counted(heading + passage), linked: [] };
        said.set(saidBy(passage), unit);
        return unit;
      });
    });
  }

  /** Of each passage the first `most` that say the same, all named `id#seq`. */
  groups(most: number): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    const linking = this.options.near_duplicates === "link";
    for (const { source, seqs, linked } of this.#units()) {
      const own = seqs.map((seq) => ({ source, seq }));
      const names = (linking ? [...own, ...linked] : own).map(
        (each) => `${each.source.document.id}#${each.seq}`,
      );
      for (const name of names)
        groups.set(name, linking ? names.filter((other) => other !== name).slice(0, most) : []);
    }
    return groups;
  }

  #originalOf(words: string, said: ReadonlyMap<string, Unit>): Unit | null {
    if (this.options.near_duplicates === "keep" || words === "") return null;
    return said.get(words) ?? null;
  }

  statistics(asked: readonly string[]): CorpusStatistics {
    const units = this.#units();
    const df = asked.map((term) => {
      const id = this.#numbers.get(term);
      return units.filter(({ counts }) => id !== undefined && counts.ids.includes(id)).length;
    });
    const lengthSum = units.reduce((sum, { counts }) => sum + counts.length, 0);
    return { units: units.length, lengthSum, df };
  }

  /** By (row, seq). */
  candidates(request: CandidateRequest): OracleCandidate[] {
    const passes = ({ source }: Pick<Unit, "source">) =>
      request.filter === null || matches(request.filter as Filter, source.document.metadata);
    const units = this.#units().filter((unit) => passes(unit) || unit.linked.some(passes));
    const byTerms = request.mode === "vector" ? [] : this.#bestByTerms(units, request);
    const estimates = this.#estimates(units, request);
    const byVector = bestOf(estimates, request.vectorDepth);
    const chosen = new Set([...byTerms, ...byVector]);
    const candidates = units.flatMap((unit, i) => {
      if (!chosen.has(i)) return [];
      const tfs = request.terms.map(({ term }) => this.#tf(unit, term));
      const { seq, cosine } = this.#shown(unit, request);
      const standIn = passes(unit) ? null : unit.linked.find(passes)!;
      const bm25 = tfs.some((tf) => tf > 0) ? this.#score(unit.counts, request) : 0;
      const explained = request.explain && request.mode !== "vector";
      const { row, document } = (standIn ?? unit).source;
      return {
        ...{
          row,
          seq: standIn?.seq ?? seq,
          cosine,
          time: request.times ? document.time : Number.NaN,
        },
        bm25: request.mode === "vector" ? null : bm25,
        estimate: byVector.includes(i) ? estimates[i]! : null,
        tfs: explained ? tfs : null,
        length: explained ? unit.counts.length : null,
      };
    });
    return candidates.sort((a, b) => a.row - b.row || a.seq - b.seq);
  }

  #tf({ counts }: Pick<Unit, "counts">, term: string): number {
    const at = counts.ids.indexOf(this.#numbers.get(term) ?? -1);
    return at < 0 ? 0 : counts.tfs[at]!;
  }

  #bm25Options(): Bm25Options {
    const { bm25_variant: variant, k1, b, delta } = this.options;
    return { variant, k1, b, delta };
  }

  /** The score in the order of operations that decides ties; within rounding it is the score by the
   *  formulas as printed. */
  #score(counts: TermCounts, { terms: asked, statistics }: CandidateRequest): number {
    const query = asked.map(({ term, qtf }) => ({ id: this.#numbers.get(term) ?? null, qtf }));
    const options = this.#bm25Options();
    const score = scoreOf(query, weigh(query, statistics, options), counts);
    const plain = variantOracle(
      options,
      statistics,
      query.map(({ id, qtf }, i) => ({ term: id, qtf, df: statistics.df[i]! })),
      new Map(Array.from(counts.ids, (id, i) => [id, counts.tfs[i]!])),
    );
    if (Math.abs(score - plain) > 1e-12 * Math.max(1, Math.abs(plain)))
      throw new Error(`a score of ${score} is ${plain} by the formula`);
    return score;
  }

  /** Places of the best units that hold a term with a share in their score. */
  #bestByTerms(units: readonly Unit[], request: CandidateRequest): number[] {
    const { terms: asked, statistics } = request;
    const query = asked.map(({ term, qtf }) => ({ id: this.#numbers.get(term) ?? null, qtf }));
    const { base } = weigh(query, statistics, this.#bm25Options());
    const scores = units.map(({ counts }) => this.#score(counts, request));
    const found = scores.map((score) => (score > base ? score : null));
    return bestOf(found, request.bm25Depth);
  }

  #estimates(units: readonly Unit[], { mode, vector }: CandidateRequest): (number | null)[] {
    if (mode === "bm25") return units.map(() => null);
    const ofPassages = units.map(({ source, seqs }) =>
      seqs.map((seq) => plainCode(source.document.passages[seq]!.vector)),
    );
    const all = estimatesOf(vector!, ofPassages.flat());
    return ofPassages.map((own) => Math.max(...all.splice(0, own.length)));
  }

  /** The passage that shows a unit, and the unit's cosine. */
  #shown({ source, seqs }: Unit, request: CandidateRequest) {
    const { passages } = source.document;
    if (request.mode === "bm25") return { seq: this.#bestSeq(source, seqs, request), cosine: null };
    const cosines = seqs.map((seq) => cosineOf(request.vector!, passages[seq]!.vector));
    const cosine = Math.max(...cosines);
    return { seq: seqs[cosines.indexOf(cosine)]!, cosine };
  }

  /** Of a document's passages the one with the best BM25 of its own, the mean passage being the
   *  measure of lengths. */
  #bestSeq({ document }: OracleDocument, seqs: number[], request: CandidateRequest): number {
    if (this.options.bm25_unit === "passage") return seqs[0]!;
    const heading = document.title === null ? "" : `${document.title}\n`;
    const own = document.passages.map(({ start, end }) => {
      const text = heading + document.text.slice(start, end);
      return countTerms(terms(text, "document").map((term) => this.#numberOf(term)));
    });
    const { units, df } = request.statistics;
    const length = own.reduce((sum, counts) => sum + counts.length, 0);
    const statistics = { units, df, lengthSum: (units * length) / own.length };
    const scores = own.map((counts) => {
      const holds = request.terms.some(({ term }) => this.#tf({ counts }, term) > 0);
      return holds ? this.#score(counts, { ...request, statistics }) : 0;
    });
    return scores.indexOf(Math.max(...scores));
  }
}

/** Places of the greatest `k` values; a tie goes to the lower place. */
function bestOf(values: readonly (number | null)[], k: number): number[] {
  const places = [...values.keys()].filter((i) => values[i] !== null);
  return places.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, k);
}
