/** Documents from the command line, against a service over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Command, Values } from "../../cli/command.ts";
import { documentsList, documentsRemove, documentsShow } from "../../cli/documents.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const PATH = "/admin/namespaces/docs/documents";
const reply = (call: string, body: unknown) => service.canned.set(call, [{ status: 200, body }]);
const run = (command: Command, args: string[], values: Values = {}) =>
  runCommand(command, args, { url: service.url, ...values });
const FACTS = {
  ...{ id: "lease/7", title: "The\u001b lease", metadata: { year: 2026 }, version: 3 },
  ...{ content_type: "text/plain", time: 0, expires_at: null, passages: 2, brought: false },
  updated_at: 90_000_000,
};

it("documents are listed by pages, without what would command a terminal", async () => {
  reply(`GET ${PATH}?limit=100`, { documents: [FACTS], cursor: "c 1" });
  const { out } = await run(documentsList, ["docs"]);
  expect(out).toMatch(/^lease\/7 +The lease +3 +2 +1970-01-02 01:00$/m);
  expect(out).toContain("more: --cursor c 1");
  reply(`GET ${PATH}?limit=2&cursor=c+1`, { documents: [], cursor: null });
  const next = await run(documentsList, ["docs"], { limit: "2", cursor: "c 1" });
  expect(next.out).toBe("no documents");
  await expect(run(documentsList, ["docs"], { limit: "0" })).rejects.toThrow("--limit is a number");
});

it("a document's text stands alone on stdout, so that it can be taken", async () => {
  reply(`GET ${PATH}/lease%2F7`, { ...FACTS, text: "It ends\non 3 May.\u0007" });
  const { out, said } = await run(documentsShow, ["docs", "lease/7"]);
  expect(out).toBe("It ends\non 3 May.");
  expect(said).toMatch(/^title +The lease$/m);
  expect(said).toMatch(/^metadata +{"year":2026}$/m);
  expect(said).toMatch(/^updated_at +1970-01-02 01:00$/m);
  expect(said).toMatch(/^expires_at +null$/m);
  await expect(run(documentsShow, ["docs"])).rejects.toThrow("name a namespace and a document");
});

it("a document is removed by its id, and by a filter only when that is said", async () => {
  reply(`DELETE ${PATH}/lease%2F7`, { id: "lease/7", deleted: true });
  expect((await run(documentsRemove, ["docs", "lease/7"])).out).toBe("removed lease/7");
  const filter = '{"state": "draft"}';
  await expect(run(documentsRemove, ["docs"], { filter })).rejects.toThrow(
    "removes every document of docs that it matches: add --yes",
  );
  for (const wrong of [{ filter: "draft" }, {}])
    await expect(run(documentsRemove, ["docs"], { ...wrong, yes: true })).rejects.toThrow();
  await expect(run(documentsRemove, ["docs", "a"], { filter })).rejects.toThrow("not both");
  expect(service.calls).toHaveLength(1);
  reply(`POST ${PATH}/delete`, { deleted: 4 });
  const { out } = await run(documentsRemove, ["docs"], { filter, yes: true });
  expect([out, JSON.parse(service.bodies.at(-1)!)]).toEqual([
    "removed 4 documents",
    { filter: { state: "draft" } },
  ]);
});
