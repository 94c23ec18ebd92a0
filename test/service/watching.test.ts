/** What is remembered, counted, exported and logged of requests of the built Worker. */

import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningService, startService } from "../../scripts/service.ts";
import type { TraceRecord, TraceSummary } from "../../src/ledger/trace-types.ts";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { attribute, type OtlpCollector, startCollector } from "../support/otlp-collector.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { START_MS_MAX } from "../support/running-service.ts";

const state = mkdtempSync(join(tmpdir(), "brink-watching-"));
const lines: string[] = [];
const PARENT = { trace: "ab".repeat(16), span: "cd".repeat(8) };
let backend: OpenAiServer;
let collector: OtlpCollector;
let service: RunningService;

beforeAll(async () => {
  [backend, collector] = await Promise.all([startOpenAiServer(), startCollector()]);
  const variables = {
    ...{ BACKEND_URL: backend.url, BACKEND_MODEL: "org/big", BRINK_TRACE_TEXT: "redacted" },
    ...{ BACKEND_PRICE_INPUT_PER_MTOK: "1", BACKEND_PRICE_OUTPUT_PER_MTOK: "10" },
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20collector-secret",
  };
  service = await startService({ state, variables, onLog: (line) => lines.push(line) });
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  await backend?.close();
  collector?.close();
  rmSync(state, { recursive: true, force: true });
});

