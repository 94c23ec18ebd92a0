/** The shipped reader against its golden logits and answers, and its search for spans. */

import { beforeAll, describe, expect, it } from "vitest";
import { loadModels } from "../../eval/models.ts";
import {
  READER_ANSWER_TOKENS_MAX,
  READER_QUESTION_TOKENS_MAX,
  READER_SPANS_MAX,
  READER_TOKENS_MAX,
  READER_WINDOW_STRIDE,
  READER_WINDOWS_MAX,
} from "../../src/limits.ts";
import type { Encoder } from "../../src/model/encoder.ts";
import type { Kernels } from "../../src/model/kernels.ts";
import type { SpanReader } from "../../src/model/reader.ts";
import { readSpans } from "../../src/model/spans.ts";
import { streamOf } from "./gguf-file.ts";
import { golden, modelBytes, newKernels } from "./shipped.ts";
import { seeded } from "./wordpiece-strings.ts";

interface Case {
  question: string;
  passage: string;
  span: number;
  null: number;
  margin: number;
  answerable: number;
  answer: string;
}

/** Activations are rounded to 13 bits here and f32 in the golden run, which moved no logit by more
 *  than .005; margins spread over 27 logits. */
const LOGIT_BOUND = 0.02;
const cases = golden<Case>("reader");
let kernels: Kernels;
let encoder: Encoder;
let reader: SpanReader;
beforeAll(async () => {
  ({ kernels, encoder, reader } = await loadModels());
});

it.each(cases)("$question: the golden logits and answer", ({ question, passage, ...expected }) => {
  const [reading] = reader.read(question, [passage]);
  expect(Math.abs(reading!.nullScore - expected.null)).toBeLessThan(LOGIT_BOUND);
  expect(Math.abs(reading!.spans[0]!.score - expected.margin)).toBeLessThan(LOGIT_BOUND);
  expect(Math.abs(reading!.answerable - expected.answerable)).toBeLessThan(LOGIT_BOUND);
  expect(passage.slice(reading!.spans[0]!.start, reading!.spans[0]!.end)).toBe(expected.answer);
});

it("passages read together give what each gives alone, and leave nothing allocated", () => {
  const { question } = cases[0]!;
  const passages = cases.map(({ passage }) => passage);
  const before = kernels.bytesUsed;
  const together = reader.read(question, passages);
  expect(together).toEqual(passages.map((passage) => reader.read(question, [passage])[0]));
  expect(kernels.bytesUsed).toBe(before);
});

it("the choice is the passage of the greatest score, and abstains below the threshold", () => {
  const { question, passage } = cases[0]!;
  const other = "Bread is baked from flour, water and yeast.";
  const choice = reader.choose(reader.read(question, [other, "", passage]));
  expect(choice).toMatchObject({ passage: 2, abstain: false });
  expect(passage.slice(choice!.start, choice!.end)).toBe(cases[0]!.answer);
  expect(choice!.probability).toBeGreaterThan(0.5);
  const none = reader.choose(reader.read(question, [other]));
  expect(none).toMatchObject({ passage: 0, abstain: true });
});

it("a passage without tokens has no span, and nothing to choose", () => {
  const readings = reader.read("Who?", ["", " \u200b\n"]);
  expect(readings.map(({ spans }) => spans)).toEqual([[], []]);
  expect(reader.choose(readings)).toBeNull();
  expect(reader.read("Who?", [])).toEqual([]);
});

it("a passage too long for one row is read in windows, to its end", () => {
  const { question, passage, answer } = cases[0]!;
  const long = `${"Bread is baked from flour, water and yeast. ".repeat(60)}${passage}`;
  expect(encoder.countTokens(long)).toBeGreaterThan(600);
  const choice = reader.choose(reader.read(question, [long]))!;
  expect(long.slice(choice.start, choice.end)).toBe(answer);
});

