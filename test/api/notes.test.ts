import { expect, it } from "vitest";
import { NotePolicyReply, NoteReply, NotesReply } from "../../src/api/schema/notes.ts";
import { NOTE_ANSWER_CHARS_MAX, NOTES_PAGE_MAX } from "../../src/limits.ts";
import { NOTE } from "./fake-notes.ts";
import { startApi } from "./fake-service.ts";

const NOTES = "/admin/namespaces/docs/notes";
const POLICY = "/admin/namespaces/docs/note-policy";

it("notes are listed a page at a time, the active ones unless others are asked for", async () => {
  const { call, service } = startApi();
  const page = NotesReply.parse(await (await call(NOTES)).json());
  expect(page).toEqual({ notes: [NOTE], cursor: "7" });
  await call(`${NOTES}?state=pending&limit=5&cursor=7`);
  expect(service.calls.map((args) => args[3])).toEqual([
    { state: "active", limit: NOTES_PAGE_MAX, cursor: null },
    { state: "pending", limit: 5, cursor: "7" },
  ]);
});

it("a note is read, changed and removed", async () => {
  const { call, outcome, service } = startApi();
  const path = `${NOTES}/${NOTE.id}`;
  expect(NoteReply.parse(await (await call(path)).json())).toEqual(NOTE);
  expect(await outcome(`${NOTES}/other`)).toEqual([404, "not_found"]);
  const json = {
    answer: " On 4 May. ",
    state: "pending",
    expires_at: 1_800_000_000,
    confirm: true,
  };
  await call(path, { method: "PATCH", json });
  await call(path, { method: "PATCH", json: { answer: null, confirm: true } });
  const removed = await call(path, { method: "DELETE" });
  expect(await removed.json()).toEqual({ id: NOTE.id, deleted: true });
  const patches = service.calls.filter(([name]) => name === "patchNote").map((args) => args[4]);
  const expires_at = 1_800_000_000_000;
  expect(patches).toEqual([
    { answer: "On 4 May.", state: "pending", expires_at, confirm: true },
    { confirm: true },
  ]);
});

it.each([
  {},
  { answer: null },
  { answer: " " },
  { answer: "a".repeat(NOTE_ANSWER_CHARS_MAX + 1) },
  { state: "gone" },
  { confirm: false },
  { question: "another" },
])("a note is not changed by %j", async (json) => {
  const { outcome } = startApi();
  const options = { method: "PATCH", json };
  expect(await outcome(`${NOTES}/${NOTE.id}`, options)).toEqual([400, "invalid_request"]);
});

it("the policy is shown and changed, within its bounds", async () => {
  const { call, outcome } = startApi();
  const put = (json: object) => ({ method: "PUT", json });
  expect(NotePolicyReply.parse(await (await call(POLICY)).json()).notes).toBe("rated");
  const changed = await call(POLICY, put({ notes: "agreed", ttl_days: null }));
  expect(await changed.json()).toEqual({ notes: "agreed", ttl_days: 30 });
  for (const json of [{ notes: "all" }, { ttl_days: 0 }, { ttl_days: 366 }, { days: 3 }])
    expect(await outcome(POLICY, put(json))).toEqual([400, "invalid_request"]);
});

it("notes need an admin key and a namespace that is there", async () => {
  const { outcome } = startApi();
  expect(await outcome(NOTES, { key: "brink-dev" })).toEqual([403, "forbidden"]);
  expect(await outcome("/admin/namespaces/nowhere/notes")).toEqual([404, "namespace_not_found"]);
  expect(await outcome("/admin/namespaces/docs~notes/notes")).toEqual([400, "invalid_request"]);
});
