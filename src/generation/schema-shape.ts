/** What one alternative of a JSON Schema asks for, keyword by keyword, and both of two. */
import { ServiceError } from "../errors.ts";
import { GRAMMAR_PATTERNS_BYTES_MAX, GRAMMAR_WORK_MAX } from "../limits.ts";
import { charClasses, contentOf } from "./json-text.ts";
import { ANY_NUMBER, type NumberRange } from "./number-text.ts";
import { parsePattern } from "./regex.ts";
import { combine, type Dfa } from "./terminal.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Schema = boolean | { [key: string]: Json };
export type TypeName = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

export interface Shape {
  readonly path: string;
  readonly types: ReadonlySet<TypeName>;
  /** Of enum or const; null where every value will do. */
  readonly values: readonly Json[] | null;
  readonly number: NumberRange;
  readonly string: { min: number; max: number; patterns: readonly Pattern[] };
  readonly array: { prefix: readonly Schema[]; items: Schema; min: number; max: number };
  readonly object: ObjectShape;
}

export interface ObjectShape {
  readonly properties: ReadonlyMap<string, Schema>;
  readonly patterns: readonly (readonly [Pattern, Schema])[];
  readonly additional: Schema;
  readonly required: ReadonlySet<string>;
  readonly min: number;
  readonly max: number;
}

/** Of one regular expression, or of several that are all found. */
export interface Pattern {
  /** Equal for equal expressions only. */
  readonly source: string;
  /** The contents of the JSON strings in which it is found. */
  readonly content: Dfa;
  /** What reading it took, as GRAMMAR_WORK_MAX counts. */
  readonly work: number;
}

export const TYPES: readonly TypeName[] = [
  "null",
  "boolean",
  "number",
  "string",
  "array",
  "object",
];
const INFINITE = Number.POSITIVE_INFINITY;

export const ANY_SHAPE: Shape = {
  path: "the schema",
  types: new Set(TYPES),
  values: null,
  number: ANY_NUMBER,
  string: { min: 0, max: INFINITE, patterns: [] },
  array: { prefix: [], items: true, min: 0, max: INFINITE },
  object: {
    properties: new Map(),
    patterns: [],
    additional: true,
    required: new Set(),
    min: 0,
    max: INFINITE,
  },
};

/** Always throws: a schema that cannot be held to is refused before anything is generated. */
export function refuseSchema(path: string, fact: string): never {
  throw new ServiceError("unsupported_parameter", `${path}: ${fact}`, { param: "response_format" });
}

const patterns = new Map<string, Pattern>();

/** The automaton of these expressions together; those used last are kept, since schemas repeat
 *  them, up to GRAMMAR_PATTERNS_BYTES_MAX. */
export function patternOf(sources: readonly string[], path: string): Pattern {
  const source = JSON.stringify(sources);
  const pattern = patterns.get(source) ?? { source, ...readPattern(sources, path) };
  patterns.delete(source);
  patterns.set(source, pattern);
  let bytes = 0;
  for (const [kept, { content }] of [...patterns].reverse()) {
    bytes += content.bytes;
    if (bytes > GRAMMAR_PATTERNS_BYTES_MAX) patterns.delete(kept);
  }
  return pattern;
}

function readPattern(sources: readonly string[], path: string): Omit<Pattern, "source"> {
  let work = 0;
  const spend = (more: number) => {
    work += more;
    if (work > GRAMMAR_WORK_MAX) refuseSchema(path, `takes more than ${GRAMMAR_WORK_MAX} steps`);
  };
  const contents = sources.map((one) => contentOf(parsePattern(one, path, spend), path, spend));
  const content =
    contents.length === 1 ? contents[0]! : combine(contents, [], charClasses(contents), path);
  return { content, work };
}

const utf8 = new TextEncoder();

export function matches({ content }: Pattern, text: string): boolean {
  let state = content.start;
  for (const byte of utf8.encode(JSON.stringify(text).slice(1, -1))) {
    state = content.step(state, byte);
    if (state < 0) return false;
  }
  return content.accepts(state);
}

