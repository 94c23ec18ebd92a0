import { expect, it } from "vitest";
import { RememberReply } from "../../src/api/schema/remember.ts";
import { sha256Hex } from "../../src/pipeline/digest.ts";
import type { Caller, SubmittedDocument } from "../../src/pipeline/types.ts";
import { DEPLOYED, startApi } from "./fake-service.ts";

const REMEMBER = "/v1/memory/remember";

function remembered({ service }: ReturnType<typeof startApi>): SubmittedDocument[] {
  return service.calls.find(([name]) => name === "ingest")![3] as SubmittedDocument[];
}

it("each turn is a document with its conversation, its speaker and its time", async () => {
  const api = startApi();
  const json = {
    namespace: "docs",
    conversation: "call 7",
    turns: [
      { speaker: "Ana", text: "The heron is back.", time: "2026-11-24T09:00:00Z", id: "1" },
      { speaker: "Ben", text: "same" },
    ],
    metadata: { channel: "phone" },
  };
  const reply = RememberReply.parse(await (await api.call(REMEMBER, { json })).json());
  const [first, second] = remembered(api);
  expect(first).toEqual({
    id: "call 7/1",
    text: "The heron is back.",
    title: null,
    metadata: { channel: "phone", conversation: "call 7", speaker: "Ana" },
    expires_at: null,
    time: Date.UTC(2026, 10, 24, 9),
    content_type: "text/plain",
    if_version: null,
    embedding: null,
  });
  expect(second).toMatchObject({ time: null, metadata: { speaker: "Ben" } });
  expect(reply).toEqual({
    conversation: "call 7",
    turns: [
      { document_id: "call 7/1", version: 3, unchanged: false },
      { document_id: second!.id, version: 3, unchanged: true },
    ],
    errors: [],
  });
});

it("a turn without an id gets the same one again, and another where anything differs", async () => {
  const turns = [
    { speaker: "Ana", text: "yes", time: 1_000 },
    { speaker: "Ana", text: "yes", time: 2_000 },
    { speaker: "Ben", text: "yes", time: 1_000 },
    { speaker: "Ana", text: "no", time: 1_000 },
    { speaker: "Ana", text: "yes" },
  ];
  const ids = async (metadata: object) => {
    const api = startApi();
    await api.call(REMEMBER, { json: { conversation: "c", turns, metadata } });
    return remembered(api).map(({ id }) => id);
  };
  const made = await ids({});
  expect(new Set(made).size).toBe(turns.length);
  for (const id of made) expect(id).toMatch(/^c\/[0-9a-f]{32}$/);
  expect(await ids({ channel: "phone" })).toEqual(made);
});

it("a refused turn holds up no other; where all are, the first one's error is told", async () => {
  const { call, outcome } = startApi();
  const bad = { speaker: "Ana", text: "too much" };
  const good = { speaker: "Ana", text: "x", id: "g" };
  const reply = await call(REMEMBER, { json: { conversation: "c", turns: [bad, good] } });
  expect(await reply.json()).toMatchObject({
    turns: [{ document_id: "c/g" }],
    errors: [{ index: 0, code: "memory_full" }],
  });
  expect(await outcome(REMEMBER, { json: { conversation: "c", turns: [bad] } })).toEqual([
    413,
    "memory_full",
  ]);
});

it.each<[object, string]>([
  [{ conversation: "" }, "conversation"],
  [{ conversation: "a/b" }, "conversation"],
  [{ conversation: "c".repeat(129) }, "conversation"],
  [{ turns: [] }, "turns"],
  [{ turns: Array(257).fill({ speaker: "a", text: "x" }) }, "turns"],
  [{ turns: [{ speaker: "a", text: " " }] }, "turns[0].text"],
  [{ turns: [{ speaker: "", text: "x" }] }, "turns[0].speaker"],
  [{ turns: [{ speaker: "s".repeat(201), text: "x" }] }, "turns[0].speaker"],
  [{ turns: [{ speaker: "a", text: "x", id: "i".repeat(128) }] }, "turns[0].id"],
  [{ turns: [{ speaker: "a", text: "x", time: "today" }] }, "turns[0].time"],
  [{ turns: [{ speaker: "a", text: "x", role: "user" }] }, "turns[0].role"],
  [{ metadata: { speaker: "a" } }, "metadata.speaker"],
  [{ metadata: { conversation: "a" } }, "metadata.conversation"],
  [{ metadata: { a: "x".repeat(17_000) } }, "metadata"],
  [{ namespace: "UPPER" }, "namespace"],
])("turns sent with %j are refused at %s", async (rest, param) => {
  const json = { conversation: "c", turns: [{ speaker: "a", text: "x" }], ...rest };
  const response = await startApi().call(REMEMBER, { json });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "invalid_request", param } });
});

it("an inference key may write only where it was made to, and only to its namespaces", async () => {
  const api = startApi(DEPLOYED);
  const reader: Caller = {
    tenant: "default",
    scopes: ["inference"],
    namespaces: ["docs"],
    default_namespace: "docs",
  };
  api.service.callers.set(sha256Hex("old"), reader);
  api.service.callers.set(sha256Hex("reader"), reader);
  api.service.callers.set(sha256Hex("writer"), {
    ...reader,
    scopes: ["inference", "memory:write"],
  });
  api.service.callers.set(sha256Hex("admin"), { ...reader, scopes: ["admin"] });
  const json = { conversation: "c", turns: [{ speaker: "a", text: "x" }] };
  const send = (key: string, rest = {}) =>
    api.outcome(REMEMBER, { key, json: { ...json, ...rest } });
  expect(await send("old")).toEqual([403, "forbidden"]);
  expect(await send("reader")).toEqual([403, "forbidden"]);
  expect(await send("writer")).toEqual([200, null]);
  expect(await send("admin")).toEqual([200, null]);
  expect(await send("writer", { namespace: "other" })).toEqual([403, "namespace_forbidden"]);
});
