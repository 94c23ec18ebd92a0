import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import {
  crossValidate,
  type Example,
  FOLDS,
  fitByGroup,
  fitLogistic,
  fitRidge,
  foldOf,
  PENALTIES,
} from "../../src/router/fit.ts";
import { scoreLogistic } from "../../src/router/logistic.ts";

describe("the logistic fit", () => {
  it("recovers the weights that drew the labels", () => {
    const random = mulberry32(3);
    const truth = [1.5, -0.8];
    const rows = Array.from({ length: 20_000 }, () => [random() * 4 - 2, random() * 4 - 2]);
    const labels = rows.map(([a, b]) => {
      const logit = truth[0]! * a! + truth[1]! * b! + 0.4;
      return random() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    });
    const { weights, bias } = fitLogistic(rows, labels, 0);
    for (const [j, value] of truth.entries()) expect(weights[j]).toBeCloseTo(value, 1);
    expect(bias).toBeCloseTo(0.4, 1);
  });

  it("has a penalized gradient of zero at the optimum", () => {
    const rows = [[1], [2], [3], [4]];
    const labels = [0, 1, 0, 1];
    const { weights, bias } = fitLogistic(rows, labels, 2);
    const residuals = rows.map(([x], n) => {
      return 1 / (1 + Math.exp(-(weights[0]! * x! + bias))) - labels[n]!;
    });
    const slope = residuals.reduce((sum, r, n) => sum + r * rows[n]![0]!, 2 * weights[0]!);
    expect(slope).toBeCloseTo(0, 8);
    expect(residuals.reduce((sum, r) => sum + r, 0)).toBeCloseTo(0, 8);
  });

  it("stays finite where a feature never varies or separates the labels", () => {
    const examples = Array.from({ length: 40 }, (_, n) => {
      return { group: `${n}`, values: { still: 7, splits: n < 20 ? 0 : 1e6 }, wrong: n >= 20 };
    });
    const model = fitRidge(["still", "splits"], examples, 1);
    expect(model.weights.still).toEqual({ mean: 7, std: 1, weight: expect.closeTo(0, 12) });
    for (const { values, wrong } of examples)
      expect(scoreLogistic(model, values) > 0.5).toBe(wrong);
    expect(model.weights.splits!.weight).toBeLessThan(10);
  });
});

it("a value that never varied counts for nothing, however its mean is rounded", () => {
  const random = mulberry32(3);
  for (const still of [0.001, 0.1, Math.log1p(2)]) {
    const examples = Array.from({ length: 301 }, (_, n) => {
      const signal = random();
      return { group: `${n}`, values: { still, signal }, wrong: random() < signal };
    });
    const model = fitRidge(["still", "signal"], examples, 1);
    expect(model.weights.still).toEqual({ mean: still, std: 1, weight: expect.closeTo(0, 12) });
  }
});

describe("the logistic fit where there is no single minimum", () => {
  const chancesOf = (rows: number[][], { weights, bias }: { weights: number[]; bias: number }) =>
    rows.map((row) => {
      return 1 / (1 + Math.exp(-row.reduce((sum, x, j) => sum + x * weights[j]!, bias)));
    });

  it.each([0, 1])("of labels that are all alike is nearly certain, at a ridge of %f", (ridge) => {
    const rows = [[-2], [-1], [1], [2]];
    for (const label of [0, 1]) {
      const chances = chancesOf(rows, fitLogistic(rows, [label, label, label, label], ridge));
      for (const chance of chances) expect(chance).toBeCloseTo(label, 8);
    }
  });

  it("of labels that a line parts is nearly certain on both sides", () => {
    const rows = [[-2], [-1], [1], [2]];
    const chances = chancesOf(rows, fitLogistic(rows, [0, 0, 1, 1], 0));
    for (const [n, chance] of chances.entries()) expect(chance).toBeCloseTo(n < 2 ? 0 : 1, 8);
  });

  it("leaves a weight of 0 to a column that never varies, before others and after them", () => {
    const alone = fitLogistic([[-1], [0], [1], [2]], [0, 1, 0, 1], 0);
    for (const at of [0, 1]) {
      const rows = [-1, 0, 1, 2].map((x) => (at === 0 ? [0, x] : [x, 0]));
      const { weights, bias } = fitLogistic(rows, [0, 1, 0, 1], 0);
      expect(weights[at]).toBe(0);
      expect([weights[1 - at], bias]).toEqual([alone.weights[0], alone.bias]);
    }
  });

  it("of rows that are all alike says the share of the labels", () => {
    for (const value of [0, -1.4480198248343352, 3]) {
      const rows = [[value], [value], [value], [value], [value]];
      const chances = chancesOf(rows, fitLogistic(rows, [1, 0, 0, 0, 0], 0));
      for (const chance of chances) expect(chance).toBeCloseTo(0.2, 9);
    }
  });
});

describe("folds", () => {
  it("keep a group together, and no fold exceeds another by more than the largest group", () => {
    const groups = fc.array(fc.integer({ min: 0, max: 20 }).map(String), { minLength: 1 });
    fc.assert(
      fc.property(groups, (names) => {
        const folds = foldOf(names);
        const seen = new Map(names.map((name, n) => [name, folds[n]!]));
        for (const [n, name] of names.entries()) expect(folds[n]).toBe(seen.get(name));
        const size = (of: (n: number) => boolean) => names.filter((_, n) => of(n)).length;
        const used = Math.min(FOLDS, seen.size);
        const sizes = Array.from({ length: used }, (_, f) => size((n) => folds[n] === f));
        const largest = Math.max(...[...seen.keys()].map((g) => size((n) => names[n] === g)));
        expect(Math.min(...sizes)).toBeGreaterThan(0);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(largest);
      }),
      { seed: 5 },
    );
  });
});

