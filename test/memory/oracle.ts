/** A memory by brute force: a list of documents, searched by the formulas. */

import { type Filter, matches } from "../../index/filter.ts";
import { COSINE_WEIGHT } from "../../index/fuse.ts";
import { terms } from "../../index/terms.ts";
import { type QuantizedVector, quantizeQuery } from "../../index/vectors.ts";
import type { NamespaceOptions, PreparedDocument, SearchRequest } from "../../src/memory/types.ts";
import { bm25Oracle } from "../oracle/bm25.ts";
import { convexOracle } from "../oracle/fuse.ts";

interface Unit {
  document: PreparedDocument;
  /** The passages that stand for this unit: one, or all of its document's. */
  seqs: number[];
}

/** The dot product of a 16-bit query and an 8-bit vector, which are what the index compares. */
function cosineOf(query: Float32Array, y: QuantizedVector): number {
  const x = quantizeQuery(query);
  return x.qs.reduce((sum, q, i) => sum + q * y.qs[i]!, 0) * x.scale * y.scale;
}

export class MemoryOracle {
  readonly #options: NamespaceOptions;
  /** In the order of their last change. */
  documents: PreparedDocument[] = [];

  constructor(options: NamespaceOptions) {
    this.#options = options;
  }

  upsert(document: PreparedDocument): void {
    this.remove(document.id);
    this.documents.push(document);
  }

  remove(id: string): void {
    this.documents = this.documents.filter((document) => document.id !== id);
  }

  /** The ids of the documents that pass a filter. */
  passing(filter: Filter): string[] {
    return this.documents.filter(({ metadata }) => matches(filter, metadata)).map(({ id }) => id);
  }

  /** Every hit in order: the units' documents and, where a unit is a passage, its number. */
  search(request: SearchRequest): { document_id: string; seq: number | null; score: number }[] {
    const units = this.#units();
    const passes = ({ document }: Unit) =>
      request.filter === null || matches(request.filter, document.metadata);
    const allowed = new Set(units.flatMap((unit, i) => (passes(unit) ? [i] : [])));
    const only = (scores: [number, number][]) => new Map(scores.filter(([i]) => allowed.has(i)));
    const bm25 = only(this.#bm25(units, request.query));
    const cosine = only(request.vector === null ? [] : this.#cosines(units, request.vector));
    const ranked =
      request.mode === "hybrid"
        ? convexOracle(bm25, cosine, COSINE_WEIGHT)
        : Array.from(request.mode === "bm25" ? bm25 : cosine, ([id, score]) => ({ id, score }));
    ranked.sort((a, b) => b.score - a.score || a.id - b.id);
    return ranked.map(({ id, score }) => {
      const { document, seqs } = units[id]!;
      const seq = this.#options.bm25_unit === "passage" ? seqs[0]! : null;
      return { document_id: document.id, seq, score };
    });
  }

  #units(): Unit[] {
    return this.documents.flatMap((document) => {
      const seqs = document.passages.map((_, seq) => seq);
      if (this.#options.bm25_unit === "passage")
        return seqs.map((seq) => ({ document, seqs: [seq] }));
      return seqs.length === 0 ? [] : [{ document, seqs }];
    });
  }

  #bm25(units: Unit[], query: string): [number, number][] {
    const oracleUnits = units.map(({ document, seqs }, unit) => {
      const { text, title, passages } = document;
      const whole = this.#options.bm25_unit === "document";
      const part = whole ? text : text.slice(passages[seqs[0]!]!.start, passages[seqs[0]!]!.end);
      return { unit, terms: terms(`${title ?? ""}\n${part}`, "document") };
    });
    const hits = bm25Oracle(oracleUnits, terms(query, "query"), this.#options);
    return hits.map(({ id, score }) => [id, score]);
  }

  #cosines(units: Unit[], vector: Float32Array): [number, number][] {
    return units.map(({ document, seqs }, i) => {
      const scores = seqs.map((seq) => cosineOf(vector, document.passages[seq]!.vector));
      return [i, Math.max(...scores)];
    });
  }
}
