/** Constrained decoding: whatever a model wants to say, its answer is valid against the schema. */
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { Automaton } from "../../src/generation/automaton.ts";
import { Generator } from "../../src/generation/generator.ts";
import { type Grammar, grammarOf } from "../../src/generation/grammar.ts";
import type { Json } from "../../src/generation/schema-shape.ts";
import { DEAD, type Terminal } from "../../src/generation/terminal.ts";
import { GRAMMAR_STATES_MAX } from "../../src/limits.ts";
import { FakeModel, fakeTokenizer, hash, sayer } from "./fake-model.ts";
import { accepts, formatOf, REAL_SCHEMAS, randomSchema } from "./schemas.ts";

const tokenizer = fakeTokenizer(
  [
    ...['{"', '":', '": "', '", "', '"}', "]}", "},", "}, {", "[[", "]]", "[{", "{}", "[]", '""'],
    ...'true false null true, \n \n  ,\n \t  ab abc de the é ü 🙂 \\n \\" \\\\ \\u00'.split(" "),
    ...[
      "12",
      "0.",
      "00",
      "-1",
      "1.5",
      "e",
      "2024-",
      "-0",
      "10:",
      ".com",
      "http",
      "x1",
      "  ",
      "\n\n",
    ],
    ...['{"id": ', '","name":"', '"kind":', ': {"', ",1", "1,", '"]', '",', "    ", '"x'],
  ].filter((word) => word !== ""),
);

/** What models want: noise, and noise that strongly prefers some texts. */
const WISHES = [
  /^$/,
  /[{[]/,
  /^\s+$/,
  /^[a-z ]+$/,
  /^[-\d.]+$/,
  /[}\]]|<end>/,
  /"/,
  /[\u0080-\uffff\\]/,
];

function wishful(seed: number): FakeModel {
  const wish = WISHES[seed % WISHES.length]!;
  const wished = Array.from({ length: tokenizer.vocab_size }, (_, id) =>
    wish.test(id === tokenizer.end ? "<end>" : tokenizer.decode([id])) ? 6 : 0,
  );
  return new FakeModel(tokenizer.vocab_size, 4_096, (ids) => {
    const context = hash(seed, ids.length);
    return Float32Array.from(wished, (bonus, id) => bonus + (hash(context, id) / 2 ** 32) * 8);
  });
}

const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9 });
// The package's types describe its CommonJS form.
(addFormats as unknown as (target: Ajv2020) => void)(ajv);

async function answer(seed: number, grammar: Grammar | null, max_tokens: number) {
  const generator = new Generator(wishful(seed), tokenizer);
  const sampling = { temperature: seed % 3 === 0 ? 0 : 1, seed, top_k: seed % 5 === 0 ? 5 : 0 };
  let text = "";
  let finish = null;
  const pieces = generator.generate({ prompt: [1], scope: "", sampling, max_tokens, grammar });
  for await (const piece of pieces) {
    text += piece.text;
    finish = piece.finish_reason;
  }
  return { text, finish };
}

const RANDOM_SCHEMAS = 240;
const schemas = [
  ...REAL_SCHEMAS,
  ...Array.from({ length: RANDOM_SCHEMAS }, (_, i) => randomSchema(i + 1)),
];

