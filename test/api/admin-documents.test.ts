import { expect, it, vi } from "vitest";
import { DocumentReply, IngestReply } from "../../src/api/schema/documents.ts";
import { toBase64 } from "../../src/api/schema/vector.ts";
import { EMBEDDED_PASSAGES_MAX } from "../../src/limits.ts";
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
      time: "2026-11-24T12:00:00+01:00",
      content_type: "text/markdown",
      if_version: 3,
      embedding: [0.5, 1],
    },
    {
      ...{ id: null, text: "x", title: null, metadata: null, expires_at: null, embedding: null },
      ...{ time: null, content_type: null, if_version: null },
    },
  ];
  const response = await call(DOCUMENTS, { json: { documents } });
  const reply = IngestReply.parse(await response.json());
  expect(reply).toMatchObject({ upserted: 3, errors: [], error_count: 0 });
  expect(reply.documents).toEqual([
    { index: 0, id: "made-0", version: 3, unchanged: false },
    { index: 1, id: "a/b", version: 3, unchanged: false },
    { index: 2, id: "made-2", version: 3, unchanged: false },
  ]);
  const none = {
    ...{ id: null, title: null, metadata: {}, expires_at: null, embedding: null },
    ...{ time: null, content_type: "text/plain", if_version: null },
  };
  expect(ingested(service)).toEqual([
    { ...none, text: "hello" },
    {
      ...documents[1],
      expires_at: Date.UTC(2030, 0, 1),
      time: Date.UTC(2026, 10, 24, 11),
      embedding: Float32Array.of(0.5, 1),
    },
    { ...none, text: "x" },
  ]);
});

it("a call in JSON has a bound of passages to embed, and lines have none", async () => {
  const { call, service } = startApi();
  await call(DOCUMENTS, { json: { documents: [{ text: "hello" }] } });
  await call(DOCUMENTS, { raw: '{"text": "hello"}', headers: NDJSON });
  const bounds = service.calls.filter(([name]) => name === "ingest").map((call) => call[4]);
  expect(bounds).toEqual([EMBEDDED_PASSAGES_MAX, undefined]);
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

it.each<[number | string, number]>([
  ["9999-12-31T23:59:59Z", 200],
  [8.64e15, 200],
  [-8.64e15, 200],
  [8.64e15 + 1, 400],
  [-8.64e15 - 1, 400],
  [1.8e18, 400],
])("a time of %j is taken only where it is a date: %i", async (time, status) => {
  const { outcome } = startApi();
  const expected = [status, status === 200 ? null : "invalid_request"];
  for (const times of [{ time }, { expires_at: time }]) {
    const json = { documents: [{ text: "x", ...times }] };
    expect(await outcome(DOCUMENTS, { json })).toEqual(expected);
  }
  const patch = { method: "PATCH", json: { expires_at: time } };
  expect(await outcome(`${DOCUMENTS}/d1`, patch)).toEqual(expected);
});

it("an embedding comes as numbers or as base64 of little-endian float32", async () => {
  const { call, service } = startApi();
  const vector = Float32Array.of(0.1, -2.5, 3e-9);
  const documents = [[...vector], toBase64(vector)].map((embedding) => ({ text: "x", embedding }));
  await call(DOCUMENTS, { json: { documents } });
  expect(ingested(service).map(({ embedding }) => embedding)).toEqual([vector, vector]);
});

it.each<[unknown, string]>([
  [[], "a vector has 1 to 4096 numbers"],
  [Array(4_097).fill(1), "a vector has 1 to 4096 numbers"],
  [[1, "2"], "embedding[1]: expected number"],
  [[1, null], "embedding[1]: expected number"],
  [[1e39], "embedding[0]: is beyond float32"],
  [7, "must be a list of numbers, or base64"],
  [{ 0: 1 }, "must be a list of numbers, or base64"],
  ["", "is not base64 of float32 numbers"],
  ["AAAA", "is not base64 of float32 numbers"],
  ["not base64!", "is not base64 of float32 numbers"],
  ["AADAfw==", "number 0 is not finite"],
  ["A".repeat(21_852), "a vector has 1 to 4096 numbers"],
  [toBase64(new Float32Array(4_097)), "a vector has 1 to 4096 numbers"],
])("an embedding of %j is refused: %s", async (embedding, message) => {
  const { call } = startApi();
  const response = await call(DOCUMENTS, { json: { documents: [{ text: "x", embedding }] } });
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe("invalid_request");
  expect(error.message).toContain(message);
});

it("a document that wants another version is a conflict and holds up no other", async () => {
  const { call, outcome } = startApi();
  const stale = { id: "a", text: "x", if_version: 2 };
  expect(await outcome(DOCUMENTS, { json: { documents: [stale] } })).toEqual([
    409,
    "version_conflict",
  ]);
  const documents = [stale, { id: "b", text: "y", if_version: 3 }];
  expect(await (await call(DOCUMENTS, { json: { documents } })).json()).toMatchObject({
    upserted: 1,
    error_count: 1,
    errors: [{ index: 0, code: "version_conflict" }],
    documents: [{ index: 1, id: "b", version: 3 }],
  });
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
  expect(await one({ text: "x", time: "2026-11-24" })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", content_type: "text/rtf" })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", if_version: -1 })).toEqual([400, "invalid_request"]);
  expect(await one({ text: "x", if_version: 1.5 })).toEqual([400, "invalid_request"]);
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
    expect(service.calls.at(-1)!.slice(2)).toEqual(["docs", id, null]);
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
  const { call, outcome, service } = startApi();
  const response = await call(`${NS}/export`);
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  const text = await response.text();
  expect(text.split("\n")).toEqual([
    '{"id":"d0","text":"a\\nb","metadata":{},"time":2000000000000}',
    '{"id":"d2","text":"a\\nb","metadata":{},"time":2000000000000,"content_type":"text/markdown",' +
      '"embedding":"AACAPw=="}',
    "",
  ]);
  expect(await outcome(DOCUMENTS, { raw: text, headers: NDJSON })).toEqual([200, null]);
  expect(ingested(service)).toMatchObject([
    { id: "d0", time: 2e12, content_type: "text/plain", embedding: null },
    { id: "d2", time: 2e12, content_type: "text/markdown", embedding: Float32Array.of(1) },
  ]);
});

