/** Filters: refused with a place, or what a naive reading of the contract gives. */
import { explainFilter, type Filter, matches, parseFilter } from "../../index/filter.ts";
import { FILTER_DEPTH_MAX, FILTER_NODES_MAX } from "../../src/limits.ts";
import type { Random } from "./random.ts";
import { must, mustEqual, refusalOf, type Target } from "./target.ts";

const FIELDS = ["lang", "year", "tags", "constructor", "__proto__x", "é", "toString", ""];
const VALUES: readonly unknown[] = [
  ...["en", "de", "", "\u{1f600}", "\uffee", "2024", 2024, 2024.5, -1, 0, -0, true, false, null],
];
const ORDERS = ["gt", "gte", "lt", "lte"];

const value = (random: Random) => random.pick(VALUES);
const ordered = (random: Random) =>
  random.pick(VALUES.filter((one) => typeof one === "string" || typeof one === "number"));

function someTest(random: Random): unknown {
  if (random.once(4)) return value(random);
  const tests: [string, unknown][] = Array.from({ length: 1 + random.below(2) }, () => {
    const kind = random.below(6);
    if (kind === 0) return [random.pick(["eq", "ne"]), value(random)];
    if (kind === 1) return [random.pick(["in", "nin"]), random.some(4, () => value(random))];
    if (kind === 2) return ["exists", random.once(2)];
    if (kind === 3) return ["prefix", random.pick(["e", "", "20", "\u{1f600}"])];
    return [random.pick(ORDERS), ordered(random)];
  });
  return Object.fromEntries(tests);
}

function someFilter(random: Random, depth: number): unknown {
  const kind = depth >= FILTER_DEPTH_MAX - 1 ? 3 : random.below(6);
  const part = () => someFilter(random, depth + 1);
  if (kind === 0) return { and: random.some(3, part) };
  if (kind === 1) return { or: random.some(3, part) };
  if (kind === 2) return { not: part() };
  return Object.fromEntries(random.some(2, () => [random.pick(FIELDS), someTest(random)]));
}

const WRONG: readonly unknown[] = [
  ...[
    [],
    "x",
    null,
    1,
    { and: {} },
    { or: "x" },
    { not: [] },
    { a: {} },
    { a: [1] },
    { a: { like: 1 } },
  ],
  ...[{ a: { in: 1 } }, { a: { in: [[]] } }, { a: { gt: null } }, { a: { exists: 1 } }],
  ...[
    { and: [], a: 1 },
    { a: { constructor: 1 } },
    { a: { eq: Number.NaN } },
    { a: { __proto__: null } },
  ],
];

/** Something that is no filter, somewhere in one. */
function spoilt(random: Random): unknown {
  const wrong = random.once(4) ? tooMuch(random) : random.pick(WRONG);
  const other = someFilter(random, FILTER_DEPTH_MAX - 2);
  return random.pick([wrong, { and: [other, wrong] }, { not: wrong }, { or: [wrong, other] }]);
}

function tooMuch(random: Random): unknown {
  const many = FILTER_NODES_MAX + random.below(9_000);
  if (random.once(2)) return { or: Array.from({ length: many }, () => ({ a: 1 })) };
  let deep: unknown = { a: 1 };
  for (let i = 0; i < many; i++) deep = { not: deep };
  return deep;
}

const someMetadata = (random: Random) =>
  Object.fromEntries(
    FIELDS.filter(() => random.once(2)).map((field) => {
      return [field, random.once(3) ? random.some(3, () => value(random)) : value(random)];
    }),
  );

/** The contract's words, by sets and by UTF-8's bytes. */
function naively(filter: unknown, metadata: Record<string, unknown>): boolean {
  const entries = Object.entries(filter as Record<string, unknown>);
  return entries.every(([key, part]) => {
    if (key === "and") return (part as unknown[]).every((one) => naively(one, metadata));
    if (key === "or") return (part as unknown[]).some((one) => naively(one, metadata));
    if (key === "not") return !naively(part, metadata);
    const present = Object.keys(metadata).includes(key);
    const held = [present ? metadata[key] : []].flat();
    const tests = typeof part === "object" && part !== null ? part : { eq: part };
    return Object.entries(tests).every(([operator, operand]) => {
      if (operator === "exists") return present === operand;
      const any = (holds: (one: unknown) => boolean) => held.some(holds);
      if (operator === "eq") return any((one) => one === operand);
      if (operator === "ne") return !any((one) => one === operand);
      if (operator === "in") return any((one) => operand.some((x: unknown) => x === one));
      if (operator === "nin") return !any((one) => operand.some((x: unknown) => x === one));
      if (operator === "prefix")
        return any((one) => typeof one === "string" && one.indexOf(operand) === 0);
      return any((one) => typeof one === typeof operand && ORDER[operator]!(order(one, operand)));
    });
  });
}

const ORDER: Record<string, (sign: number) => boolean> = {
  gt: (sign) => sign > 0,
  gte: (sign) => sign >= 0,
  lt: (sign) => sign < 0,
  lte: (sign) => sign <= 0,
};

function order(a: unknown, b: unknown): number {
  if (typeof a === "number") return a - (b as number);
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return Number.NaN; // booleans and null have no order
}

export const filters: Target = {
  name: "filters",
  about: "filters of metadata: refused, or as a naive reading of the contract",
  cases: 100_000,
  short: 1_500,
  ends: ["passes", "does not pass", "invalid_request"],
  prepare: () => (random, show) => {
    const wrong = random.once(3);
    const input = wrong ? spoilt(random) : someFilter(random, 1);
    show(wrong ? "a spoilt filter" : input);
    let filter: Filter;
    try {
      filter = parseFilter(input);
    } catch (error) {
      must(wrong || JSON.stringify(input).length > 1_000, `a filter was refused: ${error}`);
      mustEqual((error as { param?: unknown }).param, "filter", "the place");
      return refusalOf(error);
    }
    must(!wrong, "what is no filter was taken");
    const metadata = someMetadata(random);
    const passes = matches(filter, metadata);
    show([input, metadata]);
    mustEqual(passes, naively(input, metadata), "the filter");
    explainFilter(filter, metadata);
    return passes ? "passes" : "does not pass";
  },
};
