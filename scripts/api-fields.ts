/** JSON Schema, as the OpenAPI document has it, in words and rows of Markdown tables. */

export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  prefixItems?: JsonSchema[];
  additionalProperties?: JsonSchema | boolean;
  description?: string;
  default?: unknown;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

/** So many fields of one shape in an object are told in one row. */
const LIKE_FIELDS_MIN = 8;
/** A longer pattern is for machines; the description says what it asks for. */
const PATTERN_CHARS_MAX = 32;

/** The name of the component that a schema refers to, or null. */
export function referenceOf(schema: JsonSchema): string | null {
  return schema.$ref?.split("/").at(-1) ?? null;
}

interface Row {
  types: string[];
  words: string;
  required: boolean;
}

/** A table of a schema's fields, those of objects within by their path; empty where it has none.
 *  Of what is sent it tells which fields are required, and not the null that means "left out"; of
 *  replies, which may be missing. */
export function fieldsTable(schema: JsonSchema, { sent }: { sent: boolean }): string {
  const rows = new Map<string, Row>();
  addRows(rows, schema, "");
  if (rows.size === 0) return "";
  const lines = Array.from(rows, ([path, { types, words, required }]) => {
    const told = types.filter((type) => !(sent && type === "null" && !/\bnull\b/i.test(words)));
    const type = told.join(" or ") + standing(required, sent);
    return `| \`${path}\` | ${cell(type)} | ${cell(words)} |`;
  });
  return ["| field | type | |", "| --- | --- | --- |", ...lines].join("\n");
}

function standing(required: boolean, sent: boolean): string {
  if (sent) return required ? ", required" : "";
  return required ? "" : ", may be missing";
}

function addRows(rows: Map<string, Row>, schema: JsonSchema, path: string): void {
  const objects = [schema, ...alternativesOf(schema)].filter((one) => one.properties);
  for (const { properties = {} } of objects) {
    const fields = Object.entries(properties);
    const shapes = new Set(fields.map(([, field]) => JSON.stringify(field)));
    if (fields.length >= LIKE_FIELDS_MIN && shapes.size === 1) {
      const names = fields.map(([name]) => `\`${name}\``).join(", ");
      addRow(rows, `${path}*`, fields[0]![1], true, `Each of ${names}.`);
      continue;
    }
    for (const [name, field] of fields) {
      const required = objects.every((one) => one.required?.includes(name));
      addRow(rows, path + name, field, required);
    }
  }
}

/** A field's row and those of the objects in it. Of a field that several alternatives have, one
 *  row tells all types. */
function addRow(
  rows: Map<string, Row>,
  path: string,
  field: JsonSchema,
  required: boolean,
  also = "",
): void {
  const types = typesOf(field);
  const words = [field.description ?? field.items?.description, also].filter(Boolean).join(" ");
  const known = rows.get(path);
  if (known === undefined) rows.set(path, { types, words, required });
  else {
    known.types = [...new Set([...known.types, ...types])];
    known.required &&= required;
    known.words ||= words;
  }
  addRows(rows, field, `${path}.`);
  for (const { items, additionalProperties: more } of [field, ...alternativesOf(field)]) {
    if (items) addRows(rows, items, `${path}[].`);
    if (typeof more === "object") addRows(rows, more, `${path}.*.`);
  }
}

/** Fit for a table's cell. */
export function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ").trim();
}

/** What stands beside a shape with a name and has no fields only says that null will do as well. */
function alternativesOf({ anyOf = [], oneOf = [], allOf = [] }: JsonSchema): JsonSchema[] {
  const named = allOf.some((schema) => referenceOf(schema) !== null);
  const telling = (schema: JsonSchema) => referenceOf(schema) !== null || schema.properties;
  return [...anyOf, ...oneOf, ...(named ? allOf.filter(telling) : allOf)];
}

/** A type with its bounds in words, e.g. `integer, 1 to 100 or null`. */
export function typeOf(schema: JsonSchema): string {
  return typesOf(schema).join(" or ");
}

/** The same apart, `null` last. */
function typesOf(schema: JsonSchema): string[] {
  const name = referenceOf(schema);
  if (name !== null) return [`[${name}](#${name.toLowerCase()})`];
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 0) return [...new Set(alternatives.flatMap(typesOf))];
  const types = [schema.type ?? "any value"].flat();
  const known = types.filter((type) => type !== "null");
  const orNull = types.includes("null") ? ["null"] : [];
  if (schema.enum) {
    const values = schema.enum.filter((value) => value !== null);
    return [values.map((value) => `\`${String(value)}\``).join(", "), ...orNull];
  }
  const names = known.map((type) => nameOf(type, schema));
  return [...names.slice(0, -1), ...names.slice(-1).map((n) => n + boundsOf(schema)), ...orNull];
}

function nameOf(type: string, schema: JsonSchema): string {
  if (type === "array") {
    const items = schema.items ? typeOf(schema.items) : "any value";
    return `list of ${items === "object" ? "objects" : items}`;
  }
  if (type === "string") return schema.format === "date-time" ? "ISO 8601 time" : "text";
  const { additionalProperties: more } = schema;
  if (type === "object" && typeof more === "object" && !schema.properties && more.type)
    return `object of ${typeOf(more)}`;
  return type;
}

function boundsOf(schema: JsonSchema): string {
  const { minimum, exclusiveMinimum, maximum, pattern } = schema;
  const bounds = [
    range(minimum, maximum, ""),
    range(schema.minLength, schema.maxLength, "characters"),
    range(schema.minItems, schema.maxItems, "of them"),
  ].filter(Boolean);
  if (exclusiveMinimum !== undefined) bounds.unshift(`above ${exclusiveMinimum}`);
  if (pattern && pattern.length <= PATTERN_CHARS_MAX) bounds.push(`\`${pattern}\``);
  if (schema.default !== undefined) bounds.push(`default ${JSON.stringify(schema.default)}`);
  return bounds.map((bound) => `, ${bound}`).join("");
}

function range(min: number | undefined, max: number | undefined, what: string): string {
  const unit = what === "" ? "" : ` ${what}`;
  if (min !== undefined && max !== undefined) return `${plain(min)} to ${plain(max)}${unit}`;
  if (max !== undefined) return `${plain(max)}${unit} at most`;
  if (min === undefined || (what !== "" && min <= 1)) return min === 1 ? "not empty" : "";
  return `${plain(min)}${unit} at least`;
}

function plain(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}
