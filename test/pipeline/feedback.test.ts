import { expect, it } from "vitest";
import { FEEDBACK_LOOK_PAUSE_MS, FEEDBACK_LOOKS_MAX } from "../../src/limits.ts";
import { type FeedbackDeps, takeFeedback } from "../../src/pipeline/feedback.ts";
import type { Caller } from "../../src/pipeline/types.ts";

const CALLER: Caller = {
  ...{ tenant: "t", scopes: ["inference"], namespaces: null, default_namespace: null },
};

/** Rates an answer that is known at the n-th look. */
async function rate(knownAt: number) {
  let looks = 0;
  const pauses: number[] = [];
  const outcome = { namespace: null, question: "", edge_answer: null, engine: "e", text: "" };
  const router = {
    find: async () => (++looks >= knownAt ? outcome : null),
    rate: async () => true,
  };
  const deps = {
    router: () => router,
    pause: async (ms: number) => void pauses.push(ms),
  } as unknown as FeedbackDeps;
  const request = { trace_id: "ab", rating: "good" as const, correction: null };
  const reply = await takeFeedback(deps, CALLER, request).catch((error: unknown) => error);
  return { reply, looks, pauses };
}

it("an answer that is known late is looked for so often, and then not found", async () => {
  const last = await rate(FEEDBACK_LOOKS_MAX);
  expect(last.reply).toEqual({ recorded: true, learned: null });
  expect(last.pauses).toEqual(Array(FEEDBACK_LOOKS_MAX - 1).fill(FEEDBACK_LOOK_PAUSE_MS));
  const late = await rate(FEEDBACK_LOOKS_MAX + 1);
  expect(late.reply).toMatchObject({ code: "not_found" });
  expect(late.looks).toBe(FEEDBACK_LOOKS_MAX);
});
