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
