/** Notes that are taken out of use, by a rating or by hand, and what comes of them. */
import { expect, it } from "vitest";
import { NOTE_ID } from "../../src/pipeline/notes.ts";
import { backendOutcome, QUESTION, start } from "./noting.ts";

/** What a note's answer leaves behind. */
function noteOutcome(id: string) {
  return backendOutcome({ route: "edge", engine: NOTE_ID, notes: [id] });
}

it("a correction takes the place of the note that it set aside", async () => {
  const { learn, answerTo, list, notes, admin } = await start("set aside");
  await learn(backendOutcome());
  const { id } = (await list())[0]!;
  expect(await learn(noteOutcome(id), admin, "It leaves at 07:45.")).toBe("note");
  expect(await list()).toMatchObject([{ id, kind: "correction" }]);
  expect(await list("pending")).toEqual([]);
  await notes.remove(admin, "docs", id);
  expect(await answerTo(QUESTION)).toBe(null);
  await expect(notes.get(admin, "docs", id)).rejects.toMatchObject({ code: "not_found" });
});

it("so does one that an administrator approves", async () => {
  const { learn, answerTo, rateBad, list, notes, admin, user } = await start("approved");
  await learn(backendOutcome());
  const { id } = (await list())[0]!;
  expect(await learn(noteOutcome(id), user, "It leaves at 07:45.")).toBe("pending");
  const [old, correction] = await list("pending");
  expect(old).toMatchObject({ id, kind: "answer" });
  const approved = await notes.patch(admin, "docs", correction!.id, { state: "active" });
  expect(approved).toMatchObject({ id, answer: "It leaves at 07:45." });
  expect(await list("pending")).toEqual([]);
  await rateBad(noteOutcome(id), admin);
  expect(await answerTo(QUESTION)).toBe(null);
  expect(await notes.patch(admin, "docs", id, { state: "active" })).toMatchObject({ id });
  expect(await list("pending")).toEqual([]);
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:45.");
});