describe("answers", () => {
  it("are valid against each of 251 schemas, whatever the model wants", async () => {
    const finishes = { stop: 0, length: 0 };
    for (const [i, schema] of schemas.entries()) {
      const valid = ajv.compile(schema);
      const grammar = grammarOf(formatOf(schema))!;
      const { fewest } = grammar.automaton.start;
      for (let round = 0; round < 3; round++) {
        const seed = i * 3 + round;
        // From the least that can hold an answer to what ends by itself, mostly.
        const max_tokens = fewest + (round === 0 ? 0 : round === 1 ? hash(seed) % 40 : 150);
        const { text, finish } = await answer(seed, grammar, max_tokens);
        const told = `schema ${i} ${JSON.stringify(schema)}, seed ${seed}: ${text}`;
        let value: unknown;
        expect(() => (value = JSON.parse(text)), told).not.toThrow();
        expect(valid(value), told).toBe(true);
        finishes[finish!]++;
      }
    }
    expect(finishes.stop).toBeGreaterThan(150);
    expect(finishes.length).toBeGreaterThan(50);
  }, 60_000);

  it("that max_tokens cannot hold are cut, and say so", async () => {
    const schema = {
      type: "object",
      properties: { long: { const: "x".repeat(50) } },
      required: ["long"],
    };
    const { text, finish } = await answer(1, grammarOf(formatOf(schema)), 20);
    expect(finish).toBe("length");
    expect(
      '{"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'.startsWith(text.replace(/\s/g, "").slice(0, 9)),
    ).toBe(true);
  });

  it("that are complete end where max_tokens cannot hold a longer one", async () => {
    const model = new FakeModel(tokenizer.vocab_size, 64, sayer(tokenizer, 1, "12.5"));
    const grammar = grammarOf(formatOf({ enum: [1, 12.5] }));
    const request = { prompt: [1], scope: "", sampling: { temperature: 0 }, grammar };
    const ends = [];
    for (const max_tokens of [2, 3, 5]) {
      let text = "";
      for await (const piece of new Generator(model, tokenizer).generate({
        ...request,
        max_tokens,
      }))
        text += piece.finish_reason === null ? piece.text : `${piece.text} ${piece.finish_reason}`;
      ends.push(text);
    }
    expect(ends).toEqual(["1 length", "1 length", "12.5 stop"]);
  });

  it("of json_object are objects", async () => {
    for (let seed = 0; seed < 24; seed++) {
      const { text } = await answer(seed, grammarOf({ type: "json_object" }), 60);
      expect(JSON.parse(text)).toBeTypeOf("object");
      expect(text).toMatch(/^\{/);
    }
  });

  it("in strict mode have no property that the schema does not name", async () => {
    const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
    for (let seed = 0; seed < 8; seed++) {
      const { text } = await answer(seed, grammarOf(formatOf(schema, true)), 80);
      expect(Object.keys(JSON.parse(text))).toEqual(["a"]);
    }
  });

  it("are the same with speculation and without", async () => {
    for (let seed = 0; seed < 6; seed++) {
      const texts: string[] = [];
      for (const speculate of [true, false]) {
        const generator = new Generator(wishful(seed), tokenizer);
        const grammar = generator.grammar(formatOf(REAL_SCHEMAS[1]!));
        const request = { prompt: [1], scope: "", sampling: { seed }, max_tokens: 120 };
        let text = "";
        for await (const piece of generator.generate({ ...request, grammar, speculate }))
          text += piece.text;
        texts.push(text);
      }
      expect(texts[0]).toBe(texts[1]);
    }
  });
});

const OPERAND: Json = { anyOf: [{ $ref: "#/$defs/e" }, { type: "null" }] };
const operation = (required: string, l: Json, op: Json): Json => ({
  type: "object",
  properties: { l, op: { const: op } },
  required: required.split(" "),
});
const operations = (required: string, l = OPERAND): Json => ({
  $ref: "#/$defs/e",
  $defs: { e: { oneOf: ["+", "-"].map((op) => operation(required, l, op)) } },
});

describe("the texts of a schema", () => {
  it("are not narrower than what models write", () => {
    const schema = REAL_SCHEMAS[5]!;
    const value = { sku: "ABC-0001", price: 12.5, quantity: 3, rating: null, labels: { a: "é\n" } };
    for (const indent of [0, 1, 2, 4, "\t"])
      expect(accepts(schema, JSON.stringify(value, null, indent)), String(indent)).toBe(true);
    expect(
      accepts(schema, '{"sku": "ABC-0001", "price": 0.07, "quantity": 99, "x": [1, {}]}'),
    ).toBe(true);
    expect(accepts({}, '[1, -2.5, "a\\"\\\\\\u0007", {"deep": [[[]]]}, true, null]')).toBe(true);
    expect(accepts({ type: "string", pattern: "b+" }, '"aabbc"')).toBe(true);
    expect(accepts({ type: "integer", minimum: -5, maximum: 120 }, "-5")).toBe(true);
    expect(accepts({ type: "number", exclusiveMinimum: 0.1 }, "0.11")).toBe(true);
    expect(accepts({ allOf: [{ minimum: 3 }, { type: ["integer", "string"] }] }, "3")).toBe(true);
    expect(accepts({ $ref: "#/$defs/5%25", $defs: { "5%": { type: "null" } } }, "null")).toBe(true);
  });

  it("are of those alternatives that a text can satisfy", () => {
    const impossible = { type: "string", minLength: 3, maxLength: 2 };
    const { automaton } = grammarOf(formatOf({ anyOf: [impossible, { type: "null" }] }))!;
    expect(automaton.step(automaton.start, 0x22)).toBe(null);
    expect(automaton.start.fewest).toBe("null".length);
    const optional = { type: "object", properties: { a: impossible, b: { type: "null" } } };
    expect(accepts(optional, '{"b": null}')).toBe(true);
    expect(accepts(optional, '{"a": "')).toBe(false);
  });

  it("may be of a oneOf whose alternatives differ in the types of their values", () => {
    const schema: Json = { oneOf: [{ const: "auto" }, { enum: [1, null] }, { type: "object" }] };
    for (const text of ['"auto"', "1", "null", "{}"])
      expect(accepts(schema, text), text).toBe(true);
    for (const text of ['"a"', "2", "["]) expect(accepts(schema, text), text).toBe(false);
    const kind = (k: Json): Json => ({ type: "object", properties: { k }, required: ["k"] });
    const kinds = { oneOf: [kind({ const: "a" }), kind({ type: "number" })] };
    expect(accepts(kinds, '{"k": 7}')).toBe(true);
  });

  it.each(["op l", "l op"])("may be of a recursive oneOf that requires %s", (required) => {
    expect(accepts(operations(required), '{"l": {"l": null, "op": "-"}, "op": "+"}')).toBe(true);
    // What tells these apart is whether they lead back.
    const inner = [OPERAND, { type: "integer" }].map((l) => operation(required, l, 0));
    const schema = operations(required, { oneOf: inner });
    expect(accepts(schema, '{"l": {"l": 7, "op": 0}, "op": "+"}')).toBe(true);
    expect(accepts(schema, '{"l": 7')).toBe(false);
  });

  it("may be of a pattern that counts hundreds of characters, however those are written", () => {
    const schema = { type: "string", pattern: "^.{2,500}$" };
    for (const one of [
      "a",
      '"',
      "\u0007",
      "é",
      "\u0800",
      "\ud7ff",
      "€",
      "\uffff",
      "😀",
      "\u{10ffff}",
    ])
      for (const [length, within] of [
        [1, false],
        [2, true],
        [500, true],
        [501, false],
      ] as const)
        expect(accepts(schema, JSON.stringify(one.repeat(length))), `${one} ${length}`).toBe(
          within,
        );
    for (const text of ['"a\\nb"', '"ab\u2028"', '"a'])
      expect(accepts(schema, text), text).toBe(false);
    const marked = { type: "string", pattern: "^[^<>\\n]{10,300}\\.$" };
    expect(accepts(marked, JSON.stringify(`${"ab".repeat(150)}.`))).toBe(true);
    expect(accepts(marked, JSON.stringify(`${"ab".repeat(150)}.`.replace("ba", "b<")))).toBe(false);
  });

  it("are JSON: no padding, no control characters, no bytes that are not UTF-8", () => {
    for (const text of ["1 ", " 1", "[1,  2]", '["\n"]', '"\\x"', "01", "1.", ".5", "+1", "[1,]"])
      expect(accepts({}, text), text).toBe(false);
    const { automaton } = grammarOf(formatOf({ type: "string" }))!;
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0], [0xf4, 0x90], [0xe0, 0x80], [0x80]]) {
      let state: typeof automaton.start | null = automaton.step(automaton.start, 0x22);
      for (const byte of bytes) state = state && automaton.step(state, byte);
      expect(state, String(bytes)).toBe(null);
    }
  });
});

