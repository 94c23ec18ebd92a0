import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ServiceError } from "../../src/errors.ts";
import { REPLAY_BYTES_MAX } from "../../src/limits.ts";
import { startApi } from "./fake-service.ts";

const DOCUMENTS = "/admin/namespaces/docs/documents";
const json = { documents: [{ text: "x" }] };
const NDJSON = { "content-type": "application/x-ndjson" };
const keyed = (key = "k1") => ({ "idempotency-key": key });

it("the same write again gets the first one's reply, and does nothing", async () => {
  const { call, service } = startApi();
  const first = await call(DOCUMENTS, { json, headers: keyed() });
  const again = await call(DOCUMENTS, { json, headers: keyed() });
  expect(first.headers.has("idempotent-replayed")).toBe(false);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect([again.status, await again.text()]).toEqual([first.status, await first.text()]);
  expect(again.headers.get("x-brink-trace")).toMatch(/^[0-9a-f]{32}$/);
  expect(again.headers.get("x-brink-trace")).not.toBe(first.headers.get("x-brink-trace"));
  for (const name of ["content-type", "x-content-type-options", "cache-control"])
    expect(again.headers.get(name)).toBe(first.headers.get(name));
  expect(service.calls.filter(([name]) => name === "ingest")).toHaveLength(1);
});

it("every write takes the header, and the document and the page on it say so", async () => {
  const { call } = startApi();
  const page = readFileSync(join(import.meta.dirname, "../../docs/using-the-api.md"), "utf8");
  const [, once] = page.split("\n## Writing once\n");
  const { paths } = (await (await call("/openapi.json")).json()) as {
    paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
  };
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { parameters = [] }] of Object.entries(methods)) {
      const takes = parameters.some(({ name }) => name === "idempotency-key");
      const writes = path.startsWith("/admin/") || /remember|feedback/.test(path);
      expect(takes, `${method} ${path}`).toBe(writes && method !== "get");
      const named = once!.split("\n\n")[0]!.includes(`\`${method.toUpperCase()} ${path}\``);
      expect(named, path).toBe(takes && path.startsWith("/v1/"));
    }
});

it("a write with a body of nothing is done, and replayed", async () => {
  const { call } = startApi();
  // What a server makes of `content-length: 0`: a body that is there, with no bytes.
  const put = () => call("/admin/namespaces/n", { method: "PUT", raw: "", headers: keyed() });
  expect((await put()).status).toBe(200);
  expect((await put()).headers.get("idempotent-replayed")).toBe("true");
});

it("another body, path or query under the same key is idempotency_key_reused", async () => {
  const { call, outcome } = startApi();
  await call(DOCUMENTS, { json, headers: keyed() });
  const reused = [422, "idempotency_key_reused"];
  const other = { documents: [{ text: "y" }] };
  expect(await outcome(DOCUMENTS, { json: other, headers: keyed() })).toEqual(reused);
  const path = "/admin/namespaces/other/documents";
  expect(await outcome(path, { json, headers: keyed() })).toEqual(reused);
  expect(await outcome(`${DOCUMENTS}?a=1`, { json, headers: keyed() })).toEqual(reused);
  expect(await outcome(DOCUMENTS, { json, headers: keyed("k2") })).toEqual([200, null]);
});

it("another method or content type under the same key is idempotency_key_reused", async () => {
  const { call, outcome } = startApi();
  const reused = [422, "idempotency_key_reused"];
  const path = "/admin/namespaces/docs";
  expect((await call(path, { method: "PUT", json: {}, headers: keyed() })).status).toBeLessThan(
    300,
  );
  expect(await outcome(path, { method: "DELETE", json: {}, headers: keyed() })).toEqual(reused);
  const headers = { ...keyed(), "content-type": "application/json; charset=utf-8" };
  expect(await outcome(path, { method: "PUT", json: {}, headers })).toEqual(reused);
});

it("the same write at once is in use, with Retry-After", async () => {
  const { call, service } = startApi();
  const released = Promise.withResolvers<void>();
  const ingest = service.memoryAdmin.ingest.bind(service.memoryAdmin);
  service.memoryAdmin.ingest = async (...args) => {
    await released.promise;
    return ingest(...args);
  };
  const first = call(DOCUMENTS, { json, headers: keyed() });
  await new Promise((go) => setTimeout(go, 20));
  const second = await call(DOCUMENTS, { json, headers: keyed() });
  const { error } = (await second.json()) as { error: { code: string } };
  expect([second.status, error.code]).toEqual([409, "idempotency_key_in_use"]);
  expect(second.headers.get("retry-after")).toBe("1");
  released.resolve();
  expect((await first).status).toBe(200);
});

