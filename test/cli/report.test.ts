/** What a report computes and draws. */
import { describe, expect, it } from "vitest";
import {
  aurocOf,
  histogramOf,
  policiesOf,
  reliabilityOf,
  riskCurve,
} from "../../cli/report-statistics.ts";
import { plot, ticksOf } from "../../cli/report-svg.ts";
import type { Judged } from "../../cli/router-ask.ts";
import { mulberry32 } from "../../eval/random.ts";
import { bootstrap } from "../../eval/report.ts";
import { auroc } from "../../eval/scores.ts";

/** `answer` null: an abstention. */
function judged(difficulty: number, wrong: boolean, answer: string | null = "x"): Judged {
  const question = "q".repeat(1 + (Math.round(difficulty * 7919) % 40));
  return {
    ...{ source: "a:1", question, group: "g", kind: "who", answer, expected: ["x"] },
    ...{ wrong, difficulty: answer === null ? 1 : difficulty, features: null },
  };
}

const random = mulberry32(9);
/** Wrong with the chance that the difficulty says. */
const honest = Array.from({ length: 900 }, () => {
  const difficulty = random();
  return judged(difficulty, random() < difficulty);
});
const withAbstentions = [...honest, ...Array.from({ length: 100 }, () => judged(1, false, null))];

describe("accuracy against backend share", () => {
  it("runs from the edge's to the backend's, and no order beats the perfect one", () => {
    const { edge, policies } = policiesOf(withAbstentions, 0.95);
    expect(edge).toBe(honest.filter(({ wrong }) => !wrong).length / 1_000);
    const by = Object.fromEntries(policies.map((one) => [one.name, one.accuracy]));
    for (const accuracy of Object.values(by)) {
      expect(accuracy[0]!.value).toBeCloseTo(edge, 12);
      expect(accuracy.at(-1)!.value).toBeCloseTo(0.95, 12);
    }
    for (const [i, { value }] of by.perfect!.entries())
      for (const other of ["difficulty", "length", "random"])
        expect(by[other]![i]!.value).toBeLessThanOrEqual(value + 1e-12);
  });

  it("equals counting by hand where the share is of whole questions", () => {
    const twenty = Array.from({ length: 20 }, (_, i) => judged((i + 0.5) / 20, i % 3 === 2));
    const { policies, shares } = policiesOf(twenty, 1);
    const router = policies.find(({ name }) => name === "difficulty")!;
    for (const [i, share] of shares.entries()) {
      const sent = Math.round(share * 20);
      const right = twenty.slice(0, 20 - sent).filter(({ wrong }) => !wrong).length;
      expect(router.accuracy[i]!.value).toBeCloseTo((right + sent) / 20, 12);
    }
  });

  it("says of an uninformed order that it gains a half, and of no better backend nothing", () => {
    const draws = 40;
    let [sum, missed] = [0, 0];
    for (let i = 0; i < draws; i++) {
      const drawn = Array.from({ length: 300 }, () => {
        const difficulty = random();
        const question = "q".repeat(1 + Math.floor(40 * random()));
        return { ...judged(difficulty, random() < difficulty), question };
      });
      const { policies, overLength } = policiesOf(drawn, 1);
      const { value, low, high } = policies.find(({ name }) => name === "length")!.gained!;
      sum += value;
      if (low > 0.5 || high < 0.5) missed++;
      expect(overLength!.low).toBeGreaterThan(0);
    }
    // One draw deviates by about 0.02, so the mean of 40 by 0.003; of 40 intervals at 95 %, more
    // than 6 miss in one run of 200.
    expect(Math.abs(sum / draws - 0.5)).toBeLessThan(0.012);
    expect(missed).toBeLessThanOrEqual(6);
    expect(policiesOf(honest, 0.1).overLength).toBe(null);
  });
});

describe("risk against coverage", () => {
  const coarse = (one: Judged) => ({ ...one, difficulty: Math.round(one.difficulty * 30) / 30 });
  it.each([
    ["", honest],
    [", equal ones all", honest.map(coarse)],
  ])(
    "is the share of wrong answers at or below each threshold, of all questions%s",
    (_, answers) => {
      const all = [...answers, ...withAbstentions.slice(honest.length)];
      for (const { threshold, coverage, kept, wrong, risk } of riskCurve(all)) {
        const at = answers.filter(({ difficulty }) => difficulty <= threshold);
        expect([kept, wrong]).toEqual([at.length, at.filter((one) => one.wrong).length]);
        expect(coverage).toBe(kept / 1_000);
        expect(risk.value).toBe(wrong / kept);
        expect(risk.low).toBeLessThanOrEqual(risk.value);
        expect(risk.high).toBeGreaterThanOrEqual(risk.value);
      }
    },
  );
});

it("the AUROC of resampled counts is about that of resampled answers, ties and all", () => {
  const coarse = honest.map((one) => ({ ...one, difficulty: Math.round(one.difficulty * 8) }));
  const plain = bootstrap(coarse, auroc);
  const counted = aurocOf(coarse);
  expect(counted.value).toBe(plain.value);
  for (const end of ["low", "high"] as const)
    expect(Math.abs(counted[end] - plain[end])).toBeLessThan(0.01); // each end varies by 0.003
});

it("bins of reliability are equally large, and honest ones hold what was said", () => {
  const bins = reliabilityOf(withAbstentions);
  expect(bins.map(({ answers }) => answers)).toEqual(new Array(10).fill(90));
  const outside = bins.filter(({ said, wrong }) => said < wrong.low || said > wrong.high);
  expect(outside.length).toBeLessThanOrEqual(2); // of ten, at 95 % each
});

it("a histogram counts every answer once, those of difficulty 0 and 1 too", () => {
  const bins = histogramOf([...withAbstentions, judged(0, true), judged(1, true)]);
  expect(bins.reduce((sum, { right, wrong }) => sum + right + wrong, 0)).toBe(902);
});

it("ticks are round, within their ends, and about as many as asked for", () => {
  expect(ticksOf(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticksOf(0.55, 1, 5)).toEqual([0.6, 0.7, 0.8, 0.9, 1]);
  expect(ticksOf(0, 7, 3)).toEqual([0, 5]);
});

it("a plot has a title and a description, and text that could be markup is none", () => {
  const axis = { label: "<x>", min: 0, max: 1, ticks: [0, 1], show: String };
  const svg = plot("p", { title: "a & b", desc: '"<i>"' }, [axis, axis], () => []);
  expect(svg).toContain('aria-labelledby="p-title p-desc"');
  expect(svg).toContain('<title id="p-title">a &amp; b</title>');
  expect(svg).toContain("&quot;&lt;i&gt;&quot;");
  expect(svg).not.toMatch(/<x>|<i>/);
});