async function send(method: string, path: string, body?: object, headers: object = {}) {
  const response = await fetch(service.url + path, {
    method,
    headers: {
      ...{ authorization: "Bearer brink-admin", "content-type": "application/json" },
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, id: response.headers.get("x-brink-trace")! };
}

/** The trace, once it is remembered. */
async function traceOf(id: string): Promise<TraceRecord> {
  for (;;) {
    const { status, text } = await send("GET", `/admin/traces/${id}`);
    if (status === 200) return JSON.parse(text);
    await new Promise((done) => setTimeout(done, 100));
  }
}

const SECRET = "Does jane@example.com keep the state of npm start?";
const ask = (rest: object, headers: object = {}) => {
  const messages = [{ role: "user", content: SECRET }];
  return send("POST", "/v1/chat/completions", { messages, ...rest }, headers);
};

it("a client that goes away while it sends is told of as one that left", async () => {
  const { hostname, port } = new URL(service.url);
  const socket = connect({ host: hostname, port: Number(port) });
  const head = ["POST /v1/chat/completions HTTP/1.1", `host: ${hostname}`, "content-length: 1000"];
  const lines = [...head, "authorization: Bearer brink-admin", "content-type: application/json"];
  await new Promise((sent) => socket.write(`${lines.join("\r\n")}\r\n\r\n{"model":`, sent));
  await new Promise((done) => setTimeout(done, 200)); // the service has begun to read
  socket.destroy();
  for (;;) {
    const { text } = await send("GET", "/admin/traces?limit=20");
    const { traces } = JSON.parse(text) as { traces: TraceSummary[] };
    const chat = traces.find(({ endpoint }) => endpoint === "POST /v1/chat/completions");
    if (chat === undefined) await new Promise((done) => setTimeout(done, 100));
    else return expect(chat).toMatchObject({ status: 499, error: null });
  }
});

it("an edge answer's trace has its stages, its decision and its redacted texts", async () => {
  const { id } = await ask({ model: "edge" });
  const trace = await traceOf(id);
  expect(trace).toMatchObject({
    ...{ endpoint: "POST /v1/chat/completions", status: 200, route: "edge", key: "operator" },
    ...{ engine: "brink-reader", namespace: "docs", asked: "edge", cost_micro_usd: 0 },
  });
  const names = trace.spans.map(({ name }) => name);
  const stages = ["auth", "quota", "retrieve", "embed", "search", "score_before", "read"];
  expect(names).toEqual(expect.arrayContaining([...stages, "score_after"]));
  const retrieve = trace.spans.find(({ name }) => name === "retrieve")!;
  const search = trace.spans.find(({ name }) => name === "search")!;
  expect(search.parent_id).toBe(retrieve.span_id);
  expect(trace.decision!.reason).not.toBe("");
  expect(Object.keys(trace.decision!.features!).length).toBeGreaterThan(5);
  expect(trace.texts!.question).toBe(SECRET.replace("jane@example.com", "[email]"));
});

it("a backend's trace has each attempt, its cost, and goes on its caller's trace", async () => {
  backend.script({ status: 500, body: `no answer to: ${SECRET}` }, { text: "It does." });
  const traceparent = `00-${PARENT.trace}-${PARENT.span}-01`;
  const { id, status } = await ask(
    { model: "backend", memory: false, stream: true },
    { traceparent },
  );
  expect(status).toBe(200);
  const trace = await traceOf(id);
  const attempts = trace.spans.filter(({ name }) => name === "attempt");
  expect(attempts.map(({ attributes }) => attributes)).toMatchObject([
    { backend: "org/big", kind: "first", outcome: "failed", "http.response.status_code": 500 },
    { backend: "org/big", kind: "retry", outcome: "answered" },
  ]);
  expect(trace).toMatchObject({
    ...{ route: "backend", stream: true, tokens: { prompt: 11, completion: 7 } },
    ...{ cost_micro_usd: 81, parent: { trace_id: PARENT.trace, span_id: PARENT.span } },
  });
  expect(trace.first_token_ms).toBeGreaterThan(0);
  const sent = backend.requests.slice(-2).map(({ headers }) => headers.traceparent);
  expect(sent).toEqual(attempts.map(({ span_id }) => `00-${PARENT.trace}-${span_id}-01`));
});

it("the collector gets the same spans as the protocol has them", async () => {
  const { id } = await send("POST", "/v1/memory/search", { namespace: "docs", query: "state" });
  const { spans } = await traceOf(id);
  for (let i = 0; i < 50 && !collector.spans.some(({ traceId }) => traceId === id); i++)
    await new Promise((done) => setTimeout(done, 100));
  const own = collector.spans.filter(({ traceId }) => traceId === id);
  expect(own.map(({ spanId }) => spanId)).toEqual(
    expect.arrayContaining(spans.map(({ span_id }) => span_id)),
  );
  const continued = collector.spans.find((span) => span.parentSpanId === PARENT.span)!;
  expect(continued.traceId).toBe(PARENT.trace);
  expect(attribute(continued, "gen_ai.response.model")).toBe("org/big");
  expect(collector.faults).toEqual([]);
  expect(collector.headers[0]!.authorization).toBe("Bearer collector-secret");
  expect(JSON.stringify(collector.spans)).not.toContain("keep the state");
});

it("a write's trace has its namespace and what it asked the memory", async () => {
  await send("PUT", "/admin/namespaces/notes", {});
  const documents = [{ id: "a", text: "The lease ends on 3 May." }];
  const { id } = await send("POST", "/admin/namespaces/notes/documents", { documents });
  const trace = await traceOf(id);
  const endpoint = "POST /admin/namespaces/{ns}/documents";
  expect(trace).toMatchObject({ endpoint, namespace: "notes", status: 200, texts: null });
  expect(trace.spans.map(({ name }) => name)).toEqual(["auth", "find", "store"]);
  expect(JSON.stringify(trace)).not.toContain("lease");
});

it("a tenant sees its own traces and counts, and no other's", async () => {
  const made = await send("POST", "/admin/keys", { tenant: "other", scopes: ["admin"] });
  const { key, id: keyId } = JSON.parse(made.text);
  const theirs = { authorization: `Bearer ${key}` };
  const bad = await send("POST", "/v1/rerank", { query: 1 }, theirs);
  const own = await ask({ model: "edge" });
  await traceOf(own.id);
  let traces: TraceSummary[] = [];
  for (let i = 0; i < 50 && traces.length === 0; i++) {
    await new Promise((done) => setTimeout(done, 100));
    ({ traces } = JSON.parse((await send("GET", "/admin/traces", undefined, theirs)).text));
  }
  expect(traces).toMatchObject([{ trace_id: bad.id, status: 400, key: keyId }]);
  expect((await send("GET", `/admin/traces/${own.id}`, undefined, theirs)).status).toBe(404);
  expect((await send("GET", `/admin/traces/${bad.id}`)).status).toBe(404);
  const counts = parsePrometheus((await send("GET", "/admin/metrics", undefined, theirs)).text);
  const counted = counts.get("brink_tenant_errors_total")!.samples;
  expect(counted.map(({ labels, value }) => [labels.code, value])).toEqual([
    ["invalid_request", 1],
  ]);
});

it("the figures are valid and have what was asked above", async () => {
  const families = parsePrometheus((await send("GET", "/admin/metrics?memory=true")).text);
  const requests = families.get("brink_tenant_requests_total")!.samples;
  const routes = requests.map(({ labels }) => labels.route);
  expect(routes).toEqual(expect.arrayContaining(["edge", "backend", "none"]));
  const documents = families.get("brink_memory_documents")!.samples;
  expect(documents.find(({ labels }) => labels.namespace === "docs")!.value).toBeGreaterThan(10);
  const spans = families.get("brink_exported_spans_total")!.samples;
  expect(spans.find(({ labels }) => labels.result === "exported")!.value).toBeGreaterThan(10);
});

it("the log has a line a request, and nothing of what was asked or answered", async () => {
  backend.script(...Array.from({ length: 9 }, () => ({ status: 500, body: `no: ${SECRET}` })));
  const { id, status } = await ask({ model: "backend", memory: false });
  expect(status).toBe(502);
  await traceOf(id);
  const told = lines.flatMap((line) => {
    const json = /\{"level".*\}/.exec(line)?.[0];
    return json === undefined ? [] : [JSON.parse(json)];
  });
  expect(told.find(({ trace }) => trace === id)).toMatchObject({
    ...{ level: "error", tenant: "default", status: 502, error: "backend_unavailable" },
    detail: "the backend answered 500",
  });
  for (const text of ["keep the state", "It does.", "collector-secret"])
    expect(lines.join("\n")).not.toContain(text);
});