/** Each asks for another property of all code points. */
function manyPatterns(n: number): Json {
  const scripts = "Thai Lao Han Greek Latin Cyrillic Arabic Hebrew".split(" ");
  const properties = Array.from({ length: n }, (_, i): [string, Json] => {
    const script = scripts[i % scripts.length]!;
    return [`p${i}`, { type: "string", pattern: `^\\p{Script=${script}}${"a".repeat(i)}$` }];
  });
  return { type: "object", properties: Object.fromEntries(properties) };
}

it("an automaton keeps so many states, then drops them and goes on from where it is", () => {
  const length = GRAMMAR_STATES_MAX + 50;
  const long: Terminal = {
    start: 0,
    step: (state) => (state < length ? state + 1 : DEAD),
    accepts: (state) => state === length,
    distance: (state) => length - state,
  };
  const automaton = new Automaton(long);
  const first = automaton.step(automaton.start, 97)!;
  let state = first;
  // With its start the automaton then has all that it keeps.
  for (let n = 2; n < GRAMMAR_STATES_MAX; n++) state = automaton.step(state, 97)!;
  expect(automaton.step(automaton.start, 97)).toBe(first);
  state = automaton.step(state, 97)!;
  expect(automaton.start.after[97]).toBeUndefined();
  expect(automaton.step(automaton.start, 97)).not.toBe(first);
  for (; !state.complete; state = automaton.step(state, 97)!)
    expect(state.fewest).toBeGreaterThan(0);
  expect(automaton.step(state, 97)).toBeNull();
});

