import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PRIOR_CHARS_MAX } from "../../src/limits.ts";
import {
  type PriorModel,
  parsePrior,
  priorDifficulty,
  priorThreshold,
  scorePrior,
} from "../../src/router/prior.ts";
import {
  PRIOR_FEATURES,
  priorFeatures,
  splitPrompt,
  wordsIn,
} from "../../src/router/prior-features.ts";
import { minimize } from "../../train/lbfgs.ts";
import { fitChance, fitPrior, gainBy, PriorTable, toModel } from "../../train/prior-fit.ts";

const path = join(import.meta.dirname, "../../models/prior.json");
const file = JSON.parse(readFileSync(path, "utf8")) as PriorModel;
const shipped = parsePrior(file);

const CHOSEN = "Which metal melts first?\nA. Tin\nB. Iron\nof the\nblast furnace\nC. Gold\nAnswer:";

it("a prompt is split into its stem and its lettered choices", () => {
  const { stem, choices } = splitPrompt(CHOSEN);
  expect(stem).toBe("Which metal melts first?");
  expect(choices).toEqual(["Tin", "Iron\nof the\nblast furnace", "Gold"]);
});

it("choices may be lettered A), (A) or A., and begin at A", () => {
  for (const [open, close] of [
    ["", ")"],
    ["(", ")"],
    ["", "."],
  ]) {
    const lines = ["x", "y"].map((text, i) => `${open}${"AB"[i]}${close} ${text}`);
    expect(splitPrompt(`Why?\n${lines.join("\n")}`).choices).toEqual(["x", "y"]);
  }
  expect(splitPrompt("Why?\nB. x\nC. y").choices).toEqual([]);
});

it("one lettered line is no choice", () => {
  const prompt = "Who wrote it?\nA. Miller did, it says.";
  expect(splitPrompt(prompt)).toEqual({ stem: prompt, choices: [] });
});

it("every feature is finite, or NaN where there are no choices to look at", () => {
  for (const prompt of ["", " ", "?", "1", CHOSEN, "A. B. C.", "\u0000\ud800", "9".repeat(400)])
    for (const [name, value] of Object.entries(priorFeatures(prompt))) {
      const absent = splitPrompt(prompt).choices.length === 0;
      const isChoice = /^(choice_|all_or_none|roman_choices)/.test(name);
      if (absent && isChoice) expect(value, name).toBeNaN();
      else expect(value, `${name} of ${JSON.stringify(prompt)}`).toSatisfy(Number.isFinite);
    }
});

it("what lies past the bound changes nothing", () => {
  const long = "why is 7 not 8, if all else is equal? ".repeat(300).slice(0, PRIOR_CHARS_MAX);
  const { gain } = scorePrior(shipped, `${long} except \\frac{1}{2} $400`);
  expect(gain).toBe(scorePrior(shipped, long).gain);
});

it("text made to be slow to match takes no longer than the bound allows", () => {
  const pieces = ["\n", " ", "who ", "$", "(", "A. ", "\nA. \nB. ", "1,111", ";\t", "_^", "I, "];
  for (const piece of pieces) {
    const text = piece.repeat(PRIOR_CHARS_MAX);
    const before = performance.now();
    priorFeatures(text);
    // Quadratic matching of 8,000 characters takes more than this; a busy machine does not.
    expect(performance.now() - before, JSON.stringify(piece)).toBeLessThan(200);
  }
});

/** Prompts of which the long ones are hard for the weak engine, and wordy ones for both. */
function synthetic() {
  return Array.from({ length: 1_200 }, (_, i) => {
    const clauses = 1 + (i % 7);
    const wordy = i % 3 === 0;
    const prompt =
      `${wordy ? "Notwithstanding appearances, " : ""}why is number ${i} odd` +
      `${" and even when added to another".repeat(clauses)}?`;
    return {
      prompt,
      group: `subject ${i % 20}`,
      features: priorFeatures(prompt),
      words: wordsIn(prompt),
      weakWrong: clauses > 3 || wordy,
      strongWrong: wordy,
    };
  });
}

const SETTINGS = { slope: 1.2, hardPenalty: 10, edgePenalty: 10, wordPenalty: 10 };

