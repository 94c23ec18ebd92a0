/** Values that a JSON schema allows, and values that it nearly allows, from a seeded generator. */
import type { Schema } from "./api-document.ts";

const DEPTH_MAX = 7;
/** Deep in a value only what must be there is there. */
const DEPTH_FULL = 3;

const WORDS =
  "the lease ends in May harbour ferry leaves at noon lighthouse keeper tide 1907".split(" ");
/** What parsers, SQLite, tokenizers and URLs have been known to stumble over. */
const ODD_TEXTS = [
  "",
  " ",
  "\n\t",
  "\u0000",
  "\ud800",
  "\u202etxet",
  "é̀".repeat(40),
  "👩‍👩‍👧‍👦",
  "' OR 1=1 --",
  '"} , {"',
  "../../etc/passwd",
  "%00%2e%2e",
  "</passage> ignore this",
  "[UNK] [CLS] [SEP] ##a",
  "NaN",
  "1e999",
  "__proto__",
  "constructor",
  "toString",
  "x".repeat(3_000),
  "𝔘𝔫𝔦".repeat(100),
];
const ODD_NUMBERS = [0, -1, 1, -0, 0.1, 1e-320, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, -1e308];

export class Values {
  readonly #random: () => number;
  readonly #schemas: Record<string, Schema>;
  /** Values by a field's name that are likely to mean something to the service. */
  readonly #known: (field: string) => readonly unknown[];

  constructor(
    random: () => number,
    schemas: Record<string, Schema>,
    known: (field: string) => readonly unknown[],
  ) {
    this.#random = random;
    this.#schemas = schemas;
    this.#known = known;
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** A whole number, 0 to `below - 1`. */
  integer(below: number): number {
    return Math.floor(this.#random() * below);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!;
  }

  /** A value of the schema; `field` is the name that it stands under. */
  of(given: Schema, field = "", depth = 0): unknown {
    const schema = this.#resolve(given);
    const known = this.#known(field);
    if (known.length > 0 && schema.properties === undefined && this.chance(0.7))
      return this.pick(known);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return this.pick(schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined) return this.of(this.pick(choices), field, depth);
    if (schema.allOf !== undefined) return this.#all(schema.allOf, field, depth);
    const types = schema.type === undefined ? ["string", "number", "object"] : [schema.type].flat();
    const type = this.pick(types.length > 1 && depth > DEPTH_MAX ? types.slice(-1) : types);
    if (type === "object") return this.#object(schema, depth);
    if (type === "array") return this.#array(schema, field, depth);
    if (type === "string") return this.#text(schema);
    if (type === "boolean") return this.chance(0.5);
    if (type === "null") return null;
    return this.#number(schema, type === "integer");
  }

  /** Up to `count` fields of an object's schema. */
  someOf(given: Schema, count: number): object {
    const { properties = {} } = this.#resolve(given);
    const names = Object.keys(properties);
    const picked = Array.from({ length: names.length === 0 ? 0 : count }, () => this.pick(names));
    return Object.fromEntries(picked.map((name) => [name, this.of(properties[name]!, name, 1)]));
  }

  text(): string {
    const words = Array.from({ length: 1 + this.integer(12) }, () => this.pick(WORDS));
    return words.join(" ");
  }

  oddText(): string {
    return this.pick(ODD_TEXTS);
  }

  /** The value with one thing in it changed to what its schema is likely to refuse. */
  mutated(value: unknown): unknown {
    if (typeof value !== "object" || value === null || this.chance(0.1)) return this.#odd(value);
    const keys = Object.keys(value);
    const change = this.integer(8);
    if (keys.length === 0 || change === 0) {
      if (Array.isArray(value)) return [...value, this.#odd(null)];
      return { ...value, [this.pick(["titel", "toString", "extra", ""])]: this.#odd(null) };
    }
    const key = this.pick(keys);
    const inner = (value as Record<string, unknown>)[key];
    if (Array.isArray(value)) {
      if (change === 1) return Array.from({ length: 300 }, () => inner);
      return value.map((item, i) => (String(i) === key ? this.mutated(item) : item));
    }
    if (change === 1) return Object.fromEntries(Object.entries(value).filter(([k]) => k !== key));
    return { ...value, [key]: this.mutated(inner) };
  }

  #odd(value: unknown): unknown {
    const odd = [
      () => this.oddText(),
      () => this.pick(ODD_NUMBERS),
      () => null,
      () => true,
      () => [],
      () => ({}),
      () => [value],
      () => ({ value }),
      () => JSON.parse("[".repeat(70) + "]".repeat(70)),
    ];
    return this.pick(odd)();
  }

  #resolve(schema: Schema): Schema {
    const name = schema.$ref?.replace("#/components/schemas/", "");
    return name === undefined ? schema : this.#schemas[name]!;
  }

  #all(parts: Schema[], field: string, depth: number): unknown {
    const values = parts.map((part) => this.of(part, field, depth));
    return values.every((value) => typeof value === "object")
      ? Object.assign({}, ...values)
      : values[0];
  }

  #object(schema: Schema, depth: number): object {
    const { properties = {}, required = [], additionalProperties } = schema;
    const share = depth > DEPTH_FULL ? 0.05 : this.pick([0, 0.1, 0.3, 0.7]);
    const named = Object.entries(properties).filter(
      ([name]) => required.includes(name) || this.chance(share),
    );
    const value = Object.fromEntries(
      named.map(([name, inner]) => [name, this.of(inner, name, depth + 1)]),
    );
    if (typeof additionalProperties === "object" && named.length === 0 && depth <= DEPTH_MAX)
      for (let i = this.integer(3); i > 0; i--)
        value[this.pick(WORDS)] = this.of(additionalProperties, "", depth + 2);
    return value;
  }

  #array({ items = {}, minItems = 0, maxItems = 4 }: Schema, field: string, depth: number) {
    const more = depth > DEPTH_MAX ? 0 : this.integer(Math.min(4, maxItems - minItems + 1));
    return Array.from({ length: minItems + more }, () => this.of(items, field, depth + 1));
  }

  #text({ minLength = 0, maxLength, pattern, format }: Schema): string {
    if (format === "date-time") return new Date(this.integer(2e9) * 1000).toISOString();
    if (pattern?.includes("0-9a-f") && pattern.includes("64")) return "0a".repeat(32);
    if (pattern !== undefined) return this.pick(["a", "fuzz-1", "x9_y"]);
    const text = this.chance(0.15) ? this.oddText() : this.text();
    return text.padEnd(minLength, "x").slice(0, maxLength);
  }

  #number(schema: Schema, whole: boolean): number {
    const minimum = schema.minimum ?? (schema.exclusiveMinimum ?? -1e6) + 1e-3;
    const maximum = schema.maximum ?? 1e6;
    const edges = [minimum, maximum, minimum + 1].filter((n) => n >= minimum && n <= maximum);
    if (this.chance(0.3)) return this.pick(edges);
    const number = minimum + this.#random() * Math.min(maximum - minimum, this.pick([10, 1e6]));
    return whole ? Math.min(maximum, Math.ceil(number)) : number;
  }
}
