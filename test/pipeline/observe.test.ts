import { expect, it } from "vitest";
import { OUTCOME_CHARS_MAX } from "../../src/limits.ts";
import type { SearchHit } from "../../src/memory/types.ts";
import { type Answered, type Observed, observed } from "../../src/pipeline/observe.ts";
import type { BrinkReport } from "../../src/pipeline/types.ts";

/** What an answer leaves behind whose question and texts are this one. */
function answeredOf(text: string, { hits = [] }: { hits?: SearchHit[] } = {}): Answered {
  const messages = [{ role: "user", content: text }];
  const work = {
    request: {
      ...{ trace_id: "ab", model: "auto", caller: { tenant: "t" }, messages, parameters: {} },
      memory: { namespace: "docs", filter: null },
    },
    ...{ question: text, hits, before: null, corrections: [], notes: [] },
    edge: { reading: { answer: text }, router: { model: { version: "w" } } },
  } as unknown as Observed;
  const report = () =>
    ({ route: "backend", engine: "backend:big", difficulty: 0.5 }) as unknown as BrinkReport;
  let answered: Answered | null = null;
  const tap = observed(work, { model: "auto", report }, (one) => {
    answered = one;
  });
  tap.piece({ text: text.slice(0, -2) });
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

it("an outcome tells in which state documents were read", () => {
  const state = { document_id: "d", passage_id: "d#0", version: 2, digest: "ab" };
  const hits = [{ ...state, text: "x", title: "t" } as SearchHit];
  expect(answeredOf("It is so.", { hits }).outcome.passages).toEqual([state]);
});
