import { describe, expect, it } from "vitest";
import { type Contender, fastestOf } from "../../src/model/self-timing.ts";

/** Contenders whose runs take `costs` ms each of a clock of their own, which steps by `stepMs`. */
function scene(costs: Record<string, number>, stepMs = 0.001) {
  let ms = 0;
  let runs = 0;
  const contenders = Object.entries(costs).map(([name, cost]): Contender<string> => {
    const run = () => {
      ms += cost;
      runs++;
    };
    return { name, run, correct: () => true };
  });
  return {
    contenders,
    now: () => Math.floor(ms / stepMs) * stepMs,
    runs: () => runs,
    spent: () => ms,
  };
}

describe("fastestOf", () => {
  it.each([0.001, 0.1, 1])("takes the fastest where the clock steps by %f ms", (stepMs) => {
    const { contenders, now, spent } = scene({ slow: 0.3, fast: 0.1, middling: 0.2 }, stepMs);
    expect(fastestOf(contenders, "slow", now)).toEqual({ name: "fast", by: "timing" });
    expect(spent()).toBeLessThan(60);
  });

  it("takes the fallback, after few runs, where the clock stands still", () => {
    const { contenders, runs } = scene({ slow: 0.3, fast: 0.1 });
    expect(fastestOf(contenders, "slow", () => 7)).toEqual({ name: "slow", by: "probe" });
    expect(runs()).toBeLessThanOrEqual(2 * 64);
  });

  it("never takes one that computes wrongly", () => {
    const { contenders, now } = scene({ right: 0.3, wrong: 0.1 });
    contenders[1]!.correct = () => false;
    expect(fastestOf(contenders, "wrong", now)).toEqual({ name: "right", by: "timing" });
    contenders[0]!.correct = () => false;
    expect(fastestOf(contenders, "right", now)).toEqual({ name: "right", by: "probe" });
  });

  it("is not misled by one slow sample", () => {
    const { contenders, now } = scene({ even: 0.2, jumpy: 0.1 });
    let calls = 0;
    const { run } = contenders[1]!;
    contenders[1]!.run = () => {
      run();
      if (calls++ === 90) for (let i = 0; i < 50; i++) run();
    };
    expect(fastestOf(contenders, "even", now).name).toBe("jumpy");
  });
});
