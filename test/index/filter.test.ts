import fc from "fast-check";
import { expect, it } from "vitest";
import { compareCodePoints, explainFilter, matches, parseFilter } from "../../index/filter.ts";
import { codeOf } from "../../src/errors.ts";
import { FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX } from "../../src/limits.ts";

const metadata = {
  lang: "en",
  year: 2024,
  draft: false,
  owner: null,
  tags: ["law", "lease"],
  and: "a field of that name",
};

const PASSES: [string, unknown][] = [
  ["{field: value}", { lang: "en" }],
  ["several fields, all of them", { lang: "en", year: 2024 }],
  ["eq", { year: { eq: 2024 } }],
  ["eq null on a null", { owner: null }],
  ["eq on an element of a list", { tags: "lease" }],
  ["ne", { lang: { ne: "de" } }],
  ["ne on a missing field", { missing: { ne: 1 } }],
  ["in", { lang: { in: ["de", "en"] } }],
  ["nin", { tags: { nin: ["tax"] } }],
  ["gt and lte together", { year: { gt: 2023, lte: 2024 } }],
  ["gte and lt on strings", { lang: { gte: "en", lt: "eo" } }],
  ["prefix", { lang: { prefix: "e" } }],
  ["prefix on an element of a list", { tags: { prefix: "lea" } }],
  ["exists", { owner: { exists: true } }],
  ["exists: false", { missing: { exists: false } }],
  ["and", { and: [{ lang: "en" }, { year: 2024 }] }],
  ["and of nothing", { and: [] }],
  ["or", { or: [{ lang: "de" }, { year: 2024 }] }],
  ["not", { not: { lang: "de" } }],
  ["nothing at all", {}],
];

const FAILS: [string, unknown][] = [
  ["another value", { lang: "de" }],
  ["a value of another type", { year: "2024" }],
  ["null on a missing field", { missing: null }],
  ["ne on an equal element of a list", { tags: { ne: "law" } }],
  ["nin with one element in", { tags: { nin: ["law"] } }],
  ["order across types", { year: { gt: "2000" } }],
  ["order on a boolean", { draft: { lt: 1 } }],
  ["gt on an equal number", { year: { gt: 2024 } }],
  ["prefix on a number", { year: { prefix: "20" } }],
  ["or of nothing", { or: [] }],
  ["a field that only Object has", { toString: { exists: true } }],
];

it.each(PASSES)("passes: %s", (_, filter) => {
  expect(matches(parseFilter(filter), metadata)).toBe(true);
});

it.each(FAILS)("does not pass: %s", (_, filter) => {
  expect(matches(parseFilter(filter), metadata)).toBe(false);
});

const nested = (depth: number): unknown => (depth === 1 ? { a: 1 } : { not: nested(depth - 1) });
const many = (n: number) => ({ and: Array.from({ length: n - 1 }, () => ({ a: 1 })) });
const listOf = (n: number) => ({ a: { in: Array.from({ length: n }, (_, i) => i) } });

it("the bounds are reached and not passed", () => {
  for (const filter of [
    nested(FILTER_DEPTH_MAX),
    many(FILTER_NODES_MAX),
    listOf(FILTER_VALUES_MAX),
  ])
    expect(parseFilter(filter)).toBe(filter);
});

it.each([
  ["a string", "lang = en"],
  ["null", null],
  ["a list", [{ a: 1 }]],
  ["an unknown operator", { a: { like: "x" } }],
  ["an operator of Object's", { a: { constructor: 1 } }],
  ["no operator", { a: {} }],
  ["a list as a value", { a: [1] }],
  ["in without a list", { a: { in: 1 } }],
  ["gt with a boolean", { a: { gt: true } }],
  ["exists with a number", { a: { exists: 1 } }],
  ["prefix with a number", { a: { prefix: 1 } }],
  ["and beside a field", { and: [], a: 1 }],
  ["and without a list", { and: { a: 1 } }],
  ["not with a list", { not: [] }],
  ["too many levels", nested(FILTER_DEPTH_MAX + 1)],
  ["too many conditions", many(FILTER_NODES_MAX + 1)],
  ["too many empty conditions", { or: Array.from({ length: FILTER_NODES_MAX }, () => ({})) }],
  ["too many values", listOf(FILTER_VALUES_MAX + 1)],
])("refuses %s as invalid_request", (_, filter) => {
  try {
    parseFilter(filter);
    expect.unreachable();
  } catch (error) {
    expect(codeOf(error)).toBe("invalid_request");
    expect(error).toMatchObject({ param: "filter" });
  }
});

it("strings order by code point, as SQLite orders them", () => {
  const utf8 = (text: string) => Buffer.from(text);
  const texts = fc.string({ unit: "grapheme", maxLength: 6 });
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(utf8(a), utf8(b)));
    }),
    { seed: 20261124, numRuns: 2_000 },
  );
  expect("\u{1f600}" < "\uffee").toBe(true);
  expect(matches({ a: { gt: "\uffee" } }, { a: "\u{1f600}" })).toBe(true);
});

it("an explanation names every condition with the document's value", () => {
  const filter = parseFilter({
    and: [{ lang: "de", year: { gte: 2020, lt: 2030 } }, { not: { missing: { in: [1] } } }],
  });
  expect(explainFilter(filter, metadata)).toEqual([
    { field: "lang", operator: "eq", operand: "de", value: "en", present: true, passed: false },
    { field: "year", operator: "gte", operand: 2020, value: 2024, present: true, passed: true },
    { field: "year", operator: "lt", operand: 2030, value: 2024, present: true, passed: true },
    { field: "missing", operator: "in", operand: [1], value: null, present: false, passed: false },
  ]);
});
