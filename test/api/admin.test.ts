import { expect, it, vi } from "vitest";
import { IngestReply } from "../../src/api/schema/documents.ts";
import type { SubmittedDocument } from "../../src/pipeline/types.ts";
import { startApi } from "./fake-service.ts";

const NS = "/admin/namespaces/docs";
const DOCUMENTS = `${NS}/documents`;
const NDJSON = { "content-type": "application/x-ndjson" };

function ingested(service: ReturnType<typeof startApi>["service"]): SubmittedDocument[] {
  return service.calls.find(([name]) => name === "ingest")![3] as SubmittedDocument[];
}

it("documents are read with their optional fields null or absent", async () => {
  const { call, service } = startApi();
  const documents = [
    { text: "hello" },
    {
      id: "a/b",
      text: "world",
      title: "T",
      metadata: { tags: ["x"], n: 1 },
      expires_at: "2030-01-01T00:00:00Z",
      embedding: [0.5, 1],
    },
    { id: null, text: "x", title: null, metadata: null, expires_at: null, embedding: null },
  ];
  const response = await call(DOCUMENTS, { json: { documents } });
  expect(IngestReply.parse(await response.json())).toMatchObject({ upserted: 3, errors: [] });
  const none = { id: null, title: null, metadata: {}, expires_at: null, embedding: null };
  expect(ingested(service)).toEqual([
    { ...none, text: "hello" },
    { ...documents[1], expires_at: Date.UTC(2030, 0, 1) },
    { ...none, text: "x" },
  ]);
});

it("expires_at is ISO 8601 or Unix time in ms or s", async () => {
  const { call, service } = startApi();
  const times = ["2030-01-01T02:00:00+02:00", 1_893_456_000_000, 1_893_456_000];
  const documents = times.map((expires_at) => ({ text: "x", expires_at }));
  await call(DOCUMENTS, { json: { documents } });
  expect(ingested(service).map(({ expires_at }) => expires_at)).toEqual(
    Array(3).fill(1_893_456_000_000),
  );
});

it("a bad document is an error at its place and the good ones are kept", async () => {
  const { call, service } = startApi();
  const lines = [
    '{"text":"one"}',
    "not json",
    "",
    '{"text":"lone \\ud800"}',
    '{"text":"too much"}',
    '{"text":"two","titel":"x"}',
    '{"id":".","text":"x"}\r',
    '{"id":"ok","text":"three"}',
  ];
  const response = await call(DOCUMENTS, { raw: lines.join("\n"), headers: NDJSON });
  expect(response.status).toBe(200);
  const reply = IngestReply.parse(await response.json());
  expect(reply.upserted).toBe(2);
  expect(reply.errors.map(({ index, code }) => [index, code])).toEqual([
    [1, "invalid_json"],
    [2, "invalid_request"],
    [3, "memory_full"],
    [4, "invalid_request"],
    [5, "invalid_request"],
  ]);
  expect(reply.errors[3]!.message).toBe("titel: unknown field");
  expect(ingested(service).map(({ text }) => text)).toEqual(["one", "too much", "three"]);
});

it("a call of which nothing is taken is its first document's error", async () => {
  const { outcome } = startApi();
  const one = (document: unknown) => outcome(DOCUMENTS, { json: { documents: [document] } });
  expect(await one({ text: "a\0b" })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "a\ud800" })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "" })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x".repeat(500_001) })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", title: "t".repeat(1_001) })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", metadata: { a: "é".repeat(9_000) } })).toEqual([
    400,
    "invalid_request",
  ]);
  expect(await one({ text: "x", metadata: [] })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", expires_at: "tomorrow" })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", id: 7 })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", id: "i".repeat(257) })).toEqual([400, "invalid_request"]);
  expect(await one("x")).toEqual([400, "invalid_request"]);
  expect(await one({ text: "too much" })).toEqual([413, "memory_full"]);
  expect(await outcome(DOCUMENTS, { raw: "oops", headers: NDJSON })).toEqual([400, "invalid_json"]);
});

it("a call without documents, or with too many, is refused before any is taken", async () => {
  const { outcome, service } = startApi();
  const many = Array(1_001).fill({ text: "x" });
  for (const json of [{}, [], { documents: [] }, { documents: many }, { documents: [], x: 1 }])
    expect(await outcome(DOCUMENTS, { json })).toEqual([400, "invalid_request"]);
  expect(await outcome(DOCUMENTS, { raw: "\n \n", headers: NDJSON })).toEqual([
    400,
    "invalid_request",
  ]);
  expect(service.calls).toEqual([]);
});

it("unknown and malformed namespaces are told apart", async () => {
  const { outcome } = startApi();
  const json = { documents: [{ text: "x" }] };
  const at = (ns: string) => outcome(`/admin/namespaces/${ns}/documents`, { json });
  expect(await at("nowhere")).toEqual([404, "namespace_not_found"]);
  for (const ns of ["UPPER", "a%00", "a%2Fb", "-a", "x".repeat(64)])
    expect(await at(ns)).toEqual([400, "invalid_request"]);
});

it("any id that a document may have is reached by its encoded path", async () => {
  const { call, service } = startApi();
  for (const id of ["d1", "a/b", "100%", "a%2Fb", "é?#&", " ", "delete"]) {
    const response = await call(`${DOCUMENTS}/${encodeURIComponent(id)}`);
    expect(await response.json()).toMatchObject({ id, text: "hello" });
    const removed = await call(`${DOCUMENTS}/${encodeURIComponent(id)}`, { method: "DELETE" });
    expect(await removed.json()).toEqual({ id, deleted: true });
    expect(service.calls.at(-1)!.slice(2)).toEqual(["docs", id]);
  }
  const { outcome } = startApi();
  expect(await outcome(`${DOCUMENTS}/absent`)).toEqual([404, "document_not_found"]);
  expect(await outcome(`${DOCUMENTS}/a%00`)).toEqual([400, "invalid_request"]);
});

