/** The life of notes on real memory objects, without models: a text's vector is its words. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import {
  NOTE_ANSWER_CHARS_MAX,
  NOTE_SOURCES_MAX,
  NOTES_IN_PROMPT_MAX,
  NOTES_MAX,
  NOTES_PENDING_MAX,
} from "../../src/limits.ts";
import { learnNote, NOTE_ID, noteAgreed } from "../../src/pipeline/notes.ts";
import { NoteStore } from "../../src/pipeline/notes-store.ts";
import type { Outcome } from "../../src/router/outcome.ts";
import { embedWords, prepared, store } from "./documents.ts";
import { backendOutcome, QUESTION, start } from "./noting.ts";

it("a good backend answer answers the same question, in other words too", async () => {
  const { learn, answerTo, ask } = await start("good");
  expect(await answerTo(QUESTION)).toBe(null);
  expect(await learn(backendOutcome())).toBe("note");
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  expect(await answerTo("when does the Skagen ferry leave")).toBe(null); // in another order
  expect(await answerTo("Please tell me when the ferry to Skagen leaves.")).toBe(
    "It leaves at 07:40.",
  );
  const { match } = await ask(QUESTION);
  expect(match).toMatchObject({
    how: "word for word",
    note: { trace_id: "t1", engine: "backend:big", learned_by: "rating" },
  });
  expect(match!.note.sources).toMatchObject([{ document_id: "ferry", version: 1 }]);
});

it.each([
  "When does the ferry to Frederikshavn leave?",
  "When does the ferry to Skagen not leave?",
  "When does the second ferry to Skagen leave?",
  "When does the ferry to Skagen leave in 2027?",
  "Why does the ferry to Skagen leave?",
  "Where does the ferry to Skagen leave?",
])("one fact makes another question: %s", async (other) => {
  const { learn, answerTo } = await start(`fact ${other.length} ${other.slice(0, 3)}`);
  await learn(backendOutcome());
  expect(await answerTo(other, "07:40")).toBe(null);
});

it("a note expires, with its policy's time", async () => {
  const { learn, answerTo, clock } = await start("expiry", { ttl_days: 30 });
  clock.ms -= 31 * 86_400_000;
  expect(await learn(backendOutcome())).toBe("note");
  expect(await answerTo(QUESTION)).toBe(null);
});

it("a note whose document changed answers nothing until it is confirmed", async () => {
  const { learn, answerTo, list, notes, memory, admin } = await start("stale");
  await learn(backendOutcome());
  await store(memory, [prepared("ferry", "The ferry to Skagen leaves at 08:10.")]);
  expect(await answerTo(QUESTION)).toBe(null);
  const [note] = await list();
  expect(note).toMatchObject({ stale: true, question: QUESTION });
  const answer = "It leaves at 08:10.";
  const mended = await notes.patch(admin, "docs", note!.id, { answer, confirm: true });
  expect(mended).toMatchObject({ answer, stale: false, learned_by: "admin", state: "active" });
  expect(await answerTo(QUESTION)).toBe(answer);
  await memory.remove(["ferry"]);
  expect(await answerTo(QUESTION)).toBe(null);
});

it("what changed between the answer and its rating is not learned", async () => {
  const { learn, memory } = await start("late");
  await store(memory, [prepared("ferry", "The ferry to Skagen leaves at 08:10.")]);
  expect(await learn(backendOutcome())).toBe(null);
});

it("notes are listed, and gone once removed", async () => {
  const { learn, answerTo, list, notes, admin } = await start("removed");
  await learn(backendOutcome());
  const [note] = await list();
  await notes.remove(admin, "docs", note!.id);
  expect(await answerTo(QUESTION)).toBe(null);
  expect(await list()).toEqual([]);
  await expect(notes.remove(admin, "docs", note!.id)).rejects.toMatchObject({ code: "not_found" });
  await expect(notes.get(admin, "nowhere", "x")).rejects.toMatchObject({
    code: "namespace_not_found",
  });
});

it("nobody's note answers another tenant", async () => {
  const one = await start("tenant-a");
  const other = await start("tenant-b");
  await one.learn(backendOutcome());
  expect(await other.answerTo(QUESTION)).toBe(null);
  expect(await other.list()).toEqual([]);
});

it("a correction of who may not write waits for an administrator", async () => {
  const { learn, answerTo, list, notes, admin, user, writer } = await start("poison");
  await learn(backendOutcome());
  const lie = "It leaves at midnight.";
  const other = backendOutcome({ trace_id: "t2", text: "At 07:40 [1]." });
  expect(await learn(other, user, lie)).toBe("pending");
  expect(await learn(other, user, "It never leaves.")).toBe("pending");
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  const waiting = await list("pending");
  expect(waiting.map(({ answer }) => answer)).toEqual([lie, "It never leaves."]);
  expect(await learn(backendOutcome(), writer, "It leaves at 07:45.")).toBe("note");
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:45.");
  expect(await learn(backendOutcome())).toBe(null); // corrections beat answers
  const approved = await notes.patch(admin, "docs", waiting[0]!.id, { state: "active" });
  expect(approved).toMatchObject({ state: "active", kind: "correction", answer: lie });
  expect(await answerTo(QUESTION)).toBe(lie);
  expect((await list("pending")).map(({ answer }) => answer)).toEqual(["It never leaves."]);
});

it("what an engine was instructed to say is learned of who may write alone", async () => {
  const { learn, writer } = await start("instructed");
  const instructed = backendOutcome({ standing: "instructed" });
  expect(await learn(instructed)).toBe(null);
  expect(await learn(instructed, writer)).toBe("note");
  expect(await learn(backendOutcome({ standing: "dependent" }), writer)).toBe(null);
});

it("notes never feed on what notes or the edge said", async () => {
  const { learn, list } = await start("feeding");
  const edge = { route: "edge" as const };
  expect(await learn(backendOutcome({ ...edge, engine: "brink-reader" }))).toBe(null);
  expect(await learn(backendOutcome({ ...edge, engine: NOTE_ID, notes: ["note-1"] }))).toBe(null);
  expect(await learn(backendOutcome({ notes: ["note-1"] }))).toBe(null); // it was in the prompt
  expect(await list()).toEqual([]);
});

it("a note that gave a bad answer is taken out of use", async () => {
  const { learn, answerTo, list, deps, user } = await start("doubt");
  await learn(backendOutcome());
  const { id } = (await list())[0]!;
  const said = backendOutcome({ route: "edge", engine: NOTE_ID, notes: [id] });
  expect(await learnNote(deps, user, said, "bad", null)).toBe(null);
  expect(await answerTo(QUESTION)).toBe(null);
  expect(await list("pending")).toMatchObject([{ id, kind: "answer" }]);
});

it("a correction of a like question is for the backend to read", async () => {
  const { learn, ask, writer } = await start("near");
  await learn(backendOutcome(), writer, "It leaves at 07:45.");
  const { match, corrections } = await ask("When does the ferry to Frederikshavn leave?");
  expect(match).toBe(null);
  expect(corrections.map(({ answer }) => answer)).toEqual(["It leaves at 07:45."]);
});

it("so many corrections are for a prompt, the nearest", async () => {
  const { learn, ask, writer } = await start("many near");
  const asked = "When does the ferry to Frederikshavn leave?";
  const towns = Array.from({ length: NOTES_IN_PROMPT_MAX + 1 }, (_, i) => `Town${i}`);
  for (const [i, town] of towns.entries()) {
    const question = asked.replace("Frederikshavn", town);
    await learn(backendOutcome({ question }), writer, `It leaves at 07:4${i}.`);
    expect((await ask(asked)).corrections).toHaveLength(Math.min(i + 1, NOTES_IN_PROMPT_MAX));
  }
});

it("a note hangs on so many documents, the first that its answer cites", async () => {
  const { learn, list, memory } = await start("sources");
  const ids = Array.from({ length: NOTE_SOURCES_MAX + 1 }, (_, i) => `d${i}`);
  const stored = await store(
    memory,
    ids.map((id) => prepared(id, `Ferry ${id} leaves.`)),
  );
  expect(stored).toHaveLength(ids.length);
  const passages = ids.map((id) => ({ document_id: id, passage_id: `${id}#0`, version: 1 }));
  for (const [upto, question] of [
    [NOTE_SOURCES_MAX, "Which ferries leave?"],
    [NOTE_SOURCES_MAX + 1, "Who leaves?"],
  ] as const) {
    const text = "All of them.";
    const cited = ids.slice(0, upto);
    expect(await learn(backendOutcome({ question, text, passages, cited }))).toBe("note");
    const note = (await list()).find((one) => one.question === question)!;
    const sources = note.sources.map(({ document_id }) => document_id);
    expect(sources).toEqual(ids.slice(0, NOTE_SOURCES_MAX));
  }
});

it("of the notes that wait, those that were unused for longest are forgotten", async () => {
  const { learn, list, writer, user } = await start("many waiting");
  await learn(backendOutcome(), writer);
  await learn(backendOutcome(), user, "It leaves at midnight.");
  const [note] = await list("pending");
  const stub = env.MEMORY.getByName("many waiting/docs~pending");
  const pending = new NoteStore(stub, "pending");
  for (let i = 1; i <= NOTES_PENDING_MAX; i++)
    await pending.put({ ...note!, id: `n${i}`, used_at: note!.used_at + i }, embedWords(`n${i}`));
  const oldest = async () => {
    await pending.make(); // it looks for what to forget at once
    await runDurableObjectAlarm(stub);
    return (await list("pending"))[0]!.id;
  };
  expect(await oldest()).toBe("n1");
  const { documents } = await stub.stats();
  expect(documents).toBe(NOTES_PENDING_MAX);
  await pending.remove("n1");
  expect(await oldest()).toBe("n2");
  expect((await stub.stats()).documents).toBe(NOTES_PENDING_MAX - 1);
  const { forget } = await env.MEMORY.getByName("many waiting/docs~notes").options();
  expect(forget).toEqual({ max_documents: NOTES_MAX });
});

it("policy agreed takes what the reader found too, or what was said three times", async () => {
  const { deps, answerTo, user } = await start("agreed", { notes: "agreed" });
  const agree = (rest: Partial<Outcome>) => noteAgreed(deps, user, backendOutcome(rest));
  await agree({ edge_answer: "07:40" });
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  const question = "Who runs the ferry?";
  const text = "The town runs it.";
  for (const expected of [null, null, text]) {
    await agree({ question, text });
    expect(await answerTo(question)).toBe(expected);
  }
});

it("by default agreement teaches nothing, and policy off neither learns nor answers", async () => {
  const one = await start("rated");
  await noteAgreed(one.deps, one.user, backendOutcome({ edge_answer: "07:40" }));
  expect(await one.answerTo(QUESTION)).toBe(null);
  await one.learn(backendOutcome());
  await one.notes.putPolicy(one.admin, "docs", { notes: "off" });
  expect(await one.answerTo(QUESTION)).toBe(null);
  expect(await one.learn(backendOutcome())).toBe(null);
});

it("an answer that is too long is none to keep", async () => {
  const { learn } = await start("long");
  expect(await learn(backendOutcome({ text: "a ".repeat(NOTE_ANSWER_CHARS_MAX) }))).toBe(null);
});

it("the use of a note is written down once a day", async () => {
  const { learn, answerTo, list, clock, work } = await start("used");
  await learn(backendOutcome());
  const [before] = await list();
  await answerTo(QUESTION);
  clock.ms += 2 * 86_400_000;
  await answerTo(QUESTION);
  await Promise.all(work);
  const [after] = await list();
  expect(after!.used_at - before!.used_at).toBe(2 * 86_400_000);
  expect(after).toEqual({ ...before, used_at: after!.used_at });
});
