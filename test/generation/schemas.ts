/** JSON Schemas to generate for: a seeded generator, and schemas as applications write them. */
import { grammarOf } from "../../src/generation/grammar.ts";
import type { Json } from "../../src/generation/schema-shape.ts";
import { hash } from "./fake-model.ts";

type Fields = { [key: string]: Json };

const NAMES = ["id", "name", "a b", 'quo"te', "é", "n\\m", "x1", "total", "tags", ""];
const PATTERNS = [
  "^[a-z]+$",
  "\\d{3}-\\d{4}",
  "^(ab|c?d)+$",
  "x",
  '^[^"\\\\]{2,4}$',
  "^\\p{Lu}\\w*$",
];
const FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6"];

/** Random choices, each new one from the seed and how many came before. */
class Dice {
  private readonly seed: number;
  private count = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  below(n: number): number {
    return hash(this.seed, this.count++) % n;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** A schema that some value satisfies. */
export function randomSchema(seed: number): Fields {
  return schemaOf(new Dice(seed), 3);
}

function schemaOf(dice: Dice, depth: number): Fields {
  const scalars = [stringOf, stringOf, numberOf, integerOf, enumOf, plainOf];
  const nested = [objectOf, objectOf, objectOf, arrayOf, arrayOf, anyOf, allOf];
  return dice.of(depth > 0 ? [...scalars, ...nested, ...nested] : scalars)(dice, depth);
}

function plainOf(dice: Dice): Fields {
  return dice.of<Fields>([
    { type: "boolean" },
    { type: "null" },
    { type: ["string", "null"], maxLength: 3 },
    { type: ["integer", "boolean", "array"], maxItems: 2, minimum: 4 },
    {},
    { const: { b: [1, "x"], a: null } },
  ]);
}

function enumOf(dice: Dice): Fields {
  const values: Json[] = ["red", "re", "", 'q"', 1, -0.5, 1e21, true, null, ["a", 1], { k: "é" }];
  const from = dice.below(values.length);
  return { enum: values.slice(from, from + 1 + dice.below(4)) };
}

function stringOf(dice: Dice): Fields {
  const schema: Fields = { type: "string" };
  const kind = dice.below(4);
  if (kind === 0) schema.pattern = dice.of(PATTERNS);
  if (kind === 1) schema.format = dice.of([...FORMATS, "uuid", "uri"]);
  if (kind === 2) schema.minLength = dice.below(6);
  if (kind >= 2 && dice.chance(60)) schema.maxLength = 6 + dice.below(20);
  if (kind === 0 && dice.chance(40)) schema.maxLength = 12;
  return schema;
}

function numberOf(dice: Dice): Fields {
  const low = (dice.below(4_000) - 2_000) / dice.of([1, 8, 100]);
  const schema: Fields = { type: "number" };
  if (dice.chance(50)) schema[dice.of(["minimum", "exclusiveMinimum"])] = low;
  if (dice.chance(50))
    schema[dice.of(["maximum", "exclusiveMaximum"])] = low + dice.below(50) + 0.25;
  if (dice.chance(25)) schema.multipleOf = dice.of([0.5, 0.01, 0.25, 3]);
  if (schema.multipleOf === 3) return { type: "number", multipleOf: 3, minimum: low };
  return schema;
}

function integerOf(dice: Dice): Fields {
  const low = dice.below(20_000) - 10_000;
  const schema: Fields = { type: "integer" };
  if (dice.chance(50)) schema.minimum = low;
  if (dice.chance(50)) schema.exclusiveMaximum = low + 40 + dice.below(900);
  if (dice.chance(25)) schema.multipleOf = dice.of([2, 7, 13]);
  return schema;
}

function arrayOf(dice: Dice, depth: number): Fields {
  const schema: Fields = { type: "array", items: schemaOf(dice, depth - 1) };
  if (dice.chance(30)) schema.prefixItems = [schemaOf(dice, 0), schemaOf(dice, 0)];
  if (dice.chance(40)) schema.minItems = dice.below(4);
  if (dice.chance(60)) schema.maxItems = 4 + dice.below(4);
  if (dice.chance(10)) schema.items = false;
  if (schema.items === false) delete schema.minItems;
  return schema;
}

function objectOf(dice: Dice, depth: number): Fields {
  const names = NAMES.filter(() => dice.chance(35));
  const properties: Fields = {};
  for (const name of names) properties[name] = schemaOf(dice, depth - 1);
  const schema: Fields = { type: "object", properties };
  schema.required = names.filter(() => dice.chance(60));
  if (dice.chance(50)) schema.additionalProperties = dice.of<Json>([false, { type: "integer" }]);
  if (dice.chance(20))
    schema.patternProperties = { "^x": { type: "boolean" }, "1$": { enum: [true, 5] } };
  if (schema.patternProperties) delete properties.x1;
  schema.required = (schema.required as string[]).filter((name) => name in properties);
  if (dice.chance(20)) schema.minProperties = Math.min(2, Object.keys(properties).length);
  if (dice.chance(20)) schema.maxProperties = (schema.required as string[]).length + 2;
  return schema;
}

function anyOf(dice: Dice, depth: number): Fields {
  const parts = [schemaOf(dice, depth - 1), schemaOf(dice, depth - 1), schemaOf(dice, 0)];
  if (dice.chance(50)) return { anyOf: parts };
  const kinds = parts.map((part, i) => ({
    type: "object",
    properties: { kind: { const: i }, value: part },
    required: ["kind"],
  }));
  return { oneOf: kinds };
}

function allOf(dice: Dice, depth: number): Fields {
  return dice.of<Fields>([
    { allOf: [{ type: "string", minLength: 3 }, { pattern: "^[a-f]*$" }, { maxLength: 9 }] },
    {
      allOf: [
        { type: "integer", minimum: 10 },
        { type: "number", maximum: 99 },
      ],
      multipleOf: 5,
    },
    {
      $defs: {
        base: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] },
      },
      allOf: [
        { type: "object", properties: { more: schemaOf(dice, depth - 1), id: { minimum: 3 } } },
        { type: "object", properties: { id: { maximum: 30, type: "integer" } }, required: ["id"] },
      ],
    },
  ]);
}

