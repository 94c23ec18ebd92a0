import { expect, it } from "vitest";
import { findDemands } from "../../src/pipeline/demands.ts";
import type { AnswerRequest } from "../../src/pipeline/types.ts";
import { startApi } from "./fake-service.ts";

const ENDPOINTS = [
  "DELETE /admin/cache",
  "DELETE /admin/keys/{id}",
  "DELETE /admin/models/{name}",
  "DELETE /admin/models/{name}/uploads/{upload_id}",
  "DELETE /admin/namespaces/{ns}",
  "DELETE /admin/namespaces/{ns}/cache",
  "DELETE /admin/namespaces/{ns}/documents/{id}",
  "DELETE /admin/namespaces/{ns}/jobs/{id}",
  "DELETE /admin/namespaces/{ns}/notes/{id}",
  "DELETE /admin/namespaces/{ns}/snapshots/{id}",
  "DELETE /admin/namespaces/{ns}/work",
  "DELETE /admin/router/outcomes",
  "DELETE /admin/traces",
  "GET /admin/cache",
  "GET /admin/keys",
  "GET /admin/keys/{id}",
  "GET /admin/keys/{id}/usage",
  "GET /admin/metrics",
  "GET /admin/models",
  "GET /admin/models/{name}/uploads/{upload_id}",
  "GET /admin/namespaces",
  "GET /admin/namespaces/{ns}",
  "GET /admin/namespaces/{ns}/cache",
  "GET /admin/namespaces/{ns}/documents",
  "GET /admin/namespaces/{ns}/documents/{id}",
  "GET /admin/namespaces/{ns}/export",
  "GET /admin/namespaces/{ns}/jobs",
  "GET /admin/namespaces/{ns}/jobs/{id}",
  "GET /admin/namespaces/{ns}/note-policy",
  "GET /admin/namespaces/{ns}/notes",
  "GET /admin/namespaces/{ns}/notes/{id}",
  "GET /admin/namespaces/{ns}/snapshots",
  "GET /admin/namespaces/{ns}/snapshots/{id}",
  "GET /admin/namespaces/{ns}/stats",
  "GET /admin/router",
  "GET /admin/router/curves",
  "GET /admin/router/outcomes",
  "GET /admin/router/preview",
  "GET /admin/router/versions",
  "GET /admin/traces",
  "GET /admin/traces/{id}",
  "GET /admin/usage",
  "GET /healthz",
  "GET /v1/models",
  "GET /v1/models/{id}",
  "PATCH /admin/keys/{id}",
  "PATCH /admin/namespaces/{ns}/documents/{id}",
  "PATCH /admin/namespaces/{ns}/notes/{id}",
  "POST /admin/keys",
  "POST /admin/keys/{id}/rotate",
  "POST /admin/models/{name}/uploads",
  "POST /admin/models/{name}/uploads/{upload_id}/complete",
  "POST /admin/namespaces/{ns}/compact",
  "POST /admin/namespaces/{ns}/documents",
  "POST /admin/namespaces/{ns}/documents/delete",
  "POST /admin/namespaces/{ns}/jobs",
  "POST /admin/namespaces/{ns}/jobs/{id}/finish",
  "POST /admin/namespaces/{ns}/jobs/{id}/lines",
  "POST /admin/namespaces/{ns}/snapshots",
  "POST /admin/namespaces/{ns}/snapshots/{id}/restore",
  "POST /admin/namespaces/{ns}/split",
  "POST /admin/router/calibrate",
  "POST /admin/router/rollback",
  "POST /admin/router/versions",
  "POST /v1/chat/completions",
  "POST /v1/classify",
  "POST /v1/embeddings",
  "POST /v1/feedback",
  "POST /v1/memory/remember",
  "POST /v1/memory/search",
  "POST /v1/rerank",
  "POST /v1/responses",
  "PUT /admin/cache",
  "PUT /admin/models/{name}/uploads/{upload_id}/parts/{part}",
  "PUT /admin/namespaces/{ns}",
  "PUT /admin/namespaces/{ns}/cache",
  "PUT /admin/namespaces/{ns}/note-policy",
  "PUT /admin/router",
];

interface Operation {
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { content: Record<string, { schema: object }> }>;
  security?: Record<string, string[]>[];
  summary?: string;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

async function fetchDocument(): Promise<Document> {
  const response = await startApi().call("/openapi.json", { key: null });
  expect(response.headers.get("content-type")).toContain("application/json");
  return (await response.json()) as Document;
}

function operations({ paths }: Document): [string, string, Operation][] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
      method.toUpperCase(),
      path,
      operation,
    ]),
  );
}

it("the document lists every endpoint and no other", async () => {
  const listed = operations(await fetchDocument()).map(([method, path]) => `${method} ${path}`);
  expect(listed.sort()).toEqual(ENDPOINTS);
});

