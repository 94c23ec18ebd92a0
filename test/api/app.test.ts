import { readdirSync, readFileSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { createApp } from "../../src/api/app.ts";
import { checkJson } from "../../src/api/body.ts";
import { ServiceError } from "../../src/errors.ts";
import { ERROR_CHARS_MAX } from "../../src/limits.ts";
import { DEPLOYED, LOCAL, startApi } from "./fake-service.ts";

const CHAT = "/v1/chat/completions";

it("every response carries a trace of its own, errors and preflights included", async () => {
  const { call } = startApi();
  const responses = await Promise.all([
    call("/healthz", { key: null }),
    call("/v1/models"),
    call("/v1/models", { key: null }),
    call("/nowhere"),
    call(CHAT, { raw: "{" }),
    call(CHAT, { method: "OPTIONS", headers: { origin: "https://a.test" } }),
    call("/openapi.json"),
  ]);
  const traces = responses.map(({ headers }) => headers.get("x-brink-trace"));
  for (const trace of traces) expect(trace).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(traces).size).toBe(traces.length);
});

it("an unknown path is not_found and a wrong method method_not_allowed, with Allow", async () => {
  const { call, outcome } = startApi();
  expect(await outcome("/nowhere")).toEqual([404, "not_found"]);
  expect(await outcome("/v1/completions", { json: {} })).toEqual([404, "not_found"]);
  expect(await outcome(CHAT)).toEqual([405, "method_not_allowed"]);
  const response = await call("/admin/namespaces/docs", { method: "POST" });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("PUT, GET, HEAD, DELETE");
  const head = await call("/admin/namespaces/docs", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const none = await call(CHAT, { method: "HEAD" });
  expect([none.status, none.headers.get("allow")]).toEqual([405, "POST"]);
});

it("a bug is a bare 500: logged under its trace, told to nobody", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  service.embed = () => Promise.reject(new Error("secret detail"));
  const response = await call("/v1/embeddings", { json: { input: "x" } });
  expect(response.status).toBe(500);
  const text = await response.text();
  expect(JSON.parse(text).error).toMatchObject({ code: "internal", type: "server_error" });
  expect(text).not.toContain("secret");
  const line = JSON.parse(log.mock.calls[0]![0]);
  expect(line.trace).toBe(response.headers.get("x-brink-trace"));
  expect(line.detail).toContain("secret detail");
  log.mockRestore();
});

it("a busy generator says in Retry-After when to come back, other failures do not", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  const json = { messages: [{ role: "user", content: "x" }] };
  for (const [code, wait] of [
    ["generator_busy", "2"],
    ["generator_unavailable", null],
  ] as const) {
    service.answer = () => Promise.reject(new ServiceError(code, "not now"));
    const response = await call(CHAT, { json });
    expect(response.headers.get("retry-after")).toBe(wait);
  }
  log.mockRestore();
});

it("an error that crossed object RPC keeps its code and param", async () => {
  const { call, service } = startApi();
  const plain = Object.assign(new Error("no namespace"), {
    code: "namespace_not_found",
    param: "namespace",
  });
  service.memoryAdmin.stats = () => Promise.reject(plain);
  const response = await call("/admin/namespaces/docs/stats");
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({
    error: {
      message: "no namespace",
      type: "invalid_request_error",
      code: "namespace_not_found",
      param: "namespace",
    },
  });
});

it("a connection that cannot be made is an error like any other", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const app = createApp(() => {
    throw new ServiceError("internal", "BACKEND_URL must be an http or https URL");
  });
  const response = await app.request("/healthz", {}, {});
  expect(response.status).toBe(500);
  expect(response.headers.get("x-brink-trace")).not.toBeNull();
  expect(log.mock.calls[0]![0]).toContain("BACKEND_URL");
  log.mockRestore();
});

it("a service that starts up says so at /healthz, without a key", async () => {
  const { outcome, service } = startApi(DEPLOYED);
  expect(await outcome("/healthz", { key: null })).toEqual([200, null]);
  service.health = () => Promise.resolve({ ready: false, detail: "embedding" });
  expect(await outcome("/healthz", { key: null })).toEqual([503, "starting"]);
});

