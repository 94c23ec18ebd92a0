import { expect, it } from "vitest";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { NOTE_SOURCES_MAX, OUTCOME_CHARS_MAX } from "../../src/limits.ts";
import type { SearchHit } from "../../src/memory/types.ts";
import { type Answered, type Observed, observed } from "../../src/pipeline/observe.ts";
import type { BrinkReport, Citation } from "../../src/pipeline/types.ts";

interface Told extends Pick<EnginePiece, "refusal"> {
  hits?: SearchHit[];
  citations?: Citation[];
}

/** What an answer leaves behind whose question and texts are this one. */
function answeredOf(text: string, { hits = [], citations = [], ...piece }: Told = {}): Answered {
  const messages = [{ role: "user", content: text }];
  const work = {
    request: {
      ...{ trace_id: "ab", model: "auto", caller: { tenant: "t" }, messages, parameters: {} },
      memory: { namespace: "docs", k: 8, mode: "hybrid", filter: null },
    },
    ...{ question: text, hits, before: null, corrections: [], notes: [] },
    edge: { reading: { answer: text }, router: { model: { version: "w" } } },
  } as unknown as Observed;
  const told = { route: "backend", engine: "backend:big", difficulty: 0.5, citations };
  const report = () => told as unknown as BrinkReport;
  let answered: Answered | null = null;
  const tap = observed(work, { model: "auto", report }, (one) => {
    answered = one;
  });
  tap.piece({ text: text.slice(0, -2), ...piece });
  tap.piece({ text: text.slice(-2), finish_reason: "stop" });
  tap.ended(true);
  return answered!;
}

it("texts of an outcome are cut to whole characters", () => {
  const pairs = "😀".repeat(OUTCOME_CHARS_MAX);
  for (const before of ["", "a"]) {
    const { question, text, edge_answer } = answeredOf(before + pairs).outcome;
    for (const kept of [question, text, edge_answer!]) {
      expect(kept.isWellFormed()).toBe(true);
      expect(kept.length).toBe(OUTCOME_CHARS_MAX - before.length);
    }
  }
});

it("texts of an outcome are cut, and an answer that was cut stands for none", () => {
  const whole = "x".repeat(OUTCOME_CHARS_MAX);
  for (const more of [0, 1]) {
    const answered = answeredOf(whole + "x".repeat(more));
    expect(answered.outcome).toMatchObject({ question: whole, text: whole, edge_answer: whole });
    expect(answered.outcome.standing).toBe(more === 0 ? "alone" : "dependent");
  }
});

it("a refusal stands for no answer: it is no label, and becomes no note", () => {
  for (const refusal of [undefined, true] as const) {
    const { whole, standing } = answeredOf("I will not say.", { refusal }).outcome;
    const expected = refusal ? [false, "dependent"] : [true, "alone"];
    expect([whole, standing]).toEqual(expected);
  }
});

it("an outcome names the documents that are cited, each once, so many, and no note", () => {
  const cite = (document_id: string, i: number, rest: Partial<Citation> = {}): Citation => {
    const passage_id = `${document_id}#0`;
    return { mark: i + 1, document_id, passage_id, title: null, quote: "x", score: 1, ...rest };
  };
  const ids = Array.from({ length: NOTE_SOURCES_MAX }, (_, i) => `d${i}`);
  const citations = [cite("note-1", 0, { note: true }), ...["d0", ...ids].map((id) => cite(id, 1))];
  expect(answeredOf("It is so.", { citations }).outcome.cited).toEqual(ids);
  citations.push(cite("one more", 1));
  expect(answeredOf("It is so.", { citations }).outcome.cited).toEqual(ids);
  expect(answeredOf("It is so.").outcome.cited).toEqual([]);
});

it("an outcome tells in which state documents were read", () => {
  const state = { document_id: "d", passage_id: "d#0", version: 2, digest: "ab" };
  const hits = [{ ...state, text: "x", title: "t" } as SearchHit];
  expect(answeredOf("It is so.", { hits }).outcome.passages).toEqual([state]);
});
