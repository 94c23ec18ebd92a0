import { describe, expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import type { LabelledScore } from "../../src/router/calibration.ts";
import { ladderOf } from "../../src/router/ladder.ts";

const TARGET = { max_risk: 0.1 };

/** An engine whose answers are wrong with probability `risk(difficulty)`; a third of the questions
 *  are abstentions of the reader, of difficulty 1. */
function draw(n: number, risk: (difficulty: number) => number, random: () => number) {
  return Array.from({ length: n }, (): LabelledScore => {
    const difficulty = random() < 1 / 3 ? 1 : random();
    return { difficulty, wrong: random() < risk(difficulty) };
  });
}

describe("ladderOf", () => {
  const random = mulberry32(11);
  const good = { engine: "backend:good", scores: draw(600, () => 0.03, random) };
  const poor = { engine: "generator:poor", scores: draw(600, () => 0.4, random) };

  it("an engine that is right whatever the reader says takes all that is left", () => {
    expect(ladderOf(TARGET, 0.3, ["backend:good"], [good])).toEqual([
      { engine: "backend:good", threshold: 1 },
    ]);
  });

  it("one that is not is passed over, and so is one without labels", () => {
    const order = ["generator:poor", "backend:new", "backend:good"];
    expect(ladderOf(TARGET, 0.3, order, [good, poor])).toEqual([
      { engine: "backend:good", threshold: 1 },
    ]);
    const few = { engine: "backend:good", scores: good.scores.slice(0, 25) };
    expect(ladderOf(TARGET, 0.3, order, [few, poor])).toEqual([]);
  });

  it("each takes what is harder than the one below it keeps", () => {
    const risk = (difficulty: number) => (difficulty < 0.7 ? 0.01 : 0.6);
    const middling = { engine: "generator:mid", scores: draw(2_000, risk, random) };
    const rungs = ladderOf(TARGET, 0.2, ["generator:mid", "backend:good"], [middling, good]);
    expect(rungs.map(({ engine }) => engine)).toEqual(["generator:mid", "backend:good"]);
    expect(rungs[0]!.threshold).toBeGreaterThan(0.6);
    expect(rungs[0]!.threshold).toBeLessThan(0.8);
    expect(rungs[1]!.threshold).toBe(1);
  });

  it("what the reader keeps counts for nothing, however good", () => {
    const risk = (difficulty: number) => (difficulty <= 0.5 ? 0 : 0.5);
    const flattered = { engine: "backend:good", scores: draw(2_000, risk, random) };
    expect(ladderOf(TARGET, 0.5, ["backend:good"], [flattered])).toEqual([]);
  });

  it("a reader that keeps nothing leaves all of it", () => {
    expect(ladderOf(TARGET, -1, ["backend:good"], [good])).toEqual([
      { engine: "backend:good", threshold: 1 },
    ]);
  });

  it("a reader that keeps all that it answers leaves its abstentions, on all the error", () => {
    const right = (n: number) => {
      const scores = Array.from({ length: n }, () => ({ difficulty: 1, wrong: false }));
      return [{ engine: "e", scores }];
    };
    // .9^29 < .05 < .9^28.
    const all = [{ engine: "e", threshold: 1 }];
    expect(ladderOf(TARGET, 0.9975, ["e"], right(29))).toEqual(all);
    expect(ladderOf(TARGET, 0.9975, ["e"], right(28))).toEqual([]);
  });

  it("the walk starts at each quarter of what is left, each with a quarter of the error", () => {
    const at = (difficulty: number, n: number, wrong = false) =>
      Array.from({ length: n }, () => ({ difficulty, wrong }));
    const threshold = (below: number, ...scores: LabelledScore[][]) =>
      ladderOf(TARGET, below, ["e"], [{ engine: "e", scores: scores.flat() }])[0]?.threshold;
    // .9^42 < .0125 < .9^41: a quarter of .05.
    expect([threshold(-1, at(0.2, 42)), threshold(-1, at(0.2, 41))]).toEqual([1, undefined]);
    // Above .2 it starts at .4, .6, .8 and 1; what is wrong just behind a start ends it.
    for (const [right, wrong, last] of [
      [0.4, 0.45, 0.4475],
      [0.6, 0.65, 0.6475],
      [0.8, 0.85, 0.8475],
      [0.8, 0.8 + 1e-9, 0.8],
    ] as const)
      expect(threshold(0.2, at(right, 42), at(wrong, 99, true))).toBe(last);
    for (const start of [0.4, 0.6, 0.8])
      expect(threshold(0.2, at(start + 1e-9, 42), at(start + 0.1, 99, true))).toBeUndefined();
  });

  it("what those below keep, their thresholds included, speaks for no engine", () => {
    const at = (difficulty: number, n: number, wrong = false) =>
      Array.from({ length: n }, () => ({ difficulty, wrong }));
    const one = (below: number, ...scores: LabelledScore[][]) =>
      ladderOf(TARGET, below, ["e"], [{ engine: "e", scores: scores.flat() }]);
    expect(one(0.5, at(0.3, 500), at(0.55, 20, true))).toEqual([]);
    expect(one(0.2, at(0.2, 42))).toEqual([]);
    const first = { engine: "a", scores: [...at(0.3, 42), ...at(0.45, 99, true)] };
    const second = { engine: "b", scores: [...at(0.44, 500), ...at(0.5, 20, true)] };
    expect(ladderOf(TARGET, 0.2, ["a", "b"], [first, second])).toEqual([
      { engine: "a", threshold: 0.4475 },
    ]);
  });

  it("targets of cost make no rungs", () => {
    for (const target of [{ backend_share: 0.3 }, { budget_usd_per_1k: 1 }])
      expect(ladderOf(target, 0.3, ["backend:good"], [good])).toEqual([]);
  });

  // P(more than 5 %) of valid bounds over 1,000 draws: a binomial's upper 99.9 % point is 7.2 %.
  it.each([
    ["grows slowly", (difficulty: number) => 0.04 + 0.12 * difficulty],
    ["steps at a half", (difficulty: number) => (difficulty < 0.5 ? 0.02 : 0.3)],
    ["is the tolerated one, about", () => 0.102],
    ["falls", (difficulty: number) => 0.3 - 0.29 * difficulty],
  ])("the risk of what a rung answers is kept in 95 %% of 1,000 draws: it %s", (_, risk) => {
    const random = mulberry32(3);
    const pool = draw(20_000, risk, random);
    let broken = 0;
    for (let i = 0; i < 1_000; i++) {
      const scores = Array.from({ length: 300 }, () => pool[Math.floor(random() * pool.length)]!);
      const rung = ladderOf(TARGET, 0.2, ["e"], [{ engine: "e", scores }])[0];
      if (rung === undefined) continue;
      const kept = pool.filter(
        ({ difficulty }) => difficulty > 0.2 && difficulty <= rung.threshold,
      );
      const wrong = kept.filter((score) => score.wrong).length;
      if (wrong / kept.length > TARGET.max_risk) broken += 1;
    }
    expect(broken / 1_000).toBeLessThan(0.072);
  });
});