it("locally any origin may call; deployed only those configured", async () => {
  const origin = "https://app.test";
  const preflight = {
    method: "OPTIONS",
    key: null,
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-brink-route",
    },
  };
  const local = await startApi().call(CHAT, preflight);
  expect(local.status).toBe(204);
  expect(local.headers.get("access-control-allow-origin")).toBe("*");
  expect(local.headers.get("access-control-allow-headers")).toBe(
    "authorization,content-type,x-brink-route",
  );
  expect(local.headers.get("access-control-allow-methods")).toContain("POST");

  const { call } = startApi({ ...LOCAL, allowedOrigins: [origin] });
  const allowed = await call("/v1/models", { headers: { origin } });
  expect(allowed.headers.get("access-control-allow-origin")).toBe(origin);
  expect(allowed.headers.get("vary")).toContain("Origin");
  expect(allowed.headers.get("access-control-expose-headers")).toContain("x-brink-trace");
  const refused = await call("/v1/models", { headers: { origin: "https://evil.test" } });
  expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  const error = await call(CHAT, { raw: "{", headers: { origin } });
  expect(error.headers.get("access-control-allow-origin")).toBe(origin);
});

it("a page of another origin may read every header that tells a client something", async () => {
  const reply = await startApi().call("/v1/models", { headers: { origin: "https://app.test" } });
  const exposed = reply.headers.get("access-control-expose-headers")!.split(",");
  const forTheBrowser = [
    ...["cache-control", "content-type", "content-security-policy", "referrer-policy", "vary"],
    ...["x-accel-buffering", "x-content-type-options"],
  ];
  const files = readdirSync("src/api", { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => file.endsWith(".ts"));
  const set = sources.flatMap((file) => {
    const calls = readFileSync(`src/api/${file}`, "utf8").matchAll(/c\.header\(["`]([^"`]+)/g);
    return Array.from(calls, ([, name]) => name!);
  });
  const names = set.flatMap((name) => ["requests", "tokens"].map((of) => name.replace(/\$.*/, of)));
  expect(names).toContain("x-should-retry");
  for (const name of names.filter((one) => !forTheBrowser.includes(one)))
    expect(exposed).toContain(name);
});

it("a body that is not JSON is invalid_json", async () => {
  const { outcome } = startApi();
  for (const raw of ["not json", "", "{", Uint8Array.of(0x22, 0xff, 0x22)])
    expect(await outcome(CHAT, { raw, method: "POST" })).toEqual([400, "invalid_json"]);
});

it("a body of the wrong kind is unsupported_media_type", async () => {
  const { outcome } = startApi();
  const refused: Record<string, string>[] = [
    { "content-type": "text/csv" },
    { "content-encoding": "gzip" },
  ];
  for (const headers of refused)
    expect(await outcome(CHAT, { raw: "{}", headers })).toEqual([415, "unsupported_media_type"]);
});

it("a 10 MB body is body_too_large, whatever its content-length says", async () => {
  const { outcome } = startApi();
  const raw = JSON.stringify({ messages: [{ role: "user", content: "x".repeat(1e7) }] });
  expect(await outcome(CHAT, { raw })).toEqual([413, "body_too_large"]);
  const headers = { "content-length": "10" };
  expect(await outcome(CHAT, { raw, headers })).toEqual([413, "body_too_large"]);
  expect(await outcome("/v1/models")).toEqual([200, null]);
});

it("an endless body is let go of", async () => {
  let sent = 0;
  let cancelled = false;
  const body = new ReadableStream({
    pull(controller) {
      sent += 1 << 20;
      controller.enqueue(new Uint8Array(1 << 20));
    },
    cancel() {
      cancelled = true;
    },
  });
  const headers = { authorization: "Bearer brink-dev" };
  const init = { method: "POST", body, headers, duplex: "half" } as RequestInit;
  const response = await startApi().app.request(CHAT, init, {});
  expect(response.status).toBe(413);
  expect(cancelled).toBe(true);
  expect(sent).toBeLessThan(70 << 20);
});

it("an error quotes a request by whole characters", async () => {
  const { call } = startApi();
  for (const before of ["", "a"]) {
    const field = before + "😀".repeat(1_000);
    const documents = [{ text: "x" }, { text: "x", [field]: 1 }];
    const init = [
      { json: { documents } },
      {
        raw: documents.map((one) => JSON.stringify(one)).join("\n"),
        headers: { "content-type": "application/x-ndjson" },
      },
    ];
    for (const each of init) {
      const reply = await (await call("/admin/namespaces/docs/documents", each)).json();
      const [error] = (reply as { errors: { message: string }[] }).errors;
      expect(error!.message.isWellFormed()).toBe(true);
    }
    const { error } = (await (
      await call("/v1/chat/completions", { json: { [field]: 1 } })
    ).json()) as { error: { message: string; param: string } };
    expect(error.message.isWellFormed() && error.param.isWellFormed()).toBe(true);
  }
});

it("an error quotes no more of a request than its bound", async () => {
  const { call } = startApi();
  const long = "x".repeat(100_000);
  for (const json of [{ model: long, messages: [{ role: "user", content: "a" }] }, { [long]: 1 }]) {
    const { error } = (await (await call("/v1/chat/completions", { json })).json()) as {
      error: { message: string; param: string | null };
    };
    expect(error.message.length).toBeLessThanOrEqual(ERROR_CHARS_MAX);
    expect(error.param!.length).toBeLessThanOrEqual(ERROR_CHARS_MAX);
  }
});

it("a reply's id is also where the official clients look for it", async () => {
  for (const path of ["/v1/models", "/nowhere"]) {
    const { headers } = await startApi().call(path);
    expect(headers.get("x-request-id")).toBe(headers.get("x-brink-trace"));
  }
});

it("lone surrogates, NUL, __proto__ and deep nesting are refused with their place", () => {
  const refused: [unknown, string][] = [
    [{ a: ["x", "\ud800"] }, "a[1]"],
    [{ a: { b: "x\0" } }, "a.b"],
    [{ a: { "\udc00": 1 } }, "a"],
    [JSON.parse('{"a":{"__proto__":1}}'), "a"],
    [JSON.parse('{"a":[1e308,-1e309]}'), "a[1]"],
    ["\ud800", ""],
  ];
  for (const [value, param] of refused)
    expect(() => checkJson(value)).toThrow(
      expect.objectContaining({ code: "invalid_request", param }),
    );
  expect(() => checkJson({ a: ["\u{1f600} é", 1, null, true] })).not.toThrow();
  const deep = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels));
  expect(() => checkJson(deep(64))).not.toThrow();
  expect(() => checkJson(deep(65))).toThrow("nested deeper than 64");
  expect(() => checkJson(deep(1_000_000))).toThrow("nested deeper than 64");
});

it("a body of very many values is refused before it is read by a schema", async () => {
  const { call } = startApi();
  const ask = '"messages":[{"role":"user","content":"a"}]';
  const fields = (n: number) => Array.from({ length: n }, (_, i) => `"k${i}":"x"`);
  const bodies = (n: number) => [
    `{"messages":[{"role":"user","content":[${Array(n).fill('{"type":"text"}')}]}]}`,
    `{${ask},"tools":[${Array(n).fill("0")}]}`,
    `{${ask},"logit_bias":{${fields(n)}}}`,
    `{${ask},${fields(n)}}`,
  ];
  for (const body of bodies(150_000)) {
    const response = await call("/v1/chat/completions", { raw: body });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("more than 65536 values");
  }
  for (const body of bodies(30_000)) {
    const response = await call("/v1/chat/completions", { raw: body });
    expect([200, 400]).toContain(response.status);
  }
});

it("an encoder's entry among the models says which kernels it runs on", async () => {
  const { call } = startApi();
  const { data } = (await (await call("/v1/models")).json()) as { data: { id: string }[] };
  const kernels = { gemm_i8: "plain", chosen_by: "timing", precision: "fast" };
  expect(data.find(({ id }) => id === "encoder")).toMatchObject({ kernels });
  expect(data.find(({ id }) => id === "brink-reader")).not.toHaveProperty("kernels");
});

it("a model that is not known is no 404 while what may know it is away", async () => {
  const { call, outcome, service } = startApi();
  expect(await outcome("/v1/models/mine")).toEqual([404, "model_not_found"]);
  service.modelsAway = new ServiceError("model_unavailable", "try again");
  expect(await outcome("/v1/models/mine")).toEqual([503, "model_unavailable"]);
  expect((await call("/v1/models/tiny")).status).toBe(200);
  expect((await call("/v1/models")).status).toBe(200);
});

it("whatever a reply is, nobody keeps it, and a browser does not guess what it is", async () => {
  const { call } = startApi();
  const origins: Record<string, string>[] = [{}, { origin: "https://elsewhere.example" }];
  for (const headers of origins)
    for (const path of [
      "/v1/models",
      "/v1/nothing",
      "/admin/keys",
      "/admin/namespaces/docs/export",
    ])
      for (const key of ["brink-admin", "unknown"]) {
        const reply = await call(path, { key, headers });
        expect(reply.headers.get("cache-control")).toBe("no-store");
        expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
        expect(reply.headers.get("x-brink-trace")).toMatch(/^[0-9a-f]{32}$/);
      }
});
