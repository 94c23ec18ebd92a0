/** `npm run docs`: docs/api.md from the schemas that parse the requests, the same text whenever
 *  they are the same. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApp } from "../src/api/app.ts";
import { ERROR_CODES } from "../src/errors.ts";
import { commonErrors, errorsOf } from "./api-errors.ts";
import { cell, fieldsTable, type JsonSchema, referenceOf, typeOf } from "./api-fields.ts";

interface Parameter {
  in: "path" | "query" | "header";
  name: string;
  required?: boolean;
  description?: string;
  schema: JsonSchema;
}

type Content = Record<string, { schema: JsonSchema }>;

interface Described {
  summary: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, { description: string; content?: Content }>;
  security?: Record<string, unknown>[];
}

interface OpenApi {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, JsonSchema> };
}

/** The groups, in reading order, each with the paths that are in it; the first that fits has it. */
const GROUPS: [string, RegExp][] = [
  ["Asking", /^\/v1\/(chat|responses|feedback)/],
  ["Models at work", /^\/v1\/(embeddings|rerank|classify|models)/],
  ["Searching and remembering", /^\/v1\/memory\//],
  ["Documents", /\/\{ns\}\/(documents|export)/],
  ["Ingest jobs", /\/\{ns\}\/jobs/],
  ["Snapshots and splits", /\/\{ns\}\/(snapshots|split|work)/],
  ["Notes", /\/\{ns\}\/(notes|note-policy)/],
  ["Caches of answers", /^\/admin\/(namespaces\/\{ns\}\/)?cache$/],
  ["Namespaces", /^\/admin\/namespaces/],
  ["Keys and use", /^\/admin\/(keys|usage)/],
  ["The router", /^\/admin\/router/],
  ["Model files", /^\/admin\/models/],
  ["Watching", /^(\/admin\/(traces|metrics)|\/healthz)/],
];

const INTRO = `# API reference

Made by \`npm run docs\` from the schemas that parse the requests; edit those. The same for machines
is served at \`/openapi.json\`. How to use it, with examples, is in
[using-the-api.md](using-the-api.md): keys, errors, streams, idempotency, NDJSON, jobs.

Bodies are JSON, and so are replies, unless said otherwise. Every failure is an [Error](#error). A
field of a request that is not marked as required may be left out, and null counts as left out
unless its own words say what null means; a field of a reply is there unless it is marked. A
request's unknown fields are refused, except by \`POST /v1/chat/completions\`, which hands them to
a backend. \`x[].y\` is the field \`y\` of each element of the list \`x\`, and \`x.*\` any field of
\`x\`.
`;

/** The whole page. Throws where an operation is in no group. */
export async function apiPage(): Promise<string> {
  const app = createApp(() => {
    throw new Error("the document is made without a service");
  });
  app.onError((error) => {
    throw error;
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Brink", version: "1" },
  }) as unknown as OpenApi;
  return render(document);
}

function render({ paths, components }: OpenApi): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ path, method: method.toUpperCase(), operation },
      group: GROUPS.find(([, pattern]) => pattern.test(path))?.[0],
    })),
  );
  const stray = operations.find(({ group }) => group === undefined);
  if (stray) throw new Error(`${stray.method} ${stray.path} is in no group of scripts/api-docs.ts`);
  const bodies = new Set(operations.flatMap(({ operation }) => bodyNames(operation)));
  const sent = sentNames(
    operations.flatMap(({ operation }) => bodySchemas(operation)),
    components,
  );
  const contents = [...GROUPS.map(([group]) => group), "Shapes", "Errors"];
  const parts = [INTRO, `${contents.map((one) => `[${one}](#${anchorOf(one)})`).join(", ")}.\n`];
  for (const [group] of GROUPS) {
    const mine = operations.filter((one) => one.group === group);
    const index = mine.map(({ method, path, operation }) => {
      const name = `${method} ${path}`;
      return `| [${name}](#${anchorOf(name)}) | ${cell(operation.summary)} |`;
    });
    parts.push(`## ${group}\n`, ["| | |", "| --- | --- |", ...index].join("\n"), "");
    for (const { method, path, operation } of mine)
      parts.push(operationText(method, path, operation, components.schemas));
  }
  parts.push("## Shapes\n", "What replies are made of, and what several bodies share.\n");
  for (const name of Object.keys(components.schemas).sort())
    if (!bodies.has(name)) parts.push(shapeText(name, components.schemas[name]!, sent.has(name)));
  parts.push(errorsText());
  return parts.join("\n");
}

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

/** Bodies that no other operation's shape needs are told at their operation alone. */
function bodyNames({ requestBody }: Described): string[] {
  const schema = requestBody?.content["application/json"]?.schema;
  const name = schema && referenceOf(schema);
  return name ? [name] : [];
}

function bodySchemas({ requestBody }: Described): JsonSchema[] {
  return Object.values(requestBody?.content ?? {}).map(({ schema }) => schema);
}

/** The components that callers send, by themselves or within others. */
function sentNames(bodies: JsonSchema[], { schemas }: OpenApi["components"]): Set<string> {
  const sent = new Set<string>();
  const open = [...bodies];
  for (const schema of open) // grows while it is walked
    for (const [, name] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (sent.has(name!)) continue;
      sent.add(name!);
      open.push(schemas[name!]!);
    }
  return sent;
}

function operationText(
  method: string,
  path: string,
  operation: Described,
  schemas: Record<string, JsonSchema>,
): string {
  const { parameters = [], requestBody, security = [] } = operation;
  const parts = [
    `### ${method} ${path}\n`,
    `${operation.summary}. ${operation.description ?? ""}`.trim(),
  ];
  const scheme = Object.keys(security[0] ?? {})[0];
  const key = { key: "An inference key or an admin key.", adminKey: "An admin key." }[scheme ?? ""];
  parts.push(`\n*Key*: ${key ?? "none."}\n`);
  const own = parameters.filter(({ name }) => name !== "idempotency-key");
  if (own.length > 0) parts.push(parametersTable(own), "");
  const idempotent = own.length < parameters.length;
  if (requestBody) parts.push(bodyText(requestBody, schemas), "");
  parts.push(replyText(operation));
  const codes = errorsOf({ method, path, parameters, requestBody });
  if (idempotent) parts.push("\n*Idempotency*: takes the header `Idempotency-Key`.");
  if (codes.length > 0) parts.push(`\n*Errors*: ${codes.map((code) => `\`${code}\``).join(", ")}.`);
  return `${parts.join("\n")}\n`;
}

function parametersTable(parameters: Parameter[]): string {
  const rows = parameters.map(({ in: place, name, schema, required, description }) => {
    const type = typeOf(schema) + (required && place !== "path" ? ", required" : "");
    const words = description ?? schema.description ?? "";
    return `| \`${name}\` (${place}) | ${cell(type)} | ${cell(words)} |`;
  });
  return ["| parameter | type | |", "| --- | --- | --- |", ...rows].join("\n");
}

