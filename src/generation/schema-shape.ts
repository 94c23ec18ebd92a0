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
/** Told of work as GRAMMAR_WORK_MAX counts it; throws where that is passed. */
export type Spend = (work: number) => void;

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

/** Of each schema that bothOf made, those it asks for all of, of which it made none. */
const parts = new WeakMap<object, readonly object[]>();
/** Schemas in the order in which they were met. */
const ids = new WeakMap<object, number>();
let schemasMet = 0;

/** By the schemas of a set, one after another in the order of their ids: what was made of them. */
interface Made {
  schema: Schema | null;
  readonly more: WeakMap<object, Made>;
}
const made: Made = { schema: null, more: new WeakMap() };

function idOf(schema: object): number {
  const id = ids.get(schema) ?? ++schemasMet;
  ids.set(schema, id);
  return id;
}

/** A schema that asks for what both ask for; the same object for the same schemas in all, however
 *  they came together: of a recursive schema that is merged with itself there are finitely many. */
export function bothOf(a: Schema, b: Schema, spend: Spend = () => {}): Schema {
  if (a === false || b === false) return false;
  if (a === true || a === b) return b;
  if (b === true) return a;
  const all = [...new Set([...(parts.get(a) ?? [a]), ...(parts.get(b) ?? [b])])];
  spend(4 * all.length);
  let at = made;
  for (const part of all.toSorted((x, y) => idOf(x) - idOf(y))) {
    const next = at.more.get(part) ?? { schema: null, more: new WeakMap() };
    at.more.set(part, next);
    at = next;
  }
  if (at.schema === null) {
    at.schema = { allOf: all as Json[] };
    parts.set(at.schema, all);
  }
  return at.schema;
}

/** What a property of this name is held to. */
export function propertySchema(object: ObjectShape, name: string, spend: Spend = () => {}): Schema {
  const own = object.properties.get(name);
  spend(16 + 32 * object.patterns.length);
  const matching = object.patterns.filter(([pattern]) => matches(pattern, name));
  if (own === undefined && matching.length === 0) return object.additional;
  return matching.reduce<Schema>((all, [, schema]) => bothOf(all, schema, spend), own ?? true);
}

/** The shape that asks for what both do, or null where no value can be of it. Errors:
 *  unsupported_parameter where patternProperties of one meet additionalProperties of the other. */
export function mergeShapes(a: Shape, b: Shape, spend: Spend): Shape | null {
  spend(32 + a.number.multiples.length + a.string.patterns.length);
  const types = commonTypes(a.types, b.types);
  if (types.size === 0) return null;
  const values = commonValues(a.values, b.values, spend);
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
    array: mergeArrays(a.array, b.array, spend),
    object: mergeObjects(a.object, b.object, a.path, spend),
  };
}

/** The types that values of both may have. */
export function commonTypes(a: ReadonlySet<TypeName>, b: ReadonlySet<TypeName>): Set<TypeName> {
  const types = new Set(Array.from(a).filter((type) => b.has(type)));
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const)
    if (one.has("integer") && other.has("number") && !types.has("number")) types.add("integer");
  return types;
}

/** Whether a value may be of both shapes, as far as types and values tell. */
export function mayMeet(a: Shape, b: Shape, spend: Spend): boolean {
  spend(8);
  if (!typesMeet(a.types, b.types) && !typesMeet(b.types, a.types)) return false;
  if (a.values === null || b.values === null) return (a.values ?? b.values)?.length !== 0;
  const [ofA, ofB] = [byCanonical(a.values), byCanonical(b.values)];
  const [fewer, others] = ofA.size < ofB.size ? [ofA, ofB] : [ofB, ofA];
  spend(2 * fewer.size);
  for (const text of fewer.keys()) if (others.has(text)) return true;
  return false;
}

function typesMeet(a: ReadonlySet<TypeName>, b: ReadonlySet<TypeName>): boolean {
  for (const type of a) if (b.has(type) || (type === "integer" && b.has("number"))) return true;
  return false;
}

function commonValues(a: Shape["values"], b: Shape["values"], spend: Spend): Shape["values"] {
  if (a === null || b === null) return a ?? b;
  const [ofA, ofB] = [byCanonical(a), byCanonical(b)];
  const [fewer, others] = ofA.size < ofB.size ? [ofA, ofB] : [ofB, ofA];
  spend(2 * fewer.size);
  const common = Array.from(fewer.keys()).filter((text) => others.has(text));
  return common.map((text) => ofA.get(text)!);
}

const known = new WeakMap<readonly Json[], ReadonlyMap<string, Json>>();

/** The values, each once, by their canonical texts. */
function byCanonical(values: readonly Json[]): ReadonlyMap<string, Json> {
  const found = known.get(values) ?? new Map(values.map((value) => [canonical(value), value]));
  known.set(values, found);
  return found;
}

/** Equal for equal values, whatever the order of their properties. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_, part: Json) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
      : part,
  );
}

function mergeArrays(a: Shape["array"], b: Shape["array"], spend: Spend): Shape["array"] {
  const length = Math.max(a.prefix.length, b.prefix.length);
  spend(4 * length);
  const prefix = Array.from({ length }, (_, i) =>
    bothOf(a.prefix[i] ?? a.items, b.prefix[i] ?? b.items, spend),
  );
  const items = bothOf(a.items, b.items, spend);
  return { prefix, items, min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) };
}

function mergeObjects(a: ObjectShape, b: ObjectShape, path: string, spend: Spend): ObjectShape {
  const crossed =
    (a.patterns.length > 0 && b.additional !== true) ||
    (b.patterns.length > 0 && a.additional !== true);
  if (crossed)
    refuseSchema(path, "patternProperties cannot be merged with another's additionalProperties");
  const names = new Set([...a.properties.keys(), ...b.properties.keys()]);
  const properties = new Map<string, Schema>();
  for (const name of names) {
    const [ofA, ofB] = [propertySchema(a, name, spend), propertySchema(b, name, spend)];
    properties.set(name, bothOf(ofA, ofB, spend));
  }
  return {
    properties,
    patterns: [...a.patterns, ...b.patterns],
    additional: bothOf(a.additional, b.additional, spend),
    required: new Set([...a.required, ...b.required]),
    min: Math.max(a.min, b.min),
    max: Math.min(a.max, b.max),
  };
}
