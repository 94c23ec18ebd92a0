/** Reads JSON Schema (draft 2020-12, and draft 7's definitions) into shapes. Every keyword is
 *  either held to or refused by name. */
import {
  GRAMMAR_COUNT_MAX,
  GRAMMAR_ONE_OF_MAX,
  GRAMMAR_REFERENCES_MAX,
  GRAMMAR_SHAPES_MAX,
  GRAMMAR_WORK_MAX,
} from "../limits.ts";
import { FORMATS } from "./formats.ts";
import {
  ANY_SHAPE,
  canonical,
  commonTypes,
  type Json,
  mayMeet,
  mergeShapes,
  type ObjectShape,
  type Pattern,
  patternOf,
  propertySchema,
  refuseSchema,
  type Schema,
  type Shape,
  TYPES,
  type TypeName,
} from "./schema-shape.ts";

type Fields = { [key: string]: Json };

/** Keywords that say something about a schema and ask nothing of a value. */
const ANNOTATIONS = new Set([
  "$schema",
  "$id",
  "$comment",
  "$defs",
  "definitions",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
]);
const HELD = new Set([
  ..."type enum const $ref allOf anyOf oneOf".split(" "),
  ..."minimum maximum exclusiveMinimum exclusiveMaximum multipleOf".split(" "),
  ..."minLength maxLength pattern format".split(" "),
  ..."prefixItems items minItems maxItems uniqueItems".split(" "),
  ..."properties patternProperties additionalProperties required".split(" "),
  ..."minProperties maxProperties".split(" "),
]);

/** One schema document. */
export class SchemaReader {
  private readonly root: Schema;
  private readonly closed: boolean;
  private readonly known = new Map<Fields, readonly Shape[]>();
  /** Places of schemas, for messages. */
  private readonly paths = new Map<Fields, string>();
  private readonly reading = new Set<Fields>();
  private readonly choices: { parts: readonly (readonly Shape[])[]; path: string }[] = [];
  private count = 0;
  private readonly sources = new Set<string>();
  private work = 0;
  /** Where the reader is, for a message. */
  private at = "the schema";
  private readonly spend = (more: number): void => {
    this.work += more;
    if (this.work > GRAMMAR_WORK_MAX)
      refuseSchema(
        this.at,
        `the schema's combinations and patterns take more than ${GRAMMAR_WORK_MAX} steps`,
      );
  };

  /** With `closed`, OpenAI's strict mode, an object that names properties and does not say whether
   *  it may have others has none. */
  constructor(root: Schema, closed: boolean) {
    this.root = root;
    this.closed = closed;
  }

  /** Reads every schema that a value may be held to, so that what is not supported is known before
   *  anything is generated. Errors: unsupported_parameter, naming the place and the keyword. */
  readAll(): void {
    const schemas = new Set<Schema>([this.root]);
    for (const schema of schemas)
      for (const shape of this.shapes(schema)) {
        for (const child of [...shape.array.prefix, shape.array.items]) schemas.add(child);
        const { object } = shape;
        for (const name of [...object.properties.keys(), ...object.required])
          schemas.add(propertySchema(object, name));
        for (const [, child] of object.patterns) schemas.add(child);
        schemas.add(object.additional);
      }
    // Not while a schema is read: what tells alternatives apart may be a property whose schema
    // leads back to it.
    for (const choice of this.choices) this.refuseOverlap(choice);
  }

  /** The alternatives of a schema: a value of any of them is valid, and no other that matters, once
   *  `readAll` has found those of every oneOf disjoint. */
  shapes(schema: Schema): readonly Shape[] {
    if (schema === true) return [ANY_SHAPE];
    if (schema === false) return [];
    const known = this.known.get(schema);
    if (known) return known;
    const path = this.paths.get(schema) ?? "the schema";
    if (this.reading.has(schema)) refuseSchema(path, "$ref leads back to itself");
    if (this.reading.size >= GRAMMAR_REFERENCES_MAX)
      refuseSchema(path, `more than ${GRAMMAR_REFERENCES_MAX} schemas lead to it`);
    this.reading.add(schema);
    const shapes = this.read(schema, path);
    this.reading.delete(schema);
    this.known.set(schema, shapes);
    this.count += shapes.length;
    if (this.count > GRAMMAR_SHAPES_MAX)
      refuseSchema(path, `the schema has more than ${GRAMMAR_SHAPES_MAX} alternatives in all`);
    return shapes;
  }

