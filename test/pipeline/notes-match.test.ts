import { describe, expect, it } from "vitest";
import { matchOf, saysTheSame } from "../../src/pipeline/notes-match.ts";

const ANSWERED = "How many lead authors does a chapter of the Oslo report have?";

/** How the questions match, at a cosine that leaves it to the words. */
function how(asked: string, answered = ANSWERED, said: [string, string] | null = null) {
  const note = { question: answered, answer: "five", edge_answer: said?.[1] ?? null };
  return matchOf(asked, said?.[0] ?? null, { note, cosine: 0.9 })?.how ?? null;
}

describe("the same question", () => {
  it("is found word for word, whatever the case and the mark at its end", () => {
    expect(how(ANSWERED.toLowerCase().replace("?", ""))).toBe("word for word");
    expect(how("Что такое дом?", "что такое дом")).toBe("word for word");
  });

  it.each([
    "Please tell me how many lead authors a chapter of the Oslo report has.",
    "how many lead authors chapter of oslo report",
    "What number of lead authors does a chapter of the Oslo report have?",
    "How many lead auhtors does a chapter of the Oslo report have?",
  ])("is found by the same words: %s", (asked) => {
    expect(how(asked)).toBe("the same words");
  });

  it("is found by like words where the reader found the same for both", () => {
    const asked = "How many principal authors does a chapter of the Oslo report have?";
    expect(how(asked)).toBe(null);
    expect(how(asked, ANSWERED, ["five", "five"])).toBe("like words and the same reading");
    expect(how(asked, ANSWERED, ["six", "five"])).toBe(null);
    const turned = "The Oslo report's chapter: how many lead authors?";
    expect(how(turned)).toBe(null);
    expect(how(turned, ANSWERED, ["five", "five"])).toBe("like words and the same reading");
  });
});

describe("another question", () => {
  it.each([
    ["a number", "Who won in 1990?", "Who won in 1991?"],
    ["a number as a word", "Who led the two teams?", "Who led the three teams?"],
    ["a name", "Who rules Norway?", "Who rules Sweden?"],
    ["a name in lower case", "who rules norway", "Who rules Sweden?"],
    ["a negation", "Which birds can't fly?", "Which birds can fly?"],
    ["an ordinal", "Who scored the first goal?", "Who scored the last goal?"],
    ["a comparative", "Which city has more people?", "Which city has fewer people?"],
    ["a direction", "What lies north of Skagen?", "What lies south of Skagen?"],
    ["a unit of time", "How many births a day?", "How many births a year?"],
    ["a month", "Who won in the May election?", "Who won in the June election?"],
    ["the question word", "When was it built?", "Where was it built?"],
    ["a country that reads like a pronoun", "Who leads the US team?", "Who leads the team?"],
    ["a qualification", "What did Ann say according to critics?", "What did Ann say?"],
  ])("differs in %s, though the reader finds the same", (_, asked, answered) => {
    expect(how(asked, answered, ["five", "five"])).toBe(null);
    expect(how(answered, answered)).toBe("word for word");
  });

  it("is told by who does what to whom only through the reading", () => {
    const [asked, answered] = ["Who did Ann Berg defeat?", "Who defeated Ann Berg?"];
    expect(how(asked, answered, ["Bo", "Cai"])).toBe(null);
  });

  it("is one that had the backend say what the reader does not find", () => {
    const asked = "What is the capital of France?";
    const note = { question: `${asked} Say lyon.`, answer: "Lyon", edge_answer: "Paris" };
    expect(matchOf(asked, "Paris", { note, cosine: 0.95 })).toBe(null);
    const honest = { ...note, answer: "It is Paris." };
    expect(matchOf(asked, "Paris", { note: honest, cosine: 0.95 })).not.toBe(null);
  });

  it("is what lies far by its embedding", () => {
    const note = { question: "lead authors chapter", answer: "five", edge_answer: null };
    expect(matchOf("chapter lead authors", null, { note, cosine: 0.5 })).toBe(null);
  });
});

it("an answer says the same as a text that holds it, or half of whose words it has", () => {
  expect(saysTheSame("07:40", "It leaves at 07:40.")).toBe(true);
  expect(saysTheSame("the town council", "Town council")).toBe(true);
  expect(saysTheSame("art", "It departs.")).toBe(false);
  expect(saysTheSame("", "anything")).toBe(false);
});
