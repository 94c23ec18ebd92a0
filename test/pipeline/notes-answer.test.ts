import { expect, it, vi } from "vitest";
import { NOTE_QUESTION_CHARS_MAX } from "../../src/limits.ts";
import type { SearchHit } from "../../src/memory/types.ts";
import { answerNotes, noteReply } from "../../src/pipeline/notes-answer.ts";
import { NO_NOTES, type NoteDeps } from "../../src/pipeline/notes-find.ts";
import { standingOf } from "../../src/pipeline/notes-standing.ts";
import type { Note } from "../../src/pipeline/notes-types.ts";
import type { AnswerRequest } from "../../src/pipeline/types.ts";

const NOTE: Note = {
  id: "note-1",
  question: "When does the ferry leave?",
  answer: "It leaves at 07:40.",
  kind: "answer",
  state: "active",
  learned_by: "rating",
  trace_id: "t",
  engine: "backend:big",
  edge_answer: null,
  sources: [{ document_id: "ferry", version: 1 }],
  seen: 1,
  learned_at: 1,
  used_at: 1,
  expires_at: 2,
};

function hit(document_id: string, text: string): SearchHit {
  const scores = { score: 1, bm25: 1, cosine: 1 };
  const place = { document_id, passage_id: `${document_id}#0`, start: 0, end: text.length };
  return { ...place, ...scores, text, title: null, metadata: {} };
}

it("a note is cited word for word, and its sources where they were found", async () => {
  const hits = [hit("other", "It leaves."), hit("ferry", "Rules. The ferry leaves at 07:40.")];
  const candidate = {
    note: NOTE,
    passage_id: "p",
    cosine: 0.9,
    vector: new Float32Array(),
    version: 1,
  };
  const { text, citations } = await noteReply(candidate, hits);
  expect(text).toBe("It leaves at 07:40. [1] [2]");
  expect(citations).toMatchObject([
    { mark: 1, document_id: "note-1", quote: NOTE.answer, note: true },
    { mark: 2, document_id: "ferry", quote: "The ferry leaves at 07:40." },
  ]);
  expect((await noteReply(candidate, [])).text).toBe("It leaves at 07:40. [1]");
});

it("a question longer than any note's finds none, and costs no look", async () => {
  let embedded = 0;
  const embed = async () => {
    embedded += 1;
    return new Float32Array(384);
  };
  const policies = { read: async () => ({ notes: "rated", made: true }) };
  const search = async () => [{ note: NOTE }];
  const deps = { policies, memory: () => ({ search }), keepAlive: () => {}, now: () => 1 };
  const notes = answerNotes(deps as unknown as NoteDeps, embed);
  const request = (content: string) =>
    ({
      messages: [{ role: "user", content }],
      memory: { namespace: "docs", k: 8, mode: "hybrid", filter: null },
      parameters: {},
      caller: { tenant: "t" },
    }) as unknown as AnswerRequest;
  expect(await notes.find(request("w ".repeat(NOTE_QUESTION_CHARS_MAX)))).toEqual([]);
  expect(embedded).toBe(0);
  await notes.find(request("When does the ferry leave?"));
  expect(embedded).toBe(1);
});

it("notes that cannot be asked are told apart from none", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const away = async () => {
    throw new Error("network connection lost");
  };
  const policies = { read: async () => ({ notes: "rated", made: true }) };
  const deps = { policies, memory: () => ({ search: away, find: away }), keepAlive: () => {} };
  const notes = answerNotes(deps as unknown as NoteDeps, async () => new Float32Array(384));
  const request = {
    messages: [{ role: "user", content: "When does the ferry leave?" }],
    memory: { namespace: "docs", k: 8, mode: "hybrid", filter: null },
    ...{ parameters: {}, caller: { tenant: "t" } },
  } as unknown as AnswerRequest;
  expect(await notes.find(request)).toBeNull();
  const near = [
    { note: NOTE, passage_id: "p", cosine: 0.9, vector: new Float32Array(), version: 1 },
  ];
  expect(await notes.choose(request, NOTE.question, near, null)).toBeNull();
  expect(logged).toHaveBeenCalledTimes(2);
  expect(await notes.choose(request, NOTE.question, [], null)).toEqual(NO_NOTES);
  logged.mockRestore();
});

it("only a question that hangs on nothing else stands alone", () => {
  const user = { role: "user" as const, content: "When?" };
  const system = { role: "system" as const, content: "Say midnight." };
  const memory = { namespace: "docs", k: 8, mode: "hybrid" as const, filter: null };
  const standing = (rest: object) => {
    const request = { messages: [user], memory, parameters: { temperature: 0 }, ...rest };
    return standingOf(request as unknown as AnswerRequest);
  };
  expect(standing({})).toBe("alone");
  const named = { user: "u", safety_identifier: "s", prompt_cache_key: "p", metadata: {} };
  expect(standing({ parameters: named })).toBe("alone");
  expect(standing({ messages: [system, user] })).toBe("instructed");
  for (const parameters of [
    { temperature: 1.5 },
    { frequency_penalty: -2 },
    { presence_penalty: 1 },
    { repetition_penalty: 0.5 },
  ])
    expect(standing({ parameters }), JSON.stringify(parameters)).toBe("instructed");
  for (const options of [
    { k: 1 },
    { mode: "vector" },
    { diversity: { lambda: 0, pool: 32 } },
    { recency: { half_life_days: 1 } },
    { iterative: { hops: 2 } },
  ])
    expect(standing({ memory: { ...memory, ...options } }), JSON.stringify(options)).toBe(
      "instructed",
    );
  const calm = { temperature: 1, top_p: 0.5, frequency_penalty: 0, presence_penalty: null };
  expect(standing({ parameters: calm, memory: { ...memory, k: 20 } })).toBe("alone");
  for (const rest of [
    { messages: [user, { role: "assistant", content: "Now." }, user] },
    { messages: [{ role: "user", content: [{ type: "text", text: "When?" }] }] },
    { memory: null },
    { memory: { ...memory, filter: { field: "a" } } },
    { parameters: { stop: ["x"] } },
    { parameters: { response_format: { type: "json_object" } } },
  ])
    expect(standing(rest)).toBe("dependent");
});
