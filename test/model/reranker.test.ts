/** The shipped reranker: its features against the golden run's, and what it makes of texts. */
import { beforeAll, describe, expect, it } from "vitest";
import { loadModels } from "../../eval/models.ts";
import file from "../../models/reranker.json" with { type: "json" };
import { READER_ANSWER_TOKENS_MAX, RERANK_PIECES_MAX } from "../../src/limits.ts";
import type { Encoder } from "../../src/model/encoder.ts";
import type { Kernels } from "../../src/model/kernels.ts";
import type { SpanReader } from "../../src/model/reader.ts";
import { PAIR_FEATURES, Reranker } from "../../src/model/reranker.ts";
import { golden } from "./shipped.ts";

interface Case {
  question: string;
  passage: string;
  ids: number[];
  types: number[];
  start: number[];
  end: number[];
  null: number;
}

/** As in reader.test.ts: a log of summed exponentials moves no more than the exponents. */
const LOGIT_BOUND = 0.02;
const cases = golden<Case>("reader");
const FILLER = "Bread is baked from flour, water and yeast. ";
let kernels: Kernels;
let encoder: Encoder;
let reader: SpanReader;
let reranker: Reranker;
beforeAll(async () => {
  ({ kernels, encoder, reader } = await loadModels());
  reranker = new Reranker(encoder, reader, file);
});

/** From the golden run's logits, span by span. */
function goldenLogSum({ types, start, end, ...pair }: Case): number {
  let sum = 0;
  const last = types.length - 2; // the final [SEP] is no part of the passage
  for (let i = types.indexOf(1); i <= last; i++)
    for (let j = i; j <= Math.min(last, i + READER_ANSWER_TOKENS_MAX - 1); j++)
      sum += Math.exp(start[i]! + end[j]! - pair.null);
  return Math.log(sum);
}

describe.each(cases)("$question", ({ question, passage, ...rest }) => {
  it("has the golden run's features, and the score that the weights give them", () => {
    const [piece, ...others] = reranker.read(question, [passage]);
    expect(others).toEqual([]);
    const { log_sum, cosine, coverage } = piece!.features;
    const expected = goldenLogSum({ question, passage, ...rest });
    expect(Math.abs(log_sum - expected)).toBeLessThan(LOGIT_BOUND);
    const [a, b] = encoder.embed([question, passage]);
    expect(cosine).toBe(b!.reduce((sum, x, i) => sum + x * a![i]!, 0));
    const second = rest.types.indexOf(1);
    const [asked, held] = [rest.ids.slice(1, second - 1), new Set(rest.ids.slice(second, -1))];
    const weight = (ids: number[]) =>
      [...new Set(ids)].reduce((sum, id) => sum + Math.log(Math.max(1, id - 1_995)), 0);
    expect(coverage).toBeCloseTo(weight(asked.filter((id) => held.has(id))) / weight(asked), 9);
    const logit = PAIR_FEATURES.reduce(
      (sum, name) => sum + file.weights[name] * piece!.features[name],
      file.bias,
    );
    expect(reranker.score(question, [passage])[0]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 12);
  });
});

it("texts scored together get what each gets alone, and leave nothing allocated", () => {
  const { question } = cases[0]!;
  const texts = [...cases.map(({ passage }) => passage), "", FILLER.repeat(40)];
  const before = kernels.bytesUsed;
  const together = reranker.score(question, texts);
  expect(together).toEqual(texts.map((text) => reranker.score(question, [text])[0]));
  expect(kernels.bytesUsed).toBe(before);
});

it("an answer far into a long text counts, one behind the last piece does not", () => {
  const { question, passage } = cases[0]!;
  const filler = (n: number) => FILLER.repeat(n);
  const [alone, none] = reranker.score(question, [passage, filler(8)]);
  expect(alone).toBeGreaterThan(0.5);
  expect(none).toBeLessThan(0.1);
  const [far, behind] = reranker.score(question, [
    `${filler(60)}${passage}`,
    `${filler(120)}${passage}`,
  ]);
  expect(encoder.countTokens(filler(60))).toBeGreaterThan(500);
  expect(far).toBeGreaterThan(0.5);
  expect(behind).toBeLessThan(0.1);
  expect(reranker.read(question, [filler(200)])).toHaveLength(RERANK_PIECES_MAX);
  expect(reranker.read(question, [filler(200)], 2)).toHaveLength(2);
});

it("a text without tokens scores 0, and a query without words has no coverage", () => {
  expect(reranker.score("Who?", ["", " \u200b\n"])).toEqual([0, 0]);
  expect(reranker.score("Who?", [])).toEqual([]);
  const [piece] = reranker.read("?!", ["What?!"]);
  expect(piece!.features.coverage).toBe(0);
  expect(Number.isFinite(reranker.score("why ".repeat(2_000), ["because"])[0])).toBe(true);
});

it("weights that lack a feature are refused", () => {
  const broken = { ...file, weights: { ...file.weights, cosine: Number.NaN } };
  expect(() => new Reranker(encoder, reader, broken)).toThrow(/reranker weights/);
});
