/** The convex combination as the formula reads. */
export function fuseOracle(
  bm25: ReadonlyMap<number, number>,
  cosine: ReadonlyMap<number, number>,
  alpha: number,
): { id: number; score: number }[] {
  const bm25Max = Math.max(0, ...bm25.values());
  const cosineMax = Math.max(-1, ...cosine.values());
  const ids = [...new Set([...bm25.keys(), ...cosine.keys()])];
  const share = (score: number, min: number, max: number) =>
    max > min ? (score - min) / (max - min) : 0;
  const hits = ids.map((id) => {
    const lexical = share(bm25.get(id) ?? 0, 0, bm25Max);
    const semantic = share(cosine.get(id) ?? -1, -1, cosineMax);
    return { id, score: alpha * semantic + (1 - alpha) * lexical };
  });
  return hits.sort((a, b) => b.score - a.score || a.id - b.id);
}