const both = new WeakMap<object, WeakMap<object, Schema>>();

/** A schema that asks for what both ask for; the same object for the same two. */
export function bothOf(a: Schema, b: Schema): Schema {
  if (a === false || b === false) return false;
  if (a === true || a === b) return b;
  if (b === true) return a;
  const known = both.get(a)?.get(b);
  if (known) return known;
  const made: Schema = { allOf: [a, b] };
  if (!both.has(a)) both.set(a, new WeakMap());
  both.get(a)!.set(b, made);
  return made;
}

/** What a property of this name is held to. */
export function propertySchema(object: ObjectShape, name: string): Schema {
  const own = object.properties.get(name);
  const matching = object.patterns.filter(([pattern]) => matches(pattern, name));
  if (own === undefined && matching.length === 0) return object.additional;
  return matching.reduce<Schema>((all, [, schema]) => bothOf(all, schema), own ?? true);
}

/** The shape that asks for what both do, or null where no value can be of it. Errors:
 *  unsupported_parameter where patternProperties of one meet additionalProperties of the other. */
export function mergeShapes(a: Shape, b: Shape): Shape | null {
  const types = commonTypes(a.types, b.types);
  if (types.size === 0) return null;
  const values = commonValues(a.values, b.values);
  if (values?.length === 0) return null;
  return {
    path: a === ANY_SHAPE ? b.path : a.path,
    types,
    values,
    number: {
      integer: a.number.integer || b.number.integer,
      min: Math.max(a.number.min, b.number.min),
      max: Math.min(a.number.max, b.number.max),
      exclusiveMin: Math.max(a.number.exclusiveMin, b.number.exclusiveMin),
      exclusiveMax: Math.min(a.number.exclusiveMax, b.number.exclusiveMax),
      multiples: [...a.number.multiples, ...b.number.multiples],
    },
    string: {
      min: Math.max(a.string.min, b.string.min),
      max: Math.min(a.string.max, b.string.max),
      patterns: [...new Set([...a.string.patterns, ...b.string.patterns])],
    },
    array: mergeArrays(a.array, b.array),
    object: mergeObjects(a.object, b.object, a.path),
  };
}

function commonTypes(a: ReadonlySet<TypeName>, b: ReadonlySet<TypeName>): Set<TypeName> {
  const types = new Set(Array.from(a).filter((type) => b.has(type)));
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const)
    if (one.has("integer") && other.has("number") && !types.has("number")) types.add("integer");
  return types;
}

function commonValues(a: Shape["values"], b: Shape["values"]): Shape["values"] {
  if (a === null || b === null) return a ?? b;
  const others = new Set(b.map(canonical));
  return a.filter((value) => others.has(canonical(value)));
}

/** Equal for equal values, whatever the order of their properties. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_, part: Json) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
      : part,
  );
}

function mergeArrays(a: Shape["array"], b: Shape["array"]): Shape["array"] {
  const length = Math.max(a.prefix.length, b.prefix.length);
  const prefix = Array.from({ length }, (_, i) =>
    bothOf(a.prefix[i] ?? a.items, b.prefix[i] ?? b.items),
  );
  const items = bothOf(a.items, b.items);
  return { prefix, items, min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) };
}

function mergeObjects(a: ObjectShape, b: ObjectShape, path: string): ObjectShape {
  const crossed =
    (a.patterns.length > 0 && b.additional !== true) ||
    (b.patterns.length > 0 && a.additional !== true);
  if (crossed)
    refuseSchema(path, "patternProperties cannot be merged with another's additionalProperties");
  const names = new Set([...a.properties.keys(), ...b.properties.keys()]);
  const properties = new Map<string, Schema>();
  for (const name of names)
    properties.set(name, bothOf(propertySchema(a, name), propertySchema(b, name)));
  return {
    properties,
    patterns: [...a.patterns, ...b.patterns],
    additional: bothOf(a.additional, b.additional),
    required: new Set([...a.required, ...b.required]),
    min: Math.max(a.min, b.min),
    max: Math.min(a.max, b.max),
  };
}
