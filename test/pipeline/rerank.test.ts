import { expect, it } from "vitest";
import { RERANK_DOCUMENTS_MAX, RERANK_PIECES_TOTAL_MAX } from "../../src/limits.ts";
import { scoreInSteps } from "../../src/pipeline/rerank.ts";

it("however many documents there are, no more pieces are read than a request may", async () => {
  const read = async (documents: number) => {
    let pieces = 0;
    const reranker = {
      score: (_: string, texts: readonly string[], piecesMax = 0) => {
        pieces += texts.length * piecesMax;
        return texts.map(() => 0.5);
      },
    };
    const texts = Array.from({ length: documents }, (_, i) => `document ${i}`);
    expect(await scoreInSteps(reranker, "question", texts)).toHaveLength(documents);
    return pieces;
  };
  expect(await read(10)).toBe(40);
  expect(await read(RERANK_PIECES_TOTAL_MAX / 4)).toBe(RERANK_PIECES_TOTAL_MAX);
  expect(await read(RERANK_DOCUMENTS_MAX)).toBe(RERANK_PIECES_TOTAL_MAX);
});