it("a write that was refused or failed may be tried again under its key", async () => {
  const { outcome, service } = startApi();
  const ingest = service.memoryAdmin.ingest.bind(service.memoryAdmin);
  service.memoryAdmin.ingest = () => Promise.reject(new ServiceError("memory_busy", "not now"));
  const log = console.error;
  console.error = () => {};
  expect(await outcome(DOCUMENTS, { json, headers: keyed() })).toEqual([503, "memory_busy"]);
  console.error = log;
  service.memoryAdmin.ingest = ingest;
  expect(await outcome(DOCUMENTS, { json, headers: keyed() })).toEqual([200, null]);
});

it("a reply that says a part may pass when it is sent again is not kept", async () => {
  const { call, service } = startApi();
  const passing = { index: 1, code: "shard_unavailable" as const, message: "try again" };
  const refused = { index: 1, code: "invalid_request" as const, message: "no text" };
  const one = [{ index: 0, id: "a", version: 1, unchanged: false }];
  const turn = { speaker: "a", text: "b" };
  const writes = [
    [DOCUMENTS, { json: { documents: [{ text: "x" }, { text: "y" }] } }],
    [DOCUMENTS, { raw: '{"text":"x"}\n{"text":"y"}', headers: NDJSON }],
    [
      "/v1/memory/remember",
      { json: { conversation: "c", turns: [turn, turn] }, key: "brink-admin" },
    ],
  ] as const;
  for (const [i, [path, write]] of writes.entries())
    for (const error of [passing, refused]) {
      let times = 0;
      service.memoryAdmin.ingest = async () => {
        times += 1;
        return { upserted: 1, unchanged: 0, passages: 1, documents: [...one], errors: [error] };
      };
      const headers = {
        ...("headers" in write ? write.headers : {}),
        ...keyed(`${error.code}-${i}`),
      };
      const send = () => call(path, { ...write, headers });
      expect((await send()).status).toBe(200);
      const again = await send();
      const replayed = error === refused;
      expect(again.headers.has("idempotent-replayed"), `${path} ${error.code}`).toBe(replayed);
      expect(times).toBe(replayed ? 1 : 2);
    }
});

it("keys of two callers never meet, and reads and chats ignore the header", async () => {
  const { call, service } = startApi();
  const turns = { conversation: "c", turns: [{ speaker: "a", text: "b" }] };
  const remember = (key: string) =>
    call("/v1/memory/remember", { json: turns, headers: keyed(), key });
  await remember("brink-dev");
  const other = await remember("brink-admin");
  expect(other.headers.has("idempotent-replayed")).toBe(false);
  const messages = [{ role: "user", content: "x" }];
  const before = service.replays.entries.size;
  await call("/v1/chat/completions", { json: { messages }, headers: keyed() });
  await call("/admin/namespaces", { headers: keyed() });
  expect(service.replays.entries.size).toBe(before);
});

it("a key of no or too many characters is invalid_request", async () => {
  const { outcome } = startApi();
  for (const key of ["a b", "x".repeat(256), "é"])
    expect(await outcome(DOCUMENTS, { json, headers: keyed(key) })).toEqual([
      400,
      "invalid_request",
    ]);
});

it("a reply of more bytes than are kept is not replayed: the write may be done again", async () => {
  const { call, service } = startApi();
  const added = { version: "v1", active: false };
  let weights_version = "";
  let times = 0;
  service.routerAdmin.rollBack = async () => {
    times += 1;
    return { ...added, weights_version } as never;
  };
  const write = async (key: string) => {
    const json = { version: "shipped" };
    const reply = await call("/admin/router/rollback", { json, headers: keyed(key) });
    const bytes = (await reply.arrayBuffer()).byteLength;
    return { bytes, replayed: reply.headers.has("idempotent-replayed") };
  };
  const frame = (await write("frame")).bytes;
  for (const [key, bytes, replayed] of [
    ["most", REPLAY_BYTES_MAX, true],
    ["more", REPLAY_BYTES_MAX + 1, false],
  ] as const) {
    weights_version = "x".repeat(bytes - frame);
    times = 0;
    expect(await write(key)).toEqual({ bytes, replayed: false });
    expect(await write(key)).toEqual({ bytes, replayed });
    expect(times).toBe(replayed ? 1 : 2);
  }
});