it("serving scores a prompt as training did", () => {
  const examples = synthetic();
  const table = new PriorTable(examples);
  const rows = examples.map((_, i) => i);
  const fit = fitPrior(table, rows, SETTINGS);
  const gains = rows.map((i) => gainBy(fit, table, i));
  const chance = fitChance(
    gains,
    examples.map(({ weakWrong, strongWrong }) => weakWrong && !strongWrong),
  );
  const percentiles = new Array<number>(101).fill(0);
  const written = { version: "", ...toModel(fit, table, chance), percentiles };
  const model = parsePrior(JSON.parse(JSON.stringify(written)) as PriorModel);
  for (const i of rows)
    expect(scorePrior(model, examples[i]!.prompt).gain).toBeCloseTo(gains[i]!, 4);
});

it("a fit tells what is hard for one engine from what is hard for both", () => {
  const examples = synthetic();
  const table = new PriorTable(examples);
  const seen = examples.map((_, i) => i).filter((i) => i % 20 !== 0);
  const fit = fitPrior(table, seen, SETTINGS);
  const mean = (want: (i: number) => boolean) => {
    const own = examples.map((_, i) => i).filter((i) => i % 20 === 0 && want(i));
    return own.reduce((sum, i) => sum + gainBy(fit, table, i), 0) / own.length;
  };
  const gained = (i: number) => examples[i]!.weakWrong && !examples[i]!.strongWrong;
  expect(mean(gained)).toBeGreaterThan(mean((i) => !gained(i)) + 0.5);
});

it("a word that few prompts of the fit have gets no weight", () => {
  const examples = synthetic();
  const table = new PriorTable(examples);
  expect(table.vocabulary).toContain("notwithstanding");
  const few = examples.map((_, i) => i).filter((i) => i % 3 !== 0 || i < 90);
  const fit = fitPrior(table, few, SETTINGS);
  const { words } = toModel(fit, table, { bias: 0, weight: 1 });
  expect(Math.abs(words.notwithstanding ?? 0)).toBeLessThan(1e-6);
  expect(Math.abs(words.when ?? 0)).toBeGreaterThan(1e-6);
});

it("L-BFGS finds the minimum of a badly scaled quadratic", () => {
  const scale = [1, 30, 1_000];
  const at = [3, -2, 0.5];
  const loss = (theta: Float64Array, gradient: Float64Array) => {
    for (const [k, s] of scale.entries()) gradient[k] = s * (theta[k]! - at[k]!);
    return 1 + scale.reduce((sum, s, k) => sum + (s / 2) * (theta[k]! - at[k]!) ** 2, 0);
  };
  const found = minimize(loss, new Float64Array(3), new Float64Array(3).fill(1));
  for (const [k, x] of at.entries()) expect(found[k]).toBeCloseTo(x, 3);
});

it("the shipped weights are of this build's features, and others are refused", () => {
  expect(Object.keys(file.features)).toEqual([...PRIOR_FEATURES]);
  const { words: _, ...rest } = file.features;
  expect(() => parsePrior({ ...file, features: rest as PriorModel["features"] })).toThrow("words");
  const more = { ...file.features, extra: file.features.words };
  expect(() => parsePrior({ ...file, features: more })).toThrow("unknown");
});

it("the difficulty is a probability that rises with the gain", () => {
  const prompts = ["hi", CHOSEN, "Prove ".repeat(3_000), "What is 17 * 23?", ""];
  const scores = prompts.map((prompt) => scorePrior(shipped, prompt));
  scores.sort((a, b) => a.gain - b.gain);
  for (const [i, { difficulty }] of scores.entries()) {
    expect(difficulty).toBeGreaterThan(0);
    expect(difficulty).toBeLessThan(1);
    if (i > 0) expect(difficulty).toBeGreaterThanOrEqual(scores[i - 1]!.difficulty);
  }
  expect(priorDifficulty("hi", shipped)).toBe(scorePrior(shipped, "hi").difficulty);
});

it("words that a prompt shares with an object's own properties weigh nothing", () => {
  const { gain } = scorePrior(shipped, "the constructor of valueof");
  expect(gain).toSatisfy(Number.isFinite);
});

it("a backend's share sets a threshold; a risk, which the prior cannot know, keeps none", () => {
  expect(priorThreshold({ max_risk: 0.5 }, shipped)).toBe(-1);
  expect(priorThreshold({ backend_share: 1 }, shipped)).toBe(-1);
  expect(priorThreshold({ backend_share: 0 }, shipped)).toBe(1);
  expect(priorThreshold({ backend_share: 0.3 }, shipped)).toBe(file.percentiles[70]);
});
