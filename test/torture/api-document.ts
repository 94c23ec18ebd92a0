/** An OpenAPI document as its fuzzer needs it: operations, and whether a reply is as it says. */
import { Ajv2020, type AnySchema, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { commonErrors, errorsOf } from "../../scripts/api-errors.ts";
import { ERROR_CODES, type ErrorCode } from "../../src/errors.ts";

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  pattern?: string;
  format?: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
}

interface Content {
  content: Record<string, { schema: Schema }>;
}

export interface Operation {
  method: string;
  path: string;
  parameters: {
    name: string;
    in: "path" | "query" | "header";
    schema: Schema;
    required?: boolean;
  }[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content>;
}

export interface ApiDocument {
  operations: Operation[];
  schemas: Record<string, Schema>;
}

type RawDocument = {
  paths: Record<string, Record<string, Omit<Operation, "method" | "path">>>;
  components: { schemas: Record<string, Schema> };
};

export function readDocument(raw: unknown): ApiDocument {
  const { paths, components } = raw as RawDocument;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const parameters = operation.parameters ?? [];
      return { ...operation, method: method.toUpperCase(), path, parameters };
    }),
  );
  return { operations, schemas: components.schemas };
}

/** Holds replies to their schemas, which are closed: a field that is not described is a fault. */
export class ReplyCheck {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: false });
  readonly #validators = new Map<Schema, ValidateFunction>();

  readonly #schemas: Record<string, Schema>;

  constructor({ schemas }: ApiDocument) {
    this.#schemas = schemas;
    addFormats.default(this.#ajv);
    const components = { schemas: closed(schemas, schemas) };
    this.#ajv.addSchema({ $id: "document", components } as AnySchema);
  }

  /** What is wrong with a reply, or null. */
  fault(operation: Operation, status: number, headers: Headers, body: string): string | null {
    if (!headers.get("x-brink-trace")) return "has no x-brink-trace";
    if (status >= 500 && !isHonest(status, headers, body)) return `is a ${status}: ${body}`;
    const described = operation.responses[status] ?? operation.responses.default;
    if (described === undefined) return `has the status ${status}, which is not described`;
    const type = (headers.get("content-type") ?? "").split(";")[0]!;
    const content = described.content[type];
    if (content === undefined) return `has the content type ${type}, which is not described`;
    if (type === "text/event-stream") return this.#streamFault(operation, body);
    if (type === "application/json") {
      const fault = this.#jsonFault(content.schema, body);
      return fault ?? (status >= 400 ? errorFault(operation, status, body) : null);
    }
    if (!type.endsWith("ndjson")) return null;
    const lines = body.split("\n").filter((line) => line !== "");
    return firstFault(lines, (line) => this.#jsonFault(content.schema, line));
  }

  #streamFault({ path }: Operation, body: string): string | null {
    const events = body.split("\n\n").filter((event) => event !== "");
    const data = events.map((event) => /^data: (.*)$/m.exec(event)?.[1] ?? "");
    if (path === "/v1/responses") {
      const last = JSON.parse(data.at(-1)!);
      if (!/^response\.(completed|incomplete)$/.test(last.type)) return `ends with ${last.type}`;
      return this.#jsonFault({ $ref: "#/components/schemas/Response" }, stringify(last.response));
    }
    if (data.pop() !== "[DONE]") return "does not end with [DONE]";
    const chunk = { $ref: "#/components/schemas/ChatChunk" };
    return firstFault(data, (text) => this.#jsonFault(chunk, text));
  }

  #jsonFault(schema: Schema, text: string): string | null {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return `is not JSON: ${text.slice(0, 200)}`;
    }
    const validate = this.#validator(schema);
    if (validate(value)) return null;
    const { instancePath, message, params } = validate.errors![0]!;
    return `breaks its schema: ${instancePath} ${message} ${stringify(params)}`;
  }

  #validator(schema: Schema): ValidateFunction {
    const known = this.#validators.get(schema);
    if (known !== undefined) return known;
    const text = stringify(closed(schema, this.#schemas)).replaceAll(
      '"#/components/',
      '"document#/components/',
    );
    const validate = this.#ajv.compile(JSON.parse(text));
    if (this.#validators.size < 500) this.#validators.set(schema, validate);
    return validate;
  }
}

/** A 503 that says what the deployment lacks, or when to come back. */
function isHonest(status: number, headers: Headers, body: string): boolean {
  return status === 503 && (body.includes("_not_configured") || headers.has("retry-after"));
}

const stringify = JSON.stringify;

function firstFault<T>(items: T[], faultOf: (item: T) => string | null): string | null {
  for (const item of items) {
    const fault = faultOf(item);
    if (fault !== null) return fault;
  }
  return null;
}

/** A code of the closed list, with its own status, that docs/api.md has for the operation. */
function errorFault(operation: Operation, status: number, body: string): string | null {
  const { code } = (JSON.parse(body) as { error: { code: ErrorCode } }).error;
  const known = ERROR_CODES[code];
  if (known === undefined) return `has the unknown code ${code}`;
  const { every, withKey } = commonErrors();
  if (![...errorsOf(operation), ...every, ...withKey].includes(code))
    return `has the code ${code}, which scripts/api-errors.ts lacks there`;
  return known.status === status ? null : `has the code ${code} with the status ${status}`;
}

/** The same schema, whose objects have the named fields only, unless it says otherwise. An object
 *  that is made of several (allOf) becomes one. */
function closed<T>(schema: T, all: Record<string, Schema>): T {
  if (Array.isArray(schema)) return schema.map((item) => closed(item, all)) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const { allOf } = schema as Schema;
  if (Array.isArray(allOf)) return closed(joined(allOf, all), all) as T;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, closed(value, all)]),
  );
  const { type, properties } = schema as Schema;
  const isObject = properties !== undefined && type !== undefined;
  if (isObject && typeof properties === "object" && !("additionalProperties" in inner))
    inner.additionalProperties = false;
  return inner as T;
}

/** One schema of several, each an object's or what is added to one. */
function joined(parts: readonly Schema[], all: Record<string, Schema>): Schema {
  const named = parts.map((part) => {
    const name = part.$ref?.replace("#/components/schemas/", "");
    const schema = name === undefined ? part : all[name]!;
    return schema.allOf === undefined ? schema : joined(schema.allOf, all);
  });
  const properties = Object.assign({}, ...named.map((schema) => schema.properties));
  const required = named.flatMap((schema) => schema.required ?? []);
  return { ...Object.assign({}, ...named), properties, required };
}
