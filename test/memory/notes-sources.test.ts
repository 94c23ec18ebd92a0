/** By what a note goes stale, on real memory objects. */
import { expect, it } from "vitest";
import { NOTE_ID } from "../../src/pipeline/notes.ts";
import { noteStore } from "../../src/pipeline/notes-find.ts";
import { embedWords, hitsOf, type Memory, prepared, store } from "./documents.ts";
import { backendOutcome, QUESTION, start } from "./noting.ts";

const FERRY = prepared("ferry", "The ferry to Skagen leaves at 07:40.");
const LATER = prepared("ferry", "The ferry to Skagen leaves at 08:10.");

it("a document that was removed and came back otherwise makes a note stale", async () => {
  const { learn, answerTo, list, notes, memory, admin } = await start("loaded anew");
  await learn(backendOutcome());
  await memory.remove(["ferry"]);
  await store(memory, [LATER]);
  expect((await memory.get("ferry"))!.version).toBe(1); // as it was at the learning
  expect(await answerTo(QUESTION)).toBe(null);
  const [note] = await list();
  expect(note).toMatchObject({ stale: true });
  expect(await notes.patch(admin, "docs", note!.id, { confirm: true })).toMatchObject({
    stale: false,
  });
  await memory.remove(["ferry"]);
  await store(memory, [FERRY]);
  expect(await answerTo(QUESTION)).toBe(null);
});

it("one that says the same again does not", async () => {
  const { learn, answerTo, memory } = await start("said again");
  await learn(backendOutcome());
  await store(memory, [LATER]);
  expect(await answerTo(QUESTION)).toBe(null);
  await store(memory, [FERRY]);
  expect((await memory.get("ferry"))!.version).toBe(3);
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
});

it("a note that was stored without digests goes by versions", async () => {
  const { learn, answerTo, list, deps, memory } = await start("undigested");
  await learn(backendOutcome());
  const { stale: _, ...note } = (await list())[0]!;
  const sources = [{ document_id: "ferry", version: 1 }];
  const old = { ...note, sources };
  await noteStore(deps, "undigested", "docs", "active").put(old, embedWords(QUESTION));
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:40.");
  await store(memory, [LATER]);
  expect(await answerTo(QUESTION)).toBe(null);
});

/** What an answer of the reader leaves behind that read `other` first and cites `ferry`. */
async function readFrom(memory: Memory) {
  await store(memory, [prepared("other", "The ferry to Skagen has a kitchen.")]);
  const found = await hitsOf(memory, { ...SEARCH, vector: embedWords("ferry Skagen") });
  const hits = ["other", "ferry"].map((id) => found.find((hit) => hit.document_id === id)!);
  const passages = hits.map(({ document_id, passage_id, version, digest }) => {
    return { document_id, passage_id, version, digest };
  });
  const edge = { route: "edge" as const, engine: "brink-reader", text: "07:40 [1]" };
  return { ...edge, passages, cited: ["ferry"] };
}

const SEARCH = { query: "", k: 8, mode: "vector", filter: null, explain: false } as const;

it("a correction hangs on what the corrected answer cites, whatever its marks say", async () => {
  const { learn, answerTo, list, memory, writer } = await start("corrected");
  const read = backendOutcome(await readFrom(memory));
  const noted = { ...read, engine: NOTE_ID, notes: ["note-1"], text: "At 07:40. [1] [2]" };
  for (const outcome of [read, noted]) {
    expect(await learn(outcome, writer, "It leaves at 07:45.")).toBe("note");
    expect((await list())[0]!.sources).toMatchObject([{ document_id: "ferry", version: 1 }]);
  }
  await store(memory, [prepared("other", "The ferry to Skagen has no kitchen.")]);
  expect(await answerTo(QUESTION)).toBe("It leaves at 07:45.");
  await store(memory, [LATER]);
  expect(await answerTo(QUESTION)).toBe(null);
});

it("an answer that cites nothing hangs on what was read first", async () => {
  const { learn, list, memory } = await start("uncited");
  const { passages } = await readFrom(memory);
  expect(await learn(backendOutcome({ passages, cited: [] }))).toBe("note");
  const ids = (await list())[0]!.sources.map(({ document_id }) => document_id);
  expect(ids).toEqual(["other", "ferry"]);
});

it("what was loaded anew between the answer and its rating is not learned", async () => {
  const { learn, memory } = await start("loaded late");
  const { passages } = await readFrom(memory);
  await memory.remove(["ferry"]);
  await store(memory, [LATER]);
  const outcome = backendOutcome({ passages, cited: ["ferry"] });
  expect(outcome.passages.map(({ version }) => version)).toEqual([1, 1]);
  expect(await learn(outcome)).toBe(null);
  await memory.remove(["ferry"]);
  await store(memory, [FERRY]);
  expect(await learn(outcome)).toBe("note");
});

it("of an outcome that an earlier release kept, a backend's marks tell", async () => {
  const { learn, list, memory } = await start("kept before");
  await store(memory, [prepared("other", "The ferry to Skagen has a kitchen.")]);
  const passages = ["other", "ferry"].map((document_id) => {
    return { document_id, passage_id: `${document_id}#0`, version: 1 };
  });
  const { cited: _, ...kept } = backendOutcome({ passages, text: "It leaves at 07:40. [2]" });
  expect(await learn(kept)).toBe("note");
  expect((await list())[0]!.sources).toMatchObject([{ document_id: "ferry", version: 1 }]);
});
