/** Members of objects and items of arrays: which ones a text may have, and how many. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it } from "vitest";
import { grammarOf } from "../../src/generation/grammar.ts";
import type { Json } from "../../src/generation/schema-shape.ts";
import { acceptor, accepts, formatOf } from "./schemas.ts";

const ajv = new Ajv2020({ strict: false });
const NAMES = ["a", "b", "c", "d"];
/** Every object of these names, in their order. */
const objects = Array.from({ length: 2 ** NAMES.length }, (_, bits) =>
  Object.fromEntries(NAMES.filter((_, i) => bits & (1 << i)).map((name) => [name, 1])),
);

const properties = (names: readonly string[], schema: Json = { type: "integer" }) =>
  Object.fromEntries(names.map((name) => [name, schema]));
const many = (n: number) => Array.from({ length: n }, (_, i) => `p${i}`);

it.each([[[]], [["a"]], [["b", "c"]], [["d"]]])(
  "of an object that requires %j are those of the definition",
  (required) => {
    for (const minProperties of [0, 1, 2, 3, 4])
      for (const maxProperties of [0, 1, 2, 3, 4, 9]) {
        const counts = { minProperties, maxProperties };
        const schema = {
          ...{ type: "object", properties: properties(NAMES), additionalProperties: false },
          ...{ required, ...counts },
        };
        const valid = ajv.compile(schema);
        const texts = objects.filter((object) => valid(object)).map((one) => JSON.stringify(one));
        const told = JSON.stringify(counts);
        if (texts.length === 0) {
          expect(() => grammarOf(formatOf(schema)), told).toThrow(/no value/);
          continue;
        }
        const isAnswer = acceptor(schema);
        const accepted = objects.map((one) => JSON.stringify(one)).filter(isAnswer);
        expect(accepted, told).toEqual(texts);
        const fewest = Math.min(...texts.map((text) => text.length));
        expect(grammarOf(formatOf(schema))!.automaton.start.fewest, told).toBe(fewest);
      }
  },
);

it("others come after those that are named, and count towards the most only", () => {
  const schema = {
    ...{ type: "object", properties: properties(["a", "b"]), minProperties: 1, maxProperties: 2 },
    additionalProperties: { type: "null" },
  };
  const isAnswer = acceptor(schema);
  for (const text of ['{"a":1}', '{"b":1,"x":null}', '{"a":1,"b":2}'])
    expect(isAnswer(text), text).toBe(true);
  for (const text of ['{"x":null}', '{"x":null,"a":1}', '{"a":1,"b":2,"x":null}', "{}"])
    expect(isAnswer(text), text).toBe(false);
});

it("a thousand optional ones are a grammar that grows with their number alone", () => {
  const names = many(999);
  const schema = { type: "object", properties: properties(names), additionalProperties: false };
  const some = names.filter((_, i) => i % 7 === 3);
  expect(accepts(schema, JSON.stringify(properties(some, 1)))).toBe(true);
  expect(accepts(schema, JSON.stringify(properties(some.toReversed(), 1)))).toBe(false);
  expect(accepts({ ...schema, minProperties: 2 }, '{"p5":1, "p998": 2}')).toBe(true);
});

it("what would take too many alternatives is refused", () => {
  const half = { properties: properties(many(300)), minProperties: 150 };
  const schema = { type: "object", ...half, additionalProperties: false };
  expect(() => grammarOf(formatOf(schema))).toThrow(
    expect.objectContaining({
      code: "unsupported_parameter",
      message: expect.stringMatching(/^the schema: takes a grammar of more than 16384 alternat/),
    }),
  );
});

it("arrays of a thousand items nest as deep as there are alternatives for", () => {
  const nested = (depth: number): Json => {
    let schema: Json = { type: "null" };
    for (let i = 0; i < depth; i++) {
      const prefixItems: Json[] = [...Array<Json>(999).fill(true), schema];
      schema = { type: "array", minItems: 1_000, maxItems: 1_000, prefixItems };
    }
    return schema;
  };
  const { start } = grammarOf(formatOf(nested(10)))!.automaton;
  expect(start.fewest).toBe("null".length + 10 * ("[]".length + 999 * "0,".length));
  expect(() => grammarOf(formatOf(nested(20)))).toThrow(/alternatives/);
});