it("a question of any length is cut, not refused", () => {
  const [reading] = reader.read("why ".repeat(5_000), [cases[0]!.passage]);
  expect(Number.isFinite(reading!.spans[0]!.score)).toBe(true);
});

it("of a question so many tokens are read, and of a passage so many windows", () => {
  const { question, passage, answer } = cases[0]!;
  const asked = (tokens: number) => reader.read("why ".repeat(tokens), [passage]);
  const whole = asked(READER_QUESTION_TOKENS_MAX);
  expect(asked(READER_QUESTION_TOKENS_MAX + 1)).toEqual(whole);
  expect(asked(READER_QUESTION_TOKENS_MAX - 1)).not.toEqual(whole);
  const room = READER_TOKENS_MAX - 3 - encoder.countTokens(question);
  const tokens = room + (READER_WINDOWS_MAX - 1) * READER_WINDOW_STRIDE;
  const before = "bread ".repeat(tokens - encoder.countTokens(passage));
  const longest = `${before}${passage}`;
  expect(encoder.countTokens(longest)).toBe(tokens);
  const [last] = reader.read(question, [longest]);
  expect(longest.slice(last!.spans[0]!.start, last!.spans[0]!.end)).toBe(answer);
  expect(reader.read(question, [`${longest} bread bread`])).toEqual([last]);
  expect(reader.read(question, [longest.replace(/\W*\w+\W*$/, "")])).not.toEqual([last]);
});

describe("readSpans equals trying every span", () => {
  it.each([1, 2, 5, 31, 90])("of %i tokens", (n) => {
    const below = seeded(n);
    const logits = Float32Array.from({ length: 2 * n }, () => below(1_000) / 100);
    const spans: { first: number; last: number; score: number }[] = [];
    for (let first = 0; first < n; first++)
      for (let last = first; last < Math.min(n, first + READER_ANSWER_TOKENS_MAX); last++)
        spans.push({ first, last, score: logits[2 * first]! + logits[2 * last + 1]! });
    const found = readSpans(logits);
    const sum = spans.reduce((total, { score }) => total + Math.exp(score), 0);
    expect(found.logSum).toBeCloseTo(Math.log(sum), 9);
    spans.sort((a, b) => b.score - a.score || a.first - b.first || a.last - b.last);
    expect(found.spans).toEqual(spans.slice(0, READER_SPANS_MAX));
    for (const [column, entropy] of [found.startEntropy, found.endEntropy].entries()) {
      const weights = Array.from({ length: n }, (_, i) => Math.exp(logits[2 * i + column]!));
      const total = weights.reduce((a, b) => a + b);
      const expected = weights.reduce((e, w) => e - (w / total) * Math.log(w / total), 0);
      expect(entropy).toBeCloseTo(expected, 9);
    }
  });
});

it("a reader whose token embeddings are another encoder's is refused", async () => {
  const { SpanReader } = await import("../../src/model/reader.ts");
  const stranger = { ...encoder, tokens: { ...encoder.tokens, sha256: "0".repeat(64) } };
  const fresh = newKernels();
  const before = fresh.bytesUsed;
  const load = SpanReader.load(fresh, streamOf(modelBytes("reader")), stranger as Encoder);
  await expect(load).rejects.toThrow(/shares token embeddings with SHA-256 [0-9a-f]{64}/);
  expect(fresh.bytesUsed).toBe(before);
});

it("a reader that knows fewer positions than a row has is refused", async () => {
  const { SpanReader } = await import("../../src/model/reader.ts");
  const bytes = Buffer.from(modelBytes("reader"));
  const key = "bert.context_length";
  bytes.writeUInt32LE(READER_TOKENS_MAX - 1, bytes.indexOf(key) + key.length + 4);
  const load = SpanReader.load(newKernels(), streamOf(Uint8Array.from(bytes)), encoder);
  await expect(load).rejects.toThrow("bert.context_length is 383, not an integer between 384");
});
