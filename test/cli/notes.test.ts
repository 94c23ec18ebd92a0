/** Notes from the command line, against a service over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { notesApprove, notesList, notesPolicy, notesRemove } from "../../cli/notes.ts";
import { NOTE } from "../api/fake-notes.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const NOTES = "/admin/namespaces/docs/notes";
const reply = (call: string, body: unknown) => service.canned.set(call, [{ status: 200, body }]);

it("notes are listed with where they are from, and what waits when that is asked for", async () => {
  reply(`GET ${NOTES}?state=active`, { notes: [NOTE], cursor: "7" });
  const { out } = await runCommand(notesList, ["docs"], { url: service.url });
  expect(out).toContain("note-1  answer by rating, from backend:big, until 1970-01-01 00:00");
  expect(out).toContain("When does the lease end?");
  expect(out).toContain("more: --cursor 7");
  reply(`GET ${NOTES}?state=pending&cursor=7`, { notes: [], cursor: null });
  const values = { url: service.url, pending: true, cursor: "7" };
  expect((await runCommand(notesList, ["docs"], values)).out).toContain("no notes");
});

it("a note is approved and removed by its id", async () => {
  const values = { url: service.url };
  reply(`PATCH ${NOTES}/a%2Fb`, { ...NOTE, id: "note-2" });
  const { out } = await runCommand(notesApprove, ["docs", "a/b"], values);
  expect(out).toContain("note-2 answers");
  expect(service.bodies.map((body) => JSON.parse(body))).toEqual([
    { state: "active", confirm: true },
  ]);
  reply(`DELETE ${NOTES}/a%2Fb`, { id: "a/b", deleted: true });
  expect((await runCommand(notesRemove, ["docs", "a/b"], values)).out).toContain("removed a/b");
  await expect(runCommand(notesRemove, ["docs"], values)).rejects.toThrow("name a namespace");
});

it("what becomes a note is shown, and changed by what is named alone", async () => {
  const path = "/admin/namespaces/docs/note-policy";
  const values = { url: service.url };
  reply(`GET ${path}`, { notes: "rated", ttl_days: 30 });
  const { out } = await runCommand(notesPolicy, ["docs"], values);
  expect(out).toBe("notes     rated\nttl_days  30");
  for (const changes of [{ notes: "off" }, { "ttl-days": "7" }]) {
    reply(`PUT ${path}`, { notes: "off", ttl_days: 7 });
    await runCommand(notesPolicy, ["docs"], { ...values, ...changes });
  }
  const sent = service.bodies.slice(1).map((body) => JSON.parse(body));
  expect(sent).toEqual([{ notes: "off" }, { ttl_days: 7 }]);
  await expect(runCommand(notesPolicy, ["docs"], { ...values, "ttl-days": "" })).rejects.toThrow(
    "--ttl-days is a number",
  );
});
