import { describe, expect, it } from "vitest";
import type { SearchHit } from "../../src/memory/types.ts";
import { type PassageReading, type ReaderChoice, UNREAD } from "../../src/model/reader.ts";
import { FEATURES, features } from "../../src/router/features.ts";
import { answerFeatures } from "../../src/router/features-answer.ts";
import { kindOf, questionFeatures, termShare } from "../../src/router/features-question.ts";
import { readerFeatures } from "../../src/router/features-reader.ts";
import { tokenF1, wordsOf } from "../../src/router/token-f1.ts";

const BRIDGE = "The bridge over the Aller was built in 1893. It carries two tracks.";
const FERRY = "A ferry crossed the river until 1893. The bridge replaced it.";
const QUESTION = "When was the bridge over the Aller built?";

function hit(text: string, more: Partial<SearchHit> = {}): SearchHit {
  return { text, title: null, score: 1, bm25: 2, cosine: 0.5, ...more } as SearchHit;
}

/** A reading whose spans are the given pieces of `text`. */
function reading(text: string, ...scored: [string, number][]): PassageReading {
  const spans = scored.map(([piece, score]) => {
    const start = text.indexOf(piece);
    return { start, end: start + piece.length, score };
  });
  const logSum = Math.log(spans.reduce((sum, { score }) => sum + Math.exp(score), 0));
  return { ...UNREAD, spans, logSum };
}

function choose(readings: readonly PassageReading[], passage: number): ReaderChoice {
  return { ...readings[passage]!.spans[0]!, passage, abstain: false, probability: 0.5 };
}

const answerShare = (hits: SearchHit[], readings: PassageReading[]) =>
  readerFeatures(hits, readings, choose(readings, 0));

it.each([
  ["Who built it?", "person"],
  ["In what year was it built?", "time"],
  ["How many tracks are there?", "number"],
  ["What percentage is paved?", "number"],
  ["Which city has the oldest bridge?", "place"],
  ["Why was it closed?", "reason"],
  ["What is a bridge?", "other"],
])("%s asks for a %s", (question, kind) => {
  expect(kindOf(question)).toBe(kind);
});

describe("the reader's distribution", () => {
  const hits = [hit(BRIDGE), hit(FERRY)];

  it("a passage that says the same raises the answer's share and is no rival", () => {
    const same = answerShare(hits, [reading(BRIDGE, ["1893", 4]), reading(FERRY, ["1893", 4])]);
    const alone = answerShare(hits, [reading(BRIDGE, ["1893", 4]), reading(FERRY)]);
    expect(same.answer_share).toBeGreaterThan(alone.answer_share);
    expect(same.span_share).toBeLessThan(alone.span_share);
    expect(same.rival_share).toBe(alone.rival_share);
  });

  it("a passage that says another thing is a rival, by its share", () => {
    const rivals = [-3, 0, 3].map((score) => {
      const readings = [reading(BRIDGE, ["1893", 4]), reading(FERRY, ["A ferry", score])];
      return answerShare(hits, readings).rival_share;
    });
    expect(rivals).toEqual([...rivals].sort((a, b) => a - b));
    // Of exp(4), exp(3) and 1 for "no answer", the rival has .265.
    const share = Math.exp(3) / (Math.exp(4) + Math.exp(3) + 1);
    expect(rivals[2]).toBeCloseTo(Math.log(share / (1 - share)), 9);
  });

  it("a longer span with the same words counts by its F1", () => {
    const readings = [reading(BRIDGE, ["1893", 2], ["built in 1893", 2]), reading(FERRY)];
    const total = 2 * Math.exp(2) + 1;
    const expected = (Math.exp(2) * (1 + 0.5)) / total;
    expect(answerShare(hits, readings).answer_share).toBeCloseTo(
      Math.log(expected / (1 - expected)),
      9,
    );
  });

  it("scores that overflow an exponential stay finite", () => {
    const readings = [reading(BRIDGE, ["1893", 4]), reading(FERRY, ["A ferry", 4])];
    for (const one of readings) {
      for (const span of one.spans) span.score = 900;
      one.logSum = 900;
    }
    const values = Object.values(answerShare(hits, readings));
    expect(values.every(Number.isFinite)).toBe(true);
  });
});

describe("where the answer stands", () => {
  const at = (question: string, text: string, answer: string) => {
    const readings = [reading(text, [answer, 1])];
    return answerFeatures(question, [hit(text)], choose(readings, 0));
  };

  it("the question's words near the answer count, and those further away do not", () => {
    const far = `The bridge over the Aller was built. ${"It is long and grey. ".repeat(9)}1893.`;
    expect(at(QUESTION, BRIDGE, "1893").terms_near).toBeGreaterThan(0.9);
    expect(at(QUESTION, far, "1893").terms_near).toBe(0);
    expect(at(QUESTION, far, "1893").better_sentence).toBeGreaterThan(0.9);
  });

  it("a date fits a question for a time and is unasked by another", () => {
    expect(at(QUESTION, BRIDGE, "1893")).toMatchObject({ form_fits: 1, date_unasked: 0 });
    expect(at("What carries tracks?", BRIDGE, "1893")).toMatchObject({
      form_fits: 0,
      date_unasked: 1,
    });
  });

  it("a capital fits a question for a person, and none misfits", () => {
    const text = "In Celle the engineer Anna Lenz built it.";
    expect(at("Who built it?", text, "Anna Lenz").form_fits).toBe(1);
    expect(at("Who built it?", text, "engineer").form_fits).toBe(0);
  });
});

it("retrieval: margins and agreement come from the hits' own scores", () => {
  const hits = [
    hit(BRIDGE, { score: 1.5, bm25: 9, cosine: 0.4 }),
    hit(FERRY, { score: 1.2, bm25: 3, cosine: 0.7 }),
  ];
  const found = questionFeatures(QUESTION, hits);
  expect(found).toMatchObject({ rankings_agree: 0, cosine_top: 0.7, coverage: 1, asks_time: 1 });
  expect(found.score_margin).toBeCloseTo(0.3, 12);
  expect(found.bm25_top).toBeCloseTo(Math.log(10), 12);
});

it("features are those of the weights file, and finite for the barest evidence", () => {
  const hits = [hit("x", { score: 0, bm25: null, cosine: null } as Partial<SearchHit>)];
  const readings = [reading("x", ["x", 0])];
  const choice = choose(readings, 0);
  const values = features({ question: "", hits, readings, choice });
  expect(Object.keys(values)).toEqual([...FEATURES]);
  expect(Object.values(values).every(Number.isFinite)).toBe(true);
});

it("terms weigh their length", () => {
  expect(termShare(new Set(["aller", "x"]), new Set(["aller"]))).toBeCloseTo(5 / 6, 12);
  expect(termShare(new Set(), new Set(["aller"]))).toBe(0);
});

it("token F1 is 1 for the same words and 0 for none in common", () => {
  expect(tokenF1(wordsOf("The U.S. Army"), wordsOf("u.s. army"))).toBe(1);
  expect(tokenF1(wordsOf("an answer"), wordsOf("one"))).toBe(0);
  expect(tokenF1(wordsOf("a b c"), wordsOf("b d"))).toBeCloseTo(
    (2 * (0.5 * 0.5)) / (0.5 + 0.5),
    12,
  );
});