const node: Fields = {
  type: "object",
  properties: {
    value: { type: "string", maxLength: 8 },
    children: { type: "array", items: { $ref: "#/$defs/node" } },
  },
  required: ["value", "children"],
  additionalProperties: false,
};

/** Shapes of schemas that OpenAI's documentation, pydantic and zod make, and recursive ones. */
export const REAL_SCHEMAS: readonly Fields[] = [
  {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "CalendarEvent",
    type: "object",
    properties: {
      name: { title: "Name", type: "string" },
      date: { title: "Date", type: "string", format: "date" },
      participants: { items: { type: "string" }, title: "Participants", type: "array" },
    },
    required: ["name", "date", "participants"],
    additionalProperties: false,
  },
  {
    type: "object",
    properties: {
      steps: {
        type: "array",
        items: {
          type: "object",
          properties: { explanation: { type: "string" }, output: { type: "string" } },
          required: ["explanation", "output"],
          additionalProperties: false,
        },
      },
      final_answer: { type: "string" },
    },
    required: ["steps", "final_answer"],
    additionalProperties: false,
  },
  { $ref: "#/$defs/node", $defs: { node } },
  {
    type: "object",
    properties: {
      type: { type: "string", enum: ["div", "button", "header", "form"] },
      label: { type: "string" },
      children: { type: "array", items: { $ref: "#" } },
      attributes: {
        type: "array",
        items: {
          type: "object",
          properties: { name: { type: "string" }, value: { type: "string" } },
          additionalProperties: false,
          required: ["name", "value"],
        },
      },
    },
    required: ["type", "label", "children", "attributes"],
    additionalProperties: false,
  },
  {
    type: "object",
    properties: {
      item: {
        anyOf: [
          {
            type: "object",
            properties: { name: { type: "string" }, age: { type: "number" } },
            additionalProperties: false,
            required: ["name", "age"],
          },
          {
            type: "object",
            properties: {
              number: { type: "string" },
              street: { type: "string" },
              city: { type: ["string", "null"] },
            },
            additionalProperties: false,
            required: ["number", "street", "city"],
          },
        ],
      },
    },
    additionalProperties: false,
    required: ["item"],
  },
  {
    type: "object",
    properties: {
      sku: { type: "string", pattern: "^[A-Z]{3}-\\d{4}$" },
      price: { type: "number", exclusiveMinimum: 0, maximum: 10_000, multipleOf: 0.01 },
      quantity: { type: "integer", minimum: 1, maximum: 99 },
      rating: {
        anyOf: [{ type: "integer", minimum: 1, maximum: 5 }, { type: "null" }],
        default: null,
      },
      labels: { type: "object", additionalProperties: { type: "string" }, maxProperties: 3 },
    },
    required: ["sku", "price", "quantity"],
  },
  {
    definitions: { positive: { type: "integer", exclusiveMinimum: 0 } },
    type: "array",
    prefixItems: [
      { type: "number", minimum: -90, maximum: 90 },
      { type: "number", minimum: -180, maximum: 180 },
    ],
    items: { $ref: "#/definitions/positive" },
    minItems: 2,
    maxItems: 3,
  },
  {
    type: "object",
    patternProperties: { "^S_": { type: "string" }, "^I_": { type: "integer" } },
    additionalProperties: false,
  },
  { type: "array", items: { type: "array", items: { type: "array", items: { type: "integer" } } } },
  { type: "object" },
  { type: "number" },
];

export const formatOf = (schema: Json, strict = false) => ({
  type: "json_schema",
  json_schema: { name: "answer", schema, strict },
});

/** Tells whether a text is one that an answer may be. */
export function acceptor(schema: Json): (text: string) => boolean {
  const { automaton } = grammarOf(formatOf(schema))!;
  return (text) => {
    let state: typeof automaton.start | null = automaton.start;
    for (const byte of new TextEncoder().encode(text)) {
      state = automaton.step(state, byte);
      if (state === null) return false;
    }
    return state.complete;
  };
}

export const accepts = (schema: Json, text: string) => acceptor(schema)(text);