describe("a schema that cannot be held to is refused, by place and keyword", () => {
  const refused: [Json, RegExp][] = [
    [{ not: { type: "string" } }, /keyword not /],
    [{ type: "object", properties: { a: { if: {} } } }, /properties\.a: the keyword if/],
    [{ type: "array", uniqueItems: true }, /uniqueItems/],
    [{ type: "string", pattern: "(?=a)b" }, /pattern/],
    [{ type: "string", pattern: "(a)\\1" }, /\\1/],
    [{ type: "string", pattern: "\\bword" }, /\\b/],
    [{ type: "string", pattern: "^a$b" }, /b at character 4/],
    [{ type: "string", pattern: "\\u{110000}" }, /110000/],
    [{ type: "string", pattern: "(".repeat(200_000) }, /a group in more than 64 others/],
    [{ type: "string", pattern: "(a?){300}a{300}" }, /takes more than 32000000 steps/],
    [manyPatterns(40), /patterns take more than 32000000 steps/],
    [{ type: "string", format: "iri" }, /format iri/],
    [{ type: "string", pattern: "^a$", minLength: 2 }, /no value/],
    [{ type: "integer", minimum: 3, maximum: 2 }, /no value/],
    [{ type: "string", minLength: 3, maxLength: 2 }, /no value/],
    [{ type: "string", allOf: [{ minLength: 3 }, { maxLength: 2 }] }, /no value/],
    [{ type: "string", minLength: 3, maxLength: 2, pattern: "^a*$" }, /no value/],
    [{ type: "object", required: ["a"], additionalProperties: false }, /no value/],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, /oneOf/],
    [{ oneOf: [{ const: 1 }, { type: "integer" }] }, /oneOf/],
    [operations("l"), /defs\/e: alternatives of oneOf may overlap/],
    [{ $ref: "#/$defs/none" }, /points to nothing/],
    [
      { properties: { a: { $ref: "#/$defs/5%" } }, $defs: { "5%": {} } },
      /properties\.a: \$ref #\/\$defs\/5% has a % that encodes nothing/,
    ],
    [{ $ref: "https://example.com/schema" }, /does not point into the schema/],
    [{ $ref: "#" }, /leads back to itself/],
    [
      {
        $defs: { n: { properties: { n: { $ref: "#/$defs/n" } }, required: ["n"], type: "object" } },
        $ref: "#/$defs/n",
      },
      /no value/,
    ],
    [{ type: "text" }, /type text/],
    [{ type: "array", minItems: 1e9 }, /minItems/],
    [{ type: "string", pattern: "^(a|b)*a(a|b){20}$" }, /states/],
    [{ type: "integer", multipleOf: 1_000_003 }, /states/],
  ];

  it.each(refused)("%j", (schema, message) => {
    expect(() => grammarOf(formatOf(schema))).toThrow(
      expect.objectContaining({
        code: "unsupported_parameter",
        param: "response_format",
        message: expect.stringMatching(message),
      }),
    );
  });

  it("and what is no response_format is invalid", () => {
    for (const format of [null, "json", { type: "xml" }, { type: "json_schema" }])
      expect(() => grammarOf(format)).toThrow(expect.objectContaining({ code: "invalid_request" }));
    expect(grammarOf({ type: "text" })).toBe(null);
  });

  it("stop strings with a grammar are refused", async () => {
    const generator = new Generator(wishful(1), tokenizer);
    const grammar = generator.grammar({ type: "json_object" });
    const pieces = generator.generate({ prompt: [1], scope: "", grammar, stop: ["}"] });
    await expect(pieces.next()).rejects.toMatchObject({
      code: "unsupported_parameter",
      param: "stop",
    });
  });
});
