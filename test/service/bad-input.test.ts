/** Bad input to the built Worker: the right status and code, and the service lives on. */
import { get } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
  await fill(service, "kept", [{ id: "a", text: "The lighthouse keeper is called Ines." }]);
}, START_MS_MAX);
afterAll(() => service?.stop());

const CHAT = "/v1/chat/completions";
const chat = (rest: object = {}) => ({
  model: "edge",
  messages: [{ role: "user", content: "Who keeps the lighthouse?" }],
  memory: { namespace: "kept" },
  ...rest,
});

async function send(path: string, body: string, key = "brink-dev", method = "POST") {
  const response = await fetch(service.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body,
  });
  const { error } = (await response.json()) as { error: { code: string; param: string | null } };
  expect(response.headers.get("x-brink-trace")).toMatch(/^\S+$/);
  return { status: response.status, code: error.code };
}

const cases: [string, () => Promise<unknown>, { status: number; code: string }][] = [
  ["not JSON", () => send(CHAT, "{model:"), { status: 400, code: "invalid_json" }],
  ["an empty body", () => send(CHAT, ""), { status: 400, code: "invalid_json" }],
  [
    "10 MB",
    () => send(CHAT, JSON.stringify(chat({ user: "x".repeat(10_000_000) }))),
    { status: 413, code: "body_too_large" },
  ],
  [
    "an unknown model",
    () => send(CHAT, JSON.stringify(chat({ model: "gpt-99" }))),
    { status: 404, code: "model_not_found" },
  ],
  [
    "no messages",
    () => send(CHAT, JSON.stringify(chat({ messages: [] }))),
    { status: 400, code: "invalid_request" },
  ],
  [
    "a lone surrogate",
    () => send(CHAT, '{"model":"edge","messages":[{"role":"user","content":"a\\ud800b"}]}'),
    { status: 400, code: "invalid_request" },
  ],
  [
    "a NUL byte",
    () => send(CHAT, '{"model":"edge","messages":[{"role":"user","content":"a\\u0000b"}]}'),
    { status: 400, code: "invalid_request" },
  ],
  [
    "an unknown namespace",
    () => send(CHAT, JSON.stringify(chat({ memory: { namespace: "nowhere" } }))),
    { status: 404, code: "namespace_not_found" },
  ],
  [
    "documents for an unknown namespace",
    () =>
      send(
        "/admin/namespaces/nowhere/documents",
        JSON.stringify({ documents: [{ text: "x" }] }),
        "brink-admin",
      ),
    { status: 404, code: "namespace_not_found" },
  ],
  [
    "a wrong key",
    () => send(CHAT, JSON.stringify(chat()), "wrong"),
    { status: 401, code: "invalid_key" },
  ],
  [
    "an inference key on an admin path",
    () => send("/admin/keys", "{}"),
    { status: 403, code: "forbidden" },
  ],
  ["a path that is not there", () => send("/v1/nothing", "{}"), { status: 404, code: "not_found" }],
];

it.each(cases)("%s is refused with its own code", async (_, run, expected) => {
  expect(await run()).toEqual(expected);
});

it("the fixed keys do not work under the name of another host", async () => {
  const { port } = new URL(service.url);
  const headers = { host: "brink.example", authorization: "Bearer brink-dev" };
  const status = await new Promise((done, fail) => {
    const request = get({ host: "127.0.0.1", port, path: "/v1/models", headers }, (response) => {
      response.resume();
      done(response.statusCode);
    });
    request.on("error", fail);
  });
  expect(status).toBe(401);
});

it("a document among bad ones is kept, and each bad one is named", async () => {
  const lines = ['{"id":"b","text":"The ferry leaves at noon."}', "{not json", '{"id":"c"}'];
  const response = await fetch(`${service.url}/admin/namespaces/kept/documents`, {
    method: "POST",
    headers: { authorization: "Bearer brink-admin", "content-type": "application/x-ndjson" },
    body: lines.join("\n"),
  });
  const body = (await response.json()) as { upserted: number; errors: { index: number }[] };
  expect(body.upserted).toBe(1);
  expect(body.errors.map(({ index }) => index)).toEqual([1, 2]);
});

it("after all of that the service still answers, and nothing was lost", async () => {
  const { status, body } = await service.call("POST", CHAT, chat());
  expect(status).toBe(200);
  expect(body.brink.answer).toContain("Ines");
});
