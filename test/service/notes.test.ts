/** Notes over HTTP: the built Worker with a scripted backend. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { OpenAiServer } from "../support/openai-server.ts";
import { chat, fill, START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";

let backend: OpenAiServer;
let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, backend, stop } = await startWithBackend());
}, START_MS_MAX);
afterAll(() => stop?.());

const DOCUMENT = { id: "ferry", text: "The ferry to Skagen leaves at 07:40 and 16:10 daily." };
const QUESTION = "Who keeps the keys of the Skagen ferry?";
const ANSWER = "The harbour master keeps them.";

function ask(namespace: string, content: string, rest: object = {}) {
  const messages = [{ role: "user" as const, content }];
  return chat(service, { model: "auto", messages, memory: { namespace }, ...rest });
}

/** Has the backend say the same until it is a note. */
async function teach(namespace: string): Promise<void> {
  await fill(service, namespace, [DOCUMENT]);
  const policy = `/admin/namespaces/${namespace}/note-policy`;
  expect((await service.call("PUT", policy, { notes: "agreed" })).status).toBe(200);
  for (let i = 0; i < 3; i++) {
    backend.script({ text: `${ANSWER} [1]` });
    const { brink } = await ask(namespace, QUESTION, { model: "backend" });
    expect(brink.engine).toBe("backend:big-model");
  }
  const path = `/admin/namespaces/${namespace}/notes`;
  await expect
    .poll(async () => (await service.call("GET", path)).body.notes.length, { timeout: 10_000 })
    .toBe(1);
}

it("what a backend said three times the edge says next, from the note", async () => {
  await teach("agreed");
  const asked = backend.requests.length;
  const reply = await ask("agreed", `please tell me: ${QUESTION.toLowerCase()}`);
  expect(reply.choices[0].message.content).toContain(ANSWER);
  expect(reply.brink).toMatchObject({
    ...{ route: "edge", engine: "brink-note", answer: ANSWER, difficulty: 0.02 },
    note: { question: QUESTION, kind: "answer", learned_by: "agreement" },
  });
  expect(reply.brink.note.sources).toEqual([{ document_id: "ferry", version: 1 }]);
  expect(reply.brink.citations[0]).toMatchObject({ note: true, quote: ANSWER });
  expect(backend.requests.length).toBe(asked);
  const other = await ask("agreed", "Who keeps the keys of the Frederikshavn ferry?");
  expect(other.brink.engine).not.toBe("brink-note");
  const filtered = { namespace: "agreed", filter: { kind: "public" } };
  const narrowed = await ask("agreed", QUESTION, { memory: filtered });
  expect(narrowed.brink.engine).not.toBe("brink-note");
});

it("a streamed note is the same answer, and goes with its namespace", async () => {
  await teach("deleted");
  let text = "";
  for await (const chunk of await ask("deleted", QUESTION, { stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toContain(ANSWER);
  expect((await service.call("DELETE", "/admin/namespaces/deleted")).status).toBe(200);
  await fill(service, "deleted", [DOCUMENT]);
  expect((await ask("deleted", QUESTION)).brink.engine).not.toBe("brink-note");
  expect((await service.call("GET", "/admin/namespaces/deleted/notes")).body.notes).toEqual([]);
});
