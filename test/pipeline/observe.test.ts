import { expect, it } from "vitest";
import { OUTCOME_CHARS_MAX } from "../../src/limits.ts";
import { type Answered, type Observed, observed } from "../../src/pipeline/observe.ts";
import type { BrinkReport } from "../../src/pipeline/types.ts";

/** What an answer leaves behind whose question and texts have so many characters. */
function answeredOf(chars: number): Answered {
  const text = "x".repeat(chars);
  const messages = [{ role: "user", content: text }];
  const work = {
    request: {
      ...{ trace_id: "ab", model: "auto", caller: { tenant: "t" }, messages, parameters: {} },
      memory: { namespace: "docs", filter: null },
    },
    ...{ question: text, hits: [], before: null, corrections: [], notes: [] },
    edge: { reading: { answer: text }, router: { model: { version: "w" } } },
  } as unknown as Observed;
  const report = () =>
    ({ route: "backend", engine: "backend:big", difficulty: 0.5 }) as unknown as BrinkReport;
  let answered: Answered | null = null;
  const tap = observed(work, { model: "auto", report }, (one) => {
    answered = one;
  });
  tap.piece({ text: text.slice(1) });
  tap.piece({ text: text.slice(0, 1), finish_reason: "stop" });
  tap.ended(true);
  return answered!;
}

it("texts of an outcome are cut, and an answer that was cut stands for none", () => {
  const whole = "x".repeat(OUTCOME_CHARS_MAX);
  for (const more of [0, 1]) {
    const answered = answeredOf(OUTCOME_CHARS_MAX + more);
    expect(answered.outcome).toMatchObject({ question: whole, text: whole, edge_answer: whole });
    expect(answered.outcome.standing).toBe(more === 0 ? "alone" : "dependent");
  }
});