  private read(schema: Fields, path: string): Shape[] {
    for (const key of Object.keys(schema))
      if (!ANNOTATIONS.has(key) && !HELD.has(key))
        refuseSchema(path, `the keyword ${key.slice(0, 80)} is not supported`);
    if (schema.$id !== undefined && schema !== this.root)
      refuseSchema(path, "$id is supported at the root only");
    let shapes: Shape[] = [this.ownShape(schema, path)];
    const cross = (others: readonly Shape[]) => {
      this.at = path;
      const merged = shapes.flatMap((a) => others.map((b) => mergeShapes(a, b, this.spend)));
      shapes = merged.filter((shape) => shape !== null);
      if (shapes.length > GRAMMAR_SHAPES_MAX) refuseSchema(path, "too many alternatives");
    };
    if (schema.$ref !== undefined) cross(this.shapes(this.resolve(schema.$ref, path)));
    for (const part of this.schemas(schema, "allOf", path)) cross(this.shapes(part));
    if (schema.anyOf !== undefined)
      cross(this.schemas(schema, "anyOf", path).flatMap((part) => this.shapes(part)));
    if (schema.oneOf !== undefined) {
      const parts = this.schemas(schema, "oneOf", path).map((part) => this.shapes(part));
      if (parts.length > GRAMMAR_ONE_OF_MAX)
        refuseSchema(path, `oneOf has ${GRAMMAR_ONE_OF_MAX} alternatives at most; anyOf has more`);
      this.choices.push({ parts, path });
      cross(parts.flat());
    }
    return shapes;
  }

  private refuseOverlap({ parts, path }: (typeof this.choices)[number]): void {
    this.at = path;
    for (const [i, a] of parts.entries())
      for (const b of parts.slice(i + 1))
        if (a.some((one) => b.some((other) => !this.disjoint(one, other))))
          refuseSchema(path, "alternatives of oneOf may overlap; anyOf is supported");
  }

  /** Whether no value is of both shapes, as far as types, values and required properties tell. */
  private disjoint(a: Shape, b: Shape): boolean {
    if (!mayMeet(a, b, this.spend)) return true;
    const types = commonTypes(a.types, b.types);
    if (a.values || b.values || Array.from(types).some((type) => type !== "object")) return false;
    return Array.from(new Set([...a.object.required, ...b.object.required])).some((name) => {
      const ofA = this.shapes(propertySchema(a.object, name, this.spend));
      const ofB = this.shapes(propertySchema(b.object, name, this.spend));
      return !ofA.some((x) => ofB.some((y) => mayMeet(x, y, this.spend)));
    });
  }

