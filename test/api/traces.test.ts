import { expect, it } from "vitest";
import { createApp } from "../../src/api/app.ts";
import { TraceReply, TracesReply } from "../../src/api/schema/traces.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { ServiceError } from "../../src/errors.ts";
import type { Trace } from "../../src/pipeline/trace.ts";
import { FakeService, LOCAL, startApi } from "./fake-service.ts";
import { TRACE } from "./fake-traces.ts";

it("traces are listed by their filters and shown by their id, as the schemas say", async () => {
  const { service, call, outcome } = startApi();
  const query = "limit=5&cursor=9&route=edge&status=5xx&since=7&min_ms=100&key=key-1";
  const page = await (await call(`/admin/traces?${query}`)).json();
  expect(TracesReply.parse(page)).toEqual(page);
  expect(service.calls.at(-1)!.slice(2)).toEqual([
    { route: "edge", status: 5, since: 7, min_ms: 100, key: "key-1" },
    ...[5, 9],
  ]);
  const shown = await (await call(`/admin/traces/${TRACE.trace_id}`)).json();
  expect(TraceReply.parse(shown)).toEqual(shown);
  expect(shown).toEqual(TRACE);
  expect(await outcome(`/admin/traces/${"0".repeat(32)}`)).toEqual([404, "not_found"]);
  expect(await outcome("/admin/traces/x")).toEqual([400, "invalid_request"]);
  for (const bad of ["limit=0", "limit=201", "status=99", "status=6xx", "since=x", "route=both"])
    expect(await outcome(`/admin/traces?${bad}`), bad).toEqual([400, "invalid_request"]);
  expect(await (await call("/admin/traces", { method: "DELETE" })).json()).toEqual({ deleted: 1 });
  expect(await outcome("/admin/traces", { key: "brink-dev" })).toEqual([403, "forbidden"]);
});

/** The app with somebody who watches. */
function startWatched() {
  const service = new FakeService();
  const traces: Trace[] = [];
  const app = createApp(() => ({ service, config: LOCAL, watch: (trace) => traces.push(trace) }));
  const send = (path: string, json?: unknown, headers: Record<string, string> = {}) => {
    const stream = json instanceof ReadableStream;
    const init = {
      method: json === undefined ? "GET" : "POST",
      headers: { authorization: "Bearer brink-dev", ...headers },
      body: json === undefined || stream ? json : JSON.stringify(json),
      duplex: "half",
    };
    return app.request(path, init as RequestInit, {});
  };
  return { service, traces, send };
}

const CHAT = { model: "auto", messages: [{ role: "user", content: "When?" }] };

it("a request is told of once, when its reply is made, with its endpoint and stages", async () => {
  const { traces, send } = startWatched();
  const traceparent = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
  const reply = await send("/v1/chat/completions", CHAT, { traceparent });
  const [trace] = traces;
  expect(traces.length).toBe(1);
  expect(trace).toMatchObject({
    ...{ id: reply.headers.get("x-brink-trace"), endpoint: "POST /v1/chat/completions" },
    ...{ status: 200, stream: false, failure: null, sharedId: "ab".repeat(16), asked: "auto" },
  });
  expect(trace!.id).not.toBe("ab".repeat(16)); // a caller cannot choose it
  expect(trace!.spans.map(({ name }) => name)).toEqual(["auth", "quota"]);
  expect(trace!.caller!.tenant).toBe("default");
});

it("what works on a namespace names it", async () => {
  const { traces, send } = startWatched();
  const authorization = "Bearer brink-admin";
  await send("/admin/namespaces/docs/documents", { documents: [] }, { authorization });
  await send("/v1/chat/completions", { ...CHAT, memory: { namespace: "docs" } });
  expect(traces.map(({ namespace }) => namespace)).toEqual(["docs", "docs"]);
});

it("a stream is told of at its end", async () => {
  const { service, traces, send } = startWatched();
  const gate = Promise.withResolvers<void>();
  service.pieces = async function* (): AsyncGenerator<EnginePiece> {
    yield { text: "It ends" };
    await gate.promise;
    yield { text: " on 3 May.", finish_reason: "stop" };
  };
  const reply = await send("/v1/chat/completions", { ...CHAT, stream: true });
  const reader = reply.body!.getReader();
  await reader.read();
  expect(traces.length).toBe(0);
  gate.resolve();
  for (;;) if ((await reader.read()).done) break;
  expect(traces).toMatchObject([{ stream: true, status: 200, left: false, failure: null }]);
});

it("a stream that breaks, and one whose reader leaves, say so", async () => {
  const { service, traces, send } = startWatched();
  service.pieces = async function* (): AsyncGenerator<EnginePiece> {
    yield { text: "It ends" };
    throw new ServiceError("backend_unavailable", "it broke off");
  };
  await (await send("/v1/chat/completions", { ...CHAT, stream: true })).text();
  expect(traces[0]).toMatchObject({ status: 200, failure: { code: "backend_unavailable" } });
  service.pieces = async function* (): AsyncGenerator<EnginePiece> {
    for (;;) yield { text: "on and on " };
  };
  const endless = await send("/v1/chat/completions", { ...CHAT, stream: true });
  const reader = endless.body!.getReader();
  await reader.read();
  await reader.cancel();
  expect(traces[1]).toMatchObject({ status: 499, left: true, failure: null });
});

it("a body that its client breaks off is no failure, whatever the runtime calls it", async () => {
  const { traces, send } = startWatched();
  for (const [path, type] of [
    ["/v1/chat/completions", "application/json"],
    ["/admin/namespaces/docs/documents", "application/x-ndjson"],
  ] as const) {
    const cut = Object.assign(new Error("Network connection lost."), { retryable: true });
    let sent = 0;
    const body = new ReadableStream({
      pull: (controller) => {
        if (sent++ > 0) controller.error(cut);
        else controller.enqueue(new TextEncoder().encode('{"text": "x"}\n'));
      },
    });
    await send(path, body, { authorization: "Bearer brink-admin", "content-type": type });
    expect(traces.pop(), path).toMatchObject({ status: 499, left: true, failure: null });
  }
});

it("refusals are told by endpoint and code; what no key may see has no tenant", async () => {
  const { traces, send } = startWatched();
  await send("/v1/chat/completions", {});
  await send("/v1/chat/completions", CHAT, { authorization: "Bearer wrong" });
  await send("/admin/keys/k1", undefined);
  await send("/v1/nothing/here", {});
  await send("/healthz");
  const seen = traces.map(({ endpoint, status, failure, caller }) => {
    return [endpoint, status, failure!.code, caller?.tenant ?? null];
  });
  expect(seen).toEqual([
    ["POST /v1/chat/completions", 400, "invalid_request", "default"],
    ["POST /v1/chat/completions", 401, "invalid_key", null],
    ["GET /admin/keys/{id}", 403, "forbidden", "default"],
    [null, 404, "not_found", "default"],
  ]);
});
