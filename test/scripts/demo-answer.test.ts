/** What the demo shows of an answer. */
import { expect, it } from "vitest";
import { describeAnswer } from "../../scripts/demo-answer.ts";

it("a citation has the number that the text has for it", () => {
  const shown = describeAnswer("hard", {
    question: "How much?",
    ...{ answer: "128 MB", text: "128 MB [2], or less [5]." },
    ...{ route: "backend", difficulty: 0.5, reason: "hard", ms: 12 },
    citations: [
      { mark: 2, document_id: "a", quote: "128 MB" },
      { mark: 5, document_id: "b", quote: "less" },
    ],
  });
  expect(shown).toContain("\n  [2] a\n  [5] b\n");
});