  private resolve(ref: Json, path: string): Schema {
    if (typeof ref !== "string" || !/^#(\/|$)/.test(ref))
      refuseSchema(path, `$ref ${String(ref).slice(0, 80)} does not point into the schema`);
    let at: Json = this.root;
    for (const part of ref.split("/").slice(1)) {
      const key = decoded(part)?.replaceAll("~1", "/").replaceAll("~0", "~");
      if (key === undefined)
        refuseSchema(path, `$ref ${ref.slice(0, 80)} has a % that encodes nothing`);
      const inside: Json | undefined =
        typeof at === "object" && at !== null && Object.hasOwn(at, key)
          ? (at as Fields)[key]
          : undefined;
      if (inside === undefined) refuseSchema(path, `$ref ${ref.slice(0, 80)} points to nothing`);
      at = inside;
    }
    return this.schema(at, ref);
  }

  private schema(value: Json | undefined, path: string): Schema {
    if (typeof value === "boolean") return value;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      refuseSchema(path, "a schema is an object or a boolean");
    if (!this.paths.has(value)) this.paths.set(value, path);
    return value;
  }

  private schemas(schema: Fields, key: string, path: string): Schema[] {
    const list = schema[key] ?? [];
    if (!Array.isArray(list)) refuseSchema(path, `${key} is a list`);
    return list.map((part, i) => this.schema(part, `${path}.${key}[${i}]`));
  }

  private ownShape(schema: Fields, path: string): Shape {
    const named = this.types(schema, path);
    const values = this.values(schema, path);
    const types = values === null ? named : typesAmong(values, named);
    const bound = (key: string, otherwise: number) => number(schema, key, otherwise, path);
    const count = (key: string, otherwise: number) => counted(schema, key, otherwise, path);
    const infinite = Number.POSITIVE_INFINITY;
    const unlimited = schema.uniqueItems === true && count("maxItems", infinite) > 1;
    if (unlimited && types.has("array")) refuseSchema(path, "uniqueItems is not supported");
    const multiples = schema.multipleOf === undefined ? [] : [bound("multipleOf", 1)];
    if (multiples.some((multiple) => !(multiple > 0))) refuseSchema(path, "multipleOf is above 0");
    return {
      path,
      types,
      values,
      number: {
        integer: named.has("integer"),
        min: bound("minimum", -infinite),
        max: bound("maximum", infinite),
        exclusiveMin: bound("exclusiveMinimum", -infinite),
        exclusiveMax: bound("exclusiveMaximum", infinite),
        multiples,
      },
      string: this.string(schema, path),
      array: {
        prefix: this.schemas(schema, "prefixItems", path),
        items: this.schema(schema.items ?? true, `${path}.items`),
        min: count("minItems", 0),
        max: count("maxItems", infinite),
      },
      object: this.object(schema, path),
    };
  }

  private types(schema: Fields, path: string): Set<TypeName> {
    if (schema.type === undefined) return new Set(TYPES);
    const list = Array.isArray(schema.type) ? schema.type : [schema.type];
    const types = new Set<TypeName>();
    for (const type of list) {
      if (type !== "integer" && !TYPES.includes(type as TypeName))
        refuseSchema(path, `type ${String(type).slice(0, 80)} is none of JSON Schema's`);
      types.add(type as TypeName);
    }
    if (types.has("number")) types.delete("integer");
    return types;
  }

  private values(schema: Fields, path: string): Json[] | null {
    if (schema.enum !== undefined && !Array.isArray(schema.enum))
      refuseSchema(path, "enum is a list");
    const values = schema.enum ?? null;
    if (schema.const === undefined) return values as Json[] | null;
    const only = canonical(schema.const);
    if (values === null) return [schema.const];
    return (values as Json[]).filter((value) => canonical(value) === only);
  }

  /** The automaton of a pattern or a format. What all of the schema took to read has a bound, each
   *  counted once. */
  private pattern(sources: readonly string[], path: string): Pattern {
    const pattern = patternOf(sources, path);
    this.at = path;
    if (!this.sources.has(pattern.source)) this.spend(pattern.work);
    this.sources.add(pattern.source);
    return pattern;
  }

  private string(schema: Fields, path: string): Shape["string"] {
    const { pattern, format } = schema;
    const patterns = [];
    let max = counted(schema, "maxLength", Number.POSITIVE_INFINITY, path);
    if (pattern !== undefined) {
      if (typeof pattern !== "string") refuseSchema(path, "pattern is a string");
      patterns.push(this.pattern([pattern], `${path}.pattern`));
    }
    if (format !== undefined) {
      if (typeof format !== "string" || !Object.hasOwn(FORMATS, format))
        refuseSchema(path, `format ${String(format).slice(0, 80)} is not supported`);
      const known = FORMATS[format]!;
      patterns.push(this.pattern(known.patterns, `${path}.format`));
      max = Math.min(max, known.max);
    }
    return { min: counted(schema, "minLength", 0, path), max, patterns };
  }

  private object(schema: Fields, path: string): ObjectShape {
    const fields = (key: string) => {
      const value = schema[key] ?? {};
      if (typeof value !== "object" || value === null || Array.isArray(value))
        refuseSchema(path, `${key} is an object`);
      return Object.entries(value).map(
        ([name, part]) => [name, this.schema(part, `${path}.${key}.${name}`)] as const,
      );
    };
    const properties = fields("properties");
    const patterns = fields("patternProperties").map(
      ([source, part]) => [this.pattern([source], `${path}.patternProperties`), part] as const,
    );
    const required = schema.required ?? [];
    if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
      refuseSchema(path, "required is a list of names");
    const named = properties.length + patterns.length + required.length;
    if (named > GRAMMAR_COUNT_MAX)
      refuseSchema(path, `an object names ${GRAMMAR_COUNT_MAX} properties at most`);
    const open = !(this.closed && properties.length > 0);
    return {
      properties: new Map(properties),
      patterns,
      additional: this.schema(schema.additionalProperties ?? open, `${path}.additionalProperties`),
      required: new Set(required as string[]),
      min: counted(schema, "minProperties", 0, path),
      max: counted(schema, "maxProperties", Number.POSITIVE_INFINITY, path),
    };
  }
}

/** Those of the types that some of the values have. */
function typesAmong(values: readonly Json[], types: ReadonlySet<TypeName>): Set<TypeName> {
  const found = new Set<string>(values.map(typeOf));
  return new Set(Array.from(types).filter((type) => found.has(type.replace("integer", "number"))));
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** A part of a URI's fragment, or undefined where its percent encoding is none. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function number(schema: Fields, key: string, otherwise: number, path: string): number {
  const value = schema[key];
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !Number.isFinite(value))
    refuseSchema(path, `${key} is a number`);
  return value;
}

/** Least counts have a bound: the text would be longer than any context. */
function counted(schema: Fields, key: string, otherwise: number, path: string): number {
  const value = number(schema, key, otherwise, path);
  if (value === otherwise) return value;
  if (!Number.isInteger(value) || value < 0) refuseSchema(path, `${key} is a count`);
  const least = key.startsWith("min");
  if (least && value > (key === "minLength" ? 1e5 : GRAMMAR_COUNT_MAX))
    refuseSchema(path, `${key} is more than a model can write`);
  return value;
}
