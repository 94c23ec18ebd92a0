/** Schemas that are combined of others: what both ask for, and what tells alternatives apart. */
import { expect, it } from "vitest";
import { grammarOf } from "../../src/generation/grammar.ts";
import { bothOf, type Json, type Schema } from "../../src/generation/schema-shape.ts";
import { acceptor, formatOf } from "./schemas.ts";

const range = <T>(n: number, of: (i: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => of(i));

it("the same schemas are one, however they came together", () => {
  const [a, b, c]: Schema[] = [{ type: "object" }, { minProperties: 1 }, { maxProperties: 9 }];
  const both = bothOf(a!, b!);
  expect(both).toEqual({ allOf: [a, b] });
  for (const same of [bothOf(b!, a!), bothOf(both, a!), bothOf(both, both), bothOf(true, both)])
    expect(same).toBe(both);
  const all = bothOf(both, c!);
  expect(bothOf(a!, bothOf(c!, b!))).toBe(all);
  expect(bothOf(all, both)).toBe(all);
  expect(bothOf(all, false)).toBe(false);
});

it("a recursive schema may be another recursive one and more", () => {
  const node = (name: string, more: Json = {}): Json => ({
    properties: {
      children: { type: "array", items: { $ref: `#/$defs/${name}` } },
      ...(more as object),
    },
  });
  const isAnswer = acceptor({
    $ref: "#/$defs/sized",
    $defs: {
      base: { type: "object", ...(node("base", { name: { type: "string" } }) as object) },
      sized: {
        allOf: [{ $ref: "#/$defs/base" }, node("sized", { size: { type: "integer" } })],
        required: ["size"],
        additionalProperties: true,
      },
    },
  });
  const leaf = { children: [], name: "b", size: 2 };
  const tree = { children: [{ children: [leaf], name: "a", size: 1 }], name: "c", size: 3 };
  expect(isAnswer(JSON.stringify(tree))).toBe(true);
  expect(
    isAnswer(JSON.stringify({ children: [{ children: [{ name: "b" }], size: 1 }], size: 3 })),
  ).toBe(false);
  expect(
    isAnswer(JSON.stringify({ children: [{ children: [leaf], name: 1, size: 1 }], size: 3 })),
  ).toBe(false);
});

it.each<[string, Json]>([
  [
    "long enums of one oneOf",
    { oneOf: range(400, (i) => ({ enum: range(200, (j) => `${i} ${j}`) })) },
  ],
  [
    "a large object that many alternatives are and more",
    {
      $defs: {
        large: { properties: Object.fromEntries(range(990, (i) => [`p${i}`, { minimum: 0 }])) },
      },
      anyOf: range(1_000, (i) => ({ $ref: "#/$defs/large", required: [`p${i}`] })),
    },
  ],
])("work is bounded: %s", (_, schema) => {
  expect(() => grammarOf(formatOf(schema))).toThrow(
    expect.objectContaining({
      code: "unsupported_parameter",
      message: expect.stringMatching(/combinations and patterns take more than 32000000 steps/),
    }),
  );
});

it("a thousand alternatives that a property tells apart are compared within it", () => {
  const kind = (i: number): Json => ({
    ...{ type: "object", required: ["kind"] },
    properties: { kind: { const: i }, value: { type: "integer" } },
  });
  const isAnswer = acceptor({ oneOf: range(1_000, kind) });
  expect(isAnswer('{"kind":999,"value":1}')).toBe(true);
});