it("an export has every time as it is read back, also near 1970", async () => {
  const { call, outcome, service } = startApi();
  const times = [-1e11, -99_999_999_999, -14_182_980_000, -1, 0, 5, 99_999_999_999, 1e11, 2e12];
  const { exportPage } = service.memoryAdmin;
  service.memoryAdmin.exportPage = async (...args) => {
    const { documents, cursor } = await exportPage.apply(service.memoryAdmin, args);
    return {
      documents: documents.flatMap((one) =>
        times.map((time) => ({ ...one, id: `${one.id} ${time}`, time, expires_at: time })),
      ),
      cursor,
    };
  };
  const text = await (await call(`${NS}/export`)).text();
  expect(await outcome(DOCUMENTS, { raw: text, headers: NDJSON })).toEqual([200, null]);
  const read = ingested(service).map(({ time, expires_at }) => [time, expires_at]);
  expect(read).toEqual([...times, ...times].map((time) => [time, time]));
});

it("an export that fails on the way is broken off, not cut short", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  const exportPage = service.memoryAdmin.exportPage.bind(service.memoryAdmin);
  service.memoryAdmin.exportPage = (...args) =>
    args[2] === null ? exportPage(...args) : Promise.reject(new Error("storage"));
  const response = await call(`${NS}/export`);
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  vi.restoreAllMocks();
});

it("a document is read with its version, its time and its content type", async () => {
  const { call } = startApi();
  const document = DocumentReply.parse(await (await call(`${DOCUMENTS}/d1`)).json());
  expect(document).toMatchObject({ version: 3, time: 1, content_type: "text/plain" });
});

it("a patch sets fields, takes out those that are null, and tells the new version", async () => {
  const { call, outcome, service } = startApi();
  const patch = (json: unknown, id = "a/b") =>
    call(`${DOCUMENTS}/${encodeURIComponent(id)}`, { method: "PATCH", json });
  const json = { metadata: { a: 1, b: null }, title: null, expires_at: 1_893_456_000 };
  expect(await (await patch({ ...json, if_version: 3 })).json()).toEqual({ id: "a/b", version: 4 });
  await patch({ metadata: {} });
  await patch({ expires_at: null, metadata: null });
  expect(service.calls.map((args) => args.slice(2))).toEqual([
    ["docs", "a/b", { ...json, expires_at: 1_893_456_000_000 }, 3],
    ["docs", "a/b", { metadata: {} }, null],
    ["docs", "a/b", { metadata: null, expires_at: null }, null],
  ]);
  const refused = (json: unknown) => outcome(`${DOCUMENTS}/d1`, { method: "PATCH", json });
  expect(await refused({ title: "x", if_version: 2 })).toEqual([409, "version_conflict"]);
  const bad = [
    {},
    { if_version: 3 },
    { metadata: null },
    { metadata: [] },
    { metadata: { a: "x".repeat(17_000) } },
    { title: "t".repeat(1_001) },
    { text: "y" },
    { title: "a\0" },
  ];
  for (const json of bad) expect(await refused(json)).toEqual([400, "invalid_request"]);
  const absent = { method: "PATCH", json: { title: "x" } };
  expect(await outcome(`${DOCUMENTS}/absent`, absent)).toEqual([404, "document_not_found"]);
});

it("a deletion may name the version that it means", async () => {
  const { outcome, service } = startApi();
  const remove = (query: string) => outcome(`${DOCUMENTS}/d1?${query}`, { method: "DELETE" });
  expect(await remove("if_version=3")).toEqual([200, null]);
  expect(service.calls[0]!.slice(2)).toEqual(["docs", "d1", 3]);
  expect(await remove("if_version=2")).toEqual([409, "version_conflict"]);
  for (const bad of ["if_version=-1", "if_version=x", "if_version=1.5"])
    expect(await remove(bad)).toEqual([400, "invalid_request"]);
});