function bodyText(
  { required, content }: NonNullable<Described["requestBody"]>,
  schemas: Record<string, JsonSchema>,
): string {
  const optional = required ? "" : ", which may be left out";
  const parts: string[] = [];
  for (const [type, { schema }] of Object.entries(content)) {
    const name = referenceOf(schema);
    if (type !== "application/json") {
      const what = name === null ? "bytes" : `a ${typeOf(schema)} a line`;
      parts.push(`*Body*${parts.length > 0 ? ", or" : ""} as \`${type}\`: ${what}.\n`);
      continue;
    }
    const { description = "", ...body } = name === null ? schema : schemas[name]!;
    parts.push(`*Body*${optional}: ${name ?? ""} ${description}`.trim(), "");
    parts.push(fieldsTable(body, { sent: true }), "");
  }
  return parts.join("\n").trimEnd();
}

function replyText({ responses }: Described): string {
  const lines = Object.entries(responses).flatMap(([status, { description, content = {} }]) => {
    if (status === "default") return [];
    const shapes = Object.entries(content).map(([type, { schema }]) => {
      if (type === "application/json") return typeOf(schema);
      return referenceOf(schema) ? `\`${type}\` of ${typeOf(schema)}` : `\`${type}\``;
    });
    return [`*Reply* ${status}: ${description}. ${shapes.join(", or ")}`.trimEnd()];
  });
  return lines.join("\n");
}

function shapeText(
  name: string,
  { description = "", ...schema }: JsonSchema,
  sent: boolean,
): string {
  const table = fieldsTable(schema, { sent });
  const words = description || (table === "" ? `${typeOf(schema)}.` : "");
  return [`### ${name}\n`, ...(words ? [`${words}\n`] : []), ...(table ? [`${table}\n`] : [])].join(
    "\n",
  );
}

function errorsText(): string {
  const { every, withKey } = commonErrors();
  const list = (codes: readonly string[]) => codes.map((code) => `\`${code}\``).join(", ");
  const statuses = Object.entries(ERROR_CODES).map(([code, { status, type }]) => ({
    ...{ code, status, type },
  }));
  const rows = statuses
    .sort((a, b) => a.status - b.status)
    .map(({ code, status, type }) => `| ${status} | \`${code}\` | \`${type}\` |`);
  return [
    "## Errors\n",
    `Any operation may also answer ${list(every)}, and one that needs a key ${list(withKey)}.`,
    "A path that there is not is `not_found`, a method that it does not take `method_not_allowed`.",
    "What each code means is in [using-the-api.md](using-the-api.md#errors).\n",
    ["| status | code | type |", "| --- | --- | --- |", ...rows].join("\n"),
    "",
  ].join("\n");
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, "../docs/api.md"), await apiPage());
