/** Notes that are taken out of use, by a rating or by hand, and what comes of them. */
import { expect, it } from "vitest";
import { NOTE_AGREED_TIMES } from "../../src/limits.ts";
import { NOTE_ID, noteAgreed } from "../../src/pipeline/notes.ts";
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

it("the last rating of an answer counts for the note that was learned from it", async () => {
  const { learn, answerTo, rateBad, list, user } = await start("changed mind");
  const rated = backendOutcome();
  expect(await learn(rated)).toBe("note");
  await rateBad(backendOutcome({ text: "At 07:40 [1]." })); // another answer to the question
  await rateBad(backendOutcome({ standing: "dependent" }));
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  await rateBad(rated);
  expect(await answerTo(QUESTION)).toBe(null);
  expect(await list("pending")).toMatchObject([{ answer: "It leaves at 07:40." }]);
  expect(await learn(rated)).toBe("note");
  expect(await learn(rated, user, "It leaves at 07:45.")).toBe("pending");
  expect(await answerTo(QUESTION)).toBe(null);
});

it("what was agreed on is set aside by a bad rating from any key", async () => {
  const { deps, answerTo, rateBad, user } = await start("agreed badly", { notes: "agreed" });
  const agreed = backendOutcome({ edge_answer: "07:40" });
  await noteAgreed(deps, user, agreed);
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  await rateBad(agreed);
  expect(await answerTo(QUESTION)).toBe(null);
});

it("who may write vouches for a correction against a bad rating of the same answer", async () => {
  const { learn, answerTo, rateBad, writer } = await start("vouched");
  const right = "It leaves at 07:40.";
  await learn(backendOutcome({ text: "At noon." }), writer, right);
  await rateBad(backendOutcome());
  await rateBad(backendOutcome(), writer);
  expect(await answerTo(QUESTION)).toBe(right);
});

it("engines that agree once more do not bring back what was set aside", async () => {
  const one = await start("agreed again", { notes: "agreed" });
  const { deps, answerTo, rateBad, learn, list, notes, admin, user } = one;
  const agreed = backendOutcome({ edge_answer: "07:40" });
  const agree = async () => {
    for (let i = 0; i < NOTE_AGREED_TIMES; i++) await noteAgreed(deps, user, agreed);
    return answerTo(QUESTION);
  };
  expect(await agree()).toBe("It leaves at 07:40.");
  const { id } = (await list())[0]!;
  await rateBad(noteOutcome(id));
  expect(await agree()).toBe(null);
  expect(await list("pending")).toMatchObject([{ id, learned_by: "agreement", seen: 0 }]);
  expect((await notes.patch(admin, "docs", id, { state: "active" })).state).toBe("active");
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  await notes.patch(admin, "docs", id, { state: "pending" });
  expect(await agree()).toBe(null);
  expect(await learn(agreed)).toBe("note"); // what is rated good is
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
});

it("what was rated bad before engines agreed on it is not agreed on", async () => {
  const { deps, answerTo, rateBad, user } = await start("rated early", { notes: "agreed" });
  await noteAgreed(deps, user, backendOutcome());
  await rateBad(backendOutcome());
  for (let i = 0; i < NOTE_AGREED_TIMES; i++) await noteAgreed(deps, user, backendOutcome());
  expect(await answerTo(QUESTION)).toBe(null);
});

it("a rating takes nothing away of what somebody wrote and an administrator judges", async () => {
  const one = await start("judged");
  const { learn, answerTo, rateBad, list, notes, admin, writer } = one;
  const right = "It leaves at 07:45.";
  expect(await learn(backendOutcome({ text: "At nine." }), writer, right)).toBe("note");
  const { id } = (await list())[0]!;
  await notes.patch(admin, "docs", id, { state: "pending" });
  expect(await learn(backendOutcome())).toBe("note");
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  const [waiting, ...others] = await list("pending");
  expect([waiting!.answer, others]).toEqual([right, []]);
  expect(await notes.get(admin, "docs", waiting!.id)).toMatchObject({ answer: right });
  // Neither a bad rating from any key, nor a note to a question that reads like both texts.
  await rateBad(backendOutcome());
  const likeBoth = { question: `${QUESTION} ${right}`, text: "Yes." };
  expect(await learn(backendOutcome(likeBoth))).toBe("note");
  await rateBad(backendOutcome(likeBoth));
  const left = (await list("pending")).map(({ answer }) => answer);
  expect(left.sort()).toEqual(["It leaves at 07:40.", right, "Yes."]);
  const approved = await notes.patch(admin, "docs", waiting!.id, { state: "active" });
  expect(approved).toMatchObject({ id, answer: right });
  expect(await answerTo(QUESTION)).toBe(right);
});