it("every operation tells its parameters, its reply, its errors and the key it needs", async () => {
  const document = await fetchDocument();
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.components.securitySchemes).sort()).toEqual(["adminKey", "key"]);
  for (const [method, path, operation] of operations(document)) {
    expect(operation.summary, path).toBeTruthy();
    const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name);
    const told = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(told.map(({ name }) => name)).toEqual(inPath);
    expect(told.every(({ required }) => required)).toBe(true);
    expect(operation.responses.default!.content["application/json"]!.schema).toEqual({
      $ref: "#/components/schemas/Error",
    });
    const scheme = path.startsWith("/admin/") ? [{ adminKey: [] }] : [{ key: [] }];
    expect(operation.security, `${method} ${path}`).toEqual(
      path === "/healthz" ? undefined : scheme,
    );
  }
});

it("every reference in the document leads somewhere", async () => {
  const document = await fetchDocument();
  const references = Array.from(
    JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g),
    ([, name]) => name!,
  );
  expect(references.length).toBeGreaterThan(20);
  for (const name of references) expect(document.components.schemas).toHaveProperty([name]);
});

it("the schemas say what the parsers demand", async () => {
  const { schemas } = (await fetchDocument()).components as {
    schemas: Record<string, { required?: string[]; additionalProperties?: unknown }>;
  };
  expect(schemas.ChatRequest!.required).toEqual(["messages"]);
  expect(schemas.Document).toMatchObject({ required: ["text"], additionalProperties: false });
  expect(schemas.DeleteRequest!.required).toEqual(["filter"]);
  expect(schemas.EmbeddingRequest!.required).toEqual(["input"]);
});

interface Schema {
  description?: string;
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

it("whatever a body may leave out may be null", async () => {
  const document = await fetchDocument();
  const schemas = document.components.schemas as Record<string, Schema>;
  const follow = (schema: Schema): Schema =>
    schema.$ref === undefined ? schema : schemas[schema.$ref.split("/").at(-1)!]!;
  const partsOf = ({ anyOf = [], oneOf = [], allOf = [] }: Schema) => [
    ...anyOf,
    ...oneOf,
    ...allOf,
  ];
  const mayBeNull = (schema: Schema): boolean => {
    const { type, anyOf, oneOf, allOf } = follow(schema);
    if (allOf !== undefined) return allOf.every(mayBeNull);
    const choices = anyOf ?? oneOf;
    if (choices !== undefined) return choices.some(mayBeNull);
    return type === undefined || [type].flat().includes("null");
  };
  const bad = new Set<string>();
  let seen = 0;
  const walk = (schema: Schema, path: string): void => {
    const { properties = {}, required = [], items, additionalProperties } = follow(schema);
    for (const part of partsOf(follow(schema))) walk(part, path);
    if (items !== undefined) walk(items, `${path}[]`);
    if (typeof additionalProperties === "object") walk(additionalProperties, `${path}.*`);
    for (const [name, property] of Object.entries(properties)) {
      seen += 1;
      if (!required.includes(name) && !mayBeNull(property)) bad.add(`${path}.${name}`);
      walk(property, `${path}.${name}`);
    }
  };
  for (const [method, path, { requestBody }] of operations(document))
    for (const { schema } of Object.values(requestBody?.content ?? {}))
      walk(schema, `${method} ${path}`);
  expect(seen).toBeGreaterThan(150);
  // Of a schema with a name the document cannot say so; that null is taken memory.test.ts shows.
  expect([...bad].filter((path) => !/\.filter$/.test(path))).toEqual([]);
});

it("the reference says of each parameter of a chat what it needs", async () => {
  const { schemas } = (await fetchDocument()).components as { schemas: Record<string, Schema> };
  const described = Object.entries(schemas.ChatRequest!.properties!);
  const demanding: Record<string, unknown> = {
    ...{ logprobs: true, logit_bias: { 5: 1 }, response_format: { type: "json_object" } },
    ...{ tools: [{ type: "function" }], web_search_options: {} },
  };
  const needing = described.filter(([, { description = "" }]) => /Needs? a /.test(description));
  expect(needing.map(([name]) => name).sort()).toEqual(Object.keys(demanding).sort());
  for (const [name, { description }] of needing) {
    const parameters = { [name]: demanding[name] };
    const asked = { messages: [], parameters } as unknown as AnswerRequest;
    const { backendOnly, generatorOnly } = findDemands(asked);
    const one = backendOnly === null ? "a generator" : "a backend";
    const needed = (backendOnly ?? generatorOnly) ? one : "a generator or a backend";
    expect(description, name).toMatch(new RegExp(`Needs? ${needed}\\.$`));
  }
});