it("a listing takes a limit and a cursor", async () => {
  const { call, outcome, service } = startApi();
  expect(await (await call(DOCUMENTS)).json()).toMatchObject({ cursor: "next" });
  await call(`${DOCUMENTS}?limit=5&cursor=abc`);
  expect(service.calls.map((args) => args[3])).toEqual([
    { limit: 100, cursor: null },
    { limit: 5, cursor: "abc" },
  ]);
  for (const query of ["limit=0", "limit=1001", "limit=x", "limit=", "cursor=%00"])
    expect(await outcome(`${DOCUMENTS}?${query}`)).toEqual([400, "invalid_request"]);
});

it("a deletion by filter needs a filter that says something", async () => {
  const { call, outcome, service } = startApi();
  const filter = { and: [{ language: "en" }, { not: { year: { gte: 2024 } } }] };
  expect(await (await call(`${DOCUMENTS}/delete`, { json: { filter } })).json()).toEqual({
    deleted: 2,
  });
  expect(service.calls[0]![3]).toEqual(filter);
  const empty = [undefined, null, {}, { and: [] }, { not: {} }, { or: [{ a: 1 }, {}] }, { a: {} }];
  for (const refused of empty)
    expect(await outcome(`${DOCUMENTS}/delete`, { json: { filter: refused } })).toEqual([
      400,
      "invalid_request",
    ]);
});

it("an export is a document a line, over pages, as the documents endpoint takes them", async () => {
  const { call, outcome } = startApi();
  const response = await call(`${NS}/export`);
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  const text = await response.text();
  expect(text).toBe(
    '{"id":"d0","text":"a\\nb","metadata":{}}\n{"id":"d2","text":"a\\nb","metadata":{}}\n',
  );
  expect(await outcome(DOCUMENTS, { raw: text, headers: NDJSON })).toEqual([200, null]);
});

it("an export that fails on the way is broken off, not cut short", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  const exportPage = service.exportPage.bind(service);
  service.exportPage = (...args) =>
    args[2] === null ? exportPage(...args) : Promise.reject(new Error("storage"));
  const response = await call(`${NS}/export`);
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  vi.restoreAllMocks();
});

it("namespaces are made with options, without a body too", async () => {
  const { call, outcome, service } = startApi();
  const put = (json?: unknown) => call(NS, { method: "PUT", json });
  expect((await put()).status).toBe(200);
  expect(await (await put({ bm25_unit: "document", k1: null })).json()).toMatchObject({
    name: "docs",
    bm25_unit: "document",
  });
  expect(service.calls.map((args) => args[3])).toEqual([{}, { bm25_unit: "document" }]);
  for (const json of [{ b: 2 }, { k1: -1 }, { bm25_unit: "word" }, { shards: 2 }, []])
    expect(await outcome(NS, { method: "PUT", json })).toEqual([400, "invalid_request"]);
  expect(await outcome("/admin/namespaces")).toEqual([200, null]);
  expect(await outcome("/admin/namespaces/nowhere")).toEqual([404, "namespace_not_found"]);
  expect(await outcome(NS, { method: "DELETE" })).toEqual([200, null]);
  expect(await outcome(`${NS}/stats`)).toEqual([200, null]);
  expect(await outcome(`${NS}/compact`, { method: "POST" })).toEqual([200, null]);
});

it("keys are made, listed and revoked", async () => {
  const { call, outcome, service } = startApi();
  const made = await call("/admin/keys", { json: { name: "web", namespaces: ["docs"] } });
  expect(made.status).toBe(201);
  expect(await made.json()).toMatchObject({ key: "brink-new", name: "web" });
  expect(service.calls.at(-1)![2]).toEqual({
    name: "web",
    role: "inference",
    tenant: null,
    namespaces: ["docs"],
    default_namespace: null,
  });
  expect(await outcome("/admin/keys")).toEqual([200, null]);
  expect(await outcome("/admin/keys/k1", { method: "DELETE" })).toEqual([200, null]);
  const refused = [
    { role: "root" },
    { role: "admin", namespaces: ["docs"] },
    { namespaces: [] },
    { namespaces: ["docs"], default_namespace: "other" },
    { tenant: "a/b" },
    { scope: "x" },
  ];
  for (const json of refused)
    expect(await outcome("/admin/keys", { json })).toEqual([400, "invalid_request"]);
});

it("the router's target is a risk from 0 to 1", async () => {
  const { call, outcome } = startApi();
  const put = (json: unknown) => outcome("/admin/router", { method: "PUT", json });
  expect(await (await call("/admin/router")).json()).toEqual({
    target: { max_risk: 0.2 },
    threshold: 0.4,
    weights_version: "w1",
  });
  expect(await put({ target: { max_risk: 0.1 } })).toEqual([200, null]);
  for (const json of [{}, { target: {} }, { target: { max_risk: 1.1 } }, { target: { budget: 1 } }])
    expect(await put(json)).toEqual([400, "invalid_request"]);
});

it("metrics are Prometheus text", async () => {
  const { call } = startApi();
  const response = await call("/admin/metrics");
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  expect(await response.text()).toContain("\nbrink_linear_memory_bytes 65536\n");
});
