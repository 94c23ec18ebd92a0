import { expect, it } from "vitest";
import { compare } from "../../eval/rerank.ts";
import type { Asked } from "../../eval/rerank-data.ts";

const candidate = (right: boolean) => ({ text: "", right, score: 0, bm25: 0 });
const asked: Asked[] = [
  {
    id: "two right, one of them found",
    group: "a",
    text: "?",
    candidates: [candidate(false), candidate(true), candidate(false)],
    rights: 2,
  },
  { id: "none found", group: "a", text: "?", candidates: [candidate(false)], rights: 1 },
];

it("figures are those of the order, ties as they stood, and of all that is right", () => {
  const scored = [
    { hybrid: [1, 1, 1], reranker: [0, 2, 1] },
    { hybrid: [1], reranker: [1] },
  ];
  const figures = compare(asked, scored);
  const value = (name: string) => (figures[name] as { value: number }).value;
  const ideal = 1 + 1 / Math.log2(3);
  expect(value("hybrid: MRR@10")).toBe(0.25); // second of three, and none of one
  expect(value("hybrid: nDCG@10")).toBeCloseTo(1 / Math.log2(3) / ideal / 2, 12);
  expect(value("reranker: first is right")).toBe(0.5);
  expect(value("reranker: nDCG@10")).toBeCloseTo(1 / ideal / 2, 12);
  expect(value("reranker less hybrid: nDCG@10")).toBeCloseTo(
    (1 - 1 / Math.log2(3)) / ideal / 2,
    12,
  );
  expect(figures["right document among the 10, share"]).toBe(0.5);
});
