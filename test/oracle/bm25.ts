/** BM25 as the formula reads, over plain lists of terms: no index, no state. */
export interface OracleUnit {
  unit: number;
  terms: readonly string[];
}

/** The units that hold a query term, best first; a tie goes to the lower unit. A term that the
 *  query repeats counts as often. */
export function bm25Oracle(
  units: readonly OracleUnit[],
  query: readonly string[],
  { k1, b }: { k1: number; b: number },
): { id: number; score: number }[] {
  const n = units.length;
  const avgdl = units.reduce((sum, { terms }) => sum + terms.length, 0) / n;
  const found: { id: number; score: number }[] = [];
  for (const { unit, terms } of units) {
    let score = 0;
    for (const term of query) {
      const tf = terms.filter((other) => other === term).length;
      const df = units.filter((other) => other.terms.includes(term)).length;
      const idf = Math.log(1 + (n - df + 0.5) / (df + 0.5));
      score += (idf * tf) / (tf + k1 * (1 - b + (b * terms.length) / avgdl));
    }
    if (query.some((term) => terms.includes(term))) found.push({ id: unit, score });
  }
  return found.sort((x, y) => y.score - x.score || x.id - y.id);
}

export interface VariantOptions {
  variant: "robertson" | "lucene" | "atire" | "bm25l" | "bm25plus";
  k1: number;
  b: number;
  delta: number;
}

/** One unit's score as the variants are printed, terms that do not occur included. `counts` maps
 *  the unit's terms to their tf; `query` has each term with its qtf and the corpus's df. */
export function variantOracle(
  { variant, k1, b, delta }: VariantOptions,
  corpus: { units: number; lengthSum: number },
  query: readonly { term: number | null; qtf: number; df: number }[],
  counts: ReadonlyMap<number, number>,
): number {
  const n = corpus.units;
  const dl = [...counts.values()].reduce((sum, tf) => sum + tf, 0);
  const norm = 1 - b + (b * dl) / (corpus.lengthSum / n);
  let score = 0;
  for (const { term, qtf, df } of query) {
    if (df === 0) continue;
    const tf = (term === null ? undefined : counts.get(term)) ?? 0;
    const c = tf === 0 ? 0 : tf / norm;
    const saturated = tf === 0 ? 0 : tf / (tf + k1 * norm);
    const idf = {
      robertson: Math.log(Math.max(1, (n - df + 0.5) / (df + 0.5))),
      lucene: Math.log(1 + (n - df + 0.5) / (df + 0.5)),
      atire: Math.log(n / df),
      bm25l: Math.log((n + 1) / (df + 0.5)),
      bm25plus: Math.log((n + 1) / df),
    }[variant];
    const part = {
      robertson: saturated,
      lucene: saturated,
      atire: (k1 + 1) * saturated,
      bm25l: tf + delta === 0 ? 0 : ((k1 + 1) * (c + delta)) / (k1 + c + delta),
      bm25plus: (k1 + 1) * saturated + delta,
    }[variant];
    score += qtf * idf * part;
  }
  return score;
}

/** What the kernel bm25_top_f64 keeps of one segment: by slot base, then weight * tf / (length + tf)
 *  of each term that the slot has, in order; the best k above the base, a tie to the lower slot. */
export function topOracle(
  terms: readonly { id: number; weight: number }[],
  slots: readonly { tfs: ReadonlyMap<number, number>; lengthTerm: number; alive: boolean }[],
  base: number,
  k: number,
): { slot: number; score: number }[] {
  const scored = slots.flatMap(({ tfs, lengthTerm, alive }, slot) => {
    let score = base;
    for (const { id, weight } of terms) {
      const tf = tfs.get(id) ?? 0;
      if (tf > 0) score += weight * (tf / (lengthTerm + tf));
    }
    return alive && score > base ? [{ slot, score }] : [];
  });
  return scored.sort((a, b) => b.score - a.score || a.slot - b.slot).slice(0, k);
}
