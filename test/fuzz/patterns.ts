/** Regular expressions that a request's JSON schema brings: refused, or an automaton that takes
 *  the texts that JavaScript's own engine takes. */
import { matches, patternOf } from "../../src/generation/schema-shape.ts";
import type { Random } from "./random.ts";
import { must, refusalOf, type Target } from "./target.ts";

const ATOMS = [
  ...[
    "a",
    "b",
    "é",
    "😀",
    ".",
    "\\d",
    "\\w",
    "\\s",
    "\\D",
    "\\.",
    "\\n",
    "\\u{1f600}",
    "\\x61",
    "\\t",
  ],
  ...["[ab]", "[^a]", "[a-c]", "[\\d-]", "[^\\s\\d]", "[-a]", "\\/", "\\-", "[\\]]"],
];
const ODD = [
  ...[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "*",
    "+",
    "?",
    "|",
    "^",
    "$",
    "\\",
    "\\b",
    "\\1",
    "(?=a)",
    "(?<n>a)",
  ],
  ...[
    "(?!a)",
    "{2}",
    "{3,1}",
    "{,2}",
    "[b-a]",
    "\\p{L}",
    "\\p{x}",
    "\\u{110000}",
    "\\u00",
    "\\k<n>",
  ],
  ...["(?i:a)", "(?<=a)", "\\cA", "\\0", "\\00", "[^]", "[]", "a{1000}", "a{1001}"],
];
const TEXTS = [
  "",
  "a",
  "b",
  "ab",
  "aab",
  "é",
  "😀",
  "1",
  "a1",
  " ",
  "\n",
  "a\nb",
  "c-",
  "]",
  "/",
  ".",
  "aaaa",
];

function someRegex(random: Random, depth: number): string {
  const part = () => someRegex(random, depth + 1);
  const kind = depth > 3 ? 0 : random.below(6);
  if (kind < 2) return random.pick(ATOMS);
  if (kind === 2) return `(?:${part()}|${part()})`;
  if (kind === 3)
    return `(${part()})${random.pick(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", ""])}`;
  return part() + part();
}

/** What would make a reader recurse, or an automaton grow. */
function bomb(random: Random): string {
  const n = random.pick([50, 1_000, 100_000]);
  const times = random.pick(["{9}", "{99}", "{1000}", "*", "+"]);
  return random.pick([
    "(".repeat(n),
    `${"(".repeat(n)}a${")".repeat(n)}`,
    `${"(?:".repeat(n)}a${")*".repeat(n)}`,
    `(a|b)*a${"(a|b)".repeat(Math.min(n, 1_000))}`,
    `(${"a?".repeat(n)}a)${times}`,
    `((((a${times})${times})${times})${times})`,
    "\\p{L}".repeat(Math.min(n, 1_000)),
    `(${"a|".repeat(n)}b)`,
    `[${"a-z".repeat(n)}]`,
  ]);
}

/** Null: it is a pattern only without the u flag, as one with \- or a lone ] is, which schemas have
 *  and which are taken. Throws for what is none with or without. */
function ownOf(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern, "u");
  } catch {
    new RegExp(pattern);
    return null;
  }
}

export const patterns: Target = {
  name: "patterns",
  about: "patterns of JSON schemas: refused, or what JavaScript's own engine says of texts",
  cases: 5_000,
  short: 150,
  ends: ["agrees", "bomb taken", "unsupported_parameter"],
  prepare: () => (random, show) => {
    const kind = random.below(12);
    const plain = someRegex(random, 0);
    const anchored = random.pick(["", "^"]) + plain + random.pick(["", "$"]);
    const at = random.below(anchored.length + 1);
    const odd = anchored.slice(0, at) + random.pick(ODD) + anchored.slice(at);
    const pattern = kind === 0 ? bomb(random) : kind < 8 ? anchored : odd;
    show(pattern);
    let read: ReturnType<typeof patternOf>;
    try {
      read = patternOf([pattern], "the schema");
    } catch (error) {
      return refusalOf(error);
    }
    if (kind === 0) return "bomb taken";
    const own = ownOf(pattern);
    if (own === null) return "agrees";
    for (let i = 0; i < 8; i++) {
      const text = random.joined(TEXTS, 3);
      must(matches(read, text) === own.test(text), `${JSON.stringify(text)} is told of wrongly`);
    }
    return "agrees";
  },
};