describe("cross-validation", () => {
  const random = mulberry32(11);
  /** `signal` says something of the label, `noise` and the group nothing. */
  const examples: Example[] = Array.from({ length: 600 }, (_, n) => {
    const signal = random() * 4 - 2;
    const noise = random();
    const wrong = random() < 1 / (1 + Math.exp(-2 * signal));
    return { group: `g${n % 60}`, values: { signal, noise }, wrong };
  });

  it("scores each example by weights that have not seen its group", () => {
    const { heldOut, penalty } = crossValidate(["signal", "noise"], examples);
    const folds = foldOf(examples.map(({ group }) => group));
    const model = fitRidge(
      ["signal", "noise"],
      examples.filter((_, n) => folds[n] !== folds[0]),
      penalty,
    );
    expect(heldOut[0]).toBe(scoreLogistic(model, examples[0]!.values));
  });

  it("takes the greatest penalty within a standard error of the least held-out loss", () => {
    const shares: number[] = [];
    const { penalty, losses } = crossValidate(["signal"], examples, (share) => shares.push(share));
    expect(losses.map((tried) => tried.penalty)).toEqual(PENALTIES);
    const [best] = [...losses].sort((a, b) => a.loss - b.loss);
    const within = losses.filter(({ loss }) => loss <= best!.loss + best!.error);
    expect(penalty).toBe(within.at(-1)!.penalty);
    expect(best!.loss).toBeLessThan(Math.LN2);
    expect(shares.at(-1)).toBe(1);
    expect(shares.length).toBe(PENALTIES.length * FOLDS);
  });

  it("fitted by group, chances mean what they say although the penalty shrinks them", () => {
    const { model, heldOut, penalty } = fitByGroup(["signal", "noise"], examples);
    const shrunk = fitRidge(["signal", "noise"], examples, penalty);
    const slope = model.weights.signal!.weight / shrunk.weights.signal!.weight;
    expect(slope).toBeGreaterThan(1);
    expect(model.weights.noise!.weight / shrunk.weights.noise!.weight).toBeCloseTo(slope, 9);
    // At the optimum of a fit with a bias, chances sum to what was wrong.
    const said = heldOut.reduce((sum, chance) => sum + chance, 0);
    expect(said).toBeCloseTo(examples.filter(({ wrong }) => wrong).length, 6);
  });

  it("fitted by group where nothing can be learned, turns no order around", () => {
    const contrary = examples.map((one, n) => {
      const sign = Number(one.group.slice(1)) % 2 === 0 ? 1 : -1;
      return { ...one, values: { signal: sign * one.values.signal!, noise: n % 7 } };
    });
    const { model } = fitByGroup(["signal", "noise"], contrary);
    const { penalty } = crossValidate(["signal", "noise"], contrary);
    const ridge = fitRidge(["signal", "noise"], contrary, penalty);
    for (const name of ["signal", "noise"])
      expect(model.weights[name]!.weight * ridge.weights[name]!.weight).toBeGreaterThanOrEqual(0);
  });

  it.each([
    [
      "labels that the features part",
      (n: number, x: number) => [1.2 * Number(n >= 150) + x, n >= 150],
    ],
    ["features that never vary", (n: number) => [1, n % 20 < 4]],
    ["features that never vary and uneven groups", (n: number) => [1, n > 270 || n % 100 === 3]],
    ["one group with all that is wrong", (n: number, x: number) => [x, n % 10 === 0]],
  ] as [string, (n: number, x: number) => [number, boolean]][])(
    "fitted by group, chances mean what they say of %s",
    (_, of) => {
      const draw = mulberry32(17);
      const given = Array.from({ length: 300 }, (__, n): Example => {
        const [signal, wrong] = of(n, draw());
        return { group: `g${n % 10}`, values: { signal, noise: draw() }, wrong };
      });
      const { model, heldOut } = fitByGroup(["signal", "noise"], given);
      expect(Object.values(model.weights).every(({ weight }) => Number.isFinite(weight))).toBe(
        true,
      );
      const said = heldOut.reduce((sum, chance) => sum + chance, 0);
      expect(said).toBeCloseTo(given.filter(({ wrong }) => wrong).length, 6);
      // All examples by the weights that are kept: none of them is held out now.
      const kept = given.reduce((sum, { values }) => sum + scoreLogistic(model, values), 0);
      expect(Math.abs(kept - said)).toBeLessThan(6);
    },
  );

  it("of labels that only the group tells, learns nothing from other groups", () => {
    const memorable = Array.from({ length: 200 }, (_, n) => {
      const group = n % 20;
      const values = Object.fromEntries(
        Array.from({ length: 20 }, (__, g) => [`is_${g}`, g === group ? 1 : 0]),
      );
      return { group: `${group}`, values, wrong: group % 2 === 0 };
    });
    const { losses } = crossValidate(Object.keys(memorable[0]!.values), memorable);
    for (const { loss } of losses) expect(loss).toBeGreaterThan(Math.LN2 * 0.99);
  });
});
