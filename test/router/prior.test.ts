import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { loadModels } from "../../eval/models.ts";
import { PRIOR_CHARS_MAX } from "../../src/limits.ts";
import type { Encoder } from "../../src/model/encoder.ts";
import {
  gainOf,
  guessOf,
  type PriorForm,
  type PriorModel,
  parsePrior,
  priorThreshold,
  scorePrior,
} from "../../src/router/prior.ts";
import { PRIOR_FEATURES, priorFeatures, splitPrompt } from "../../src/router/prior-features.ts";
import { minimize } from "../../train/lbfgs.ts";
import {
  fitChance,
  fitPrior,
  judge,
  lossOf,
  type PriorFit,
  PriorTable,
  toForm,
} from "../../train/prior-fit.ts";
import { dot, tokenBasis } from "../../train/token-basis.ts";

const path = join(import.meta.dirname, "../../models/prior.json");
const file = JSON.parse(readFileSync(path, "utf8")) as PriorModel;

let encoder: Encoder;
let shipped: PriorModel;
const average = (text: string) => encoder.averageTokens(text);
const score = (prompt: string) => scorePrior(shipped, prompt, average);

beforeAll(async () => {
  ({ encoder } = await loadModels());
  shipped = parsePrior(file, encoder.dim, encoder.tokens.sha256);
});

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

const OF_CHOICES = /^(choice_|all_or_none|roman_choices|which_following|except|ends_in_question)/;

it("every feature is finite, or NaN where there are no choices to look at", () => {
  for (const prompt of ["", " ", "?", "1", CHOSEN, "A. B. C.", "\u0000\ud800", "9".repeat(400)])
    for (const [name, value] of Object.entries(priorFeatures(splitPrompt(prompt)))) {
      const absent = splitPrompt(prompt).choices.length === 0;
      const isChoice = OF_CHOICES.test(name);
      if (absent && isChoice) expect(value, name).toBeNaN();
      else expect(value, `${name} of ${JSON.stringify(prompt)}`).toSatisfy(Number.isFinite);
    }
});

it("what lies past the bound changes nothing", () => {
  const long = "why is 7 not 8, if all else is equal? ".repeat(300).slice(0, PRIOR_CHARS_MAX);
  const { gain } = score(`${long} except \\frac{1}{2} $400`);
  expect(gain).toBe(score(long).gain);
});

it("text made to be slow to match takes no longer than the bound allows", () => {
  const pieces = ["\n", " ", "who ", "$", "(", "A. ", "\nA. \nB. ", "1,111", ";\t", "_^", "I, "];
  for (const piece of pieces) {
    const text = piece.repeat(PRIOR_CHARS_MAX);
    const before = process.threadCpuUsage();
    score(text);
    const { user, system } = process.threadCpuUsage(before);
    // Quadratic matching of 8,000 characters takes more than this, of any machine's CPU time.
    expect((user + system) / 1_000, JSON.stringify(piece)).toBeLessThan(200);
  }
});

const BASIS = [
  [1, 0, 0],
  [0, 0.6, 0.8],
].map((unit) => Float64Array.from(unit));

/** A stand-in of the encoder: what the text has of three letters. */
const lettersOf = (text: string) =>
  Float32Array.from("aeo", (letter) => text.split(letter).length / (text.length + 1));

/** Prompts of which the long ones are hard for the weak engine, and wordy ones for both; every
 *  second has choices. */
function synthetic() {
  return Array.from({ length: 1_200 }, (_, i) => {
    const clauses = 1 + (i % 7);
    const wordy = i % 3 === 0;
    const prompt =
      `${wordy ? "Notwithstanding appearances, " : ""}why is number ${i} odd` +
      `${" and even when added to another".repeat(clauses)}?${i % 2 ? "\nA. one\nB. two" : ""}`;
    const parts = splitPrompt(prompt);
    return {
      prompt,
      group: `subject ${i % 20}`,
      features: priorFeatures(parts),
      tokens: lettersOf([parts.stem, ...parts.choices].join("\n")),
      guess: guessOf(parts),
      weakWrong: clauses > 3 || wordy,
      strongWrong: wordy,
    };
  });
}

const SETTINGS = { hardPenalty: 10, edgePenalty: 10 };

it("serving scores a prompt as training did", () => {
  const examples = synthetic();
  const table = new PriorTable(examples, BASIS);
  const rows = examples.map((_, i) => i);
  const fit = fitPrior(table, rows, SETTINGS);
  const gains = rows.map((i) => judge(fit, table, i).gain);
  const chance = fitChance(
    gains,
    examples.map(({ weakWrong, strongWrong }) => weakWrong && !strongWrong),
  );
  const percentiles = new Array<number>(101).fill(0);
  const form = { ...toForm(fit, table), chance, percentiles };
  const written = JSON.stringify({ version: "", encoder: "letters", chosen: form, open: form });
  const model = parsePrior(JSON.parse(written) as PriorModel, 3, "letters");
  for (const i of rows)
    expect(scorePrior(model, examples[i]!.prompt, lettersOf).gain).toBeCloseTo(gains[i]!, 4);
});

it("the gradient of the loss is what finite differences give, with and without guessing", () => {
  const examples = synthetic().slice(0, 60);
  const table = new PriorTable(examples, BASIS);
  expect(new Set(table.guess)).toEqual(new Set([0, 0.5]));
  const { columns } = table;
  const size = 2 * columns + 2;
  const rows = examples.map((_, i) => i);
  const scale = {
    mean: new Float64Array(columns).fill(0.3),
    std: new Float64Array(columns).fill(2),
  };
  const loss = lossOf(table, rows, scale, new Float64Array(size).fill(3));
  const theta = Float64Array.from({ length: size }, (_, k) => Math.sin(7 * k) / 5);
  const gradient = new Float64Array(size);
  loss(theta, gradient);
  const step = 1e-5;
  for (let k = 0; k < size; k++) {
    const [up, down] = [step, -step].map((by) => {
      const moved = theta.map((x, j) => (j === k ? x + by : x));
      return loss(moved, new Float64Array(size));
    });
    // The third derivative times step^2 and rounding of a loss of some hundred over the step.
    expect((up! - down!) / (2 * step)).toBeCloseTo(gradient[k]!, 4);
  }
});

it("the loss of a label is minus the logarithm of its chance, a guess's part included", () => {
  const examples = synthetic();
  const table = new PriorTable(examples, BASIS);
  const { columns } = table;
  for (const logit of [-9, -1, 0, 2, 9]) {
    const theta = new Float64Array(2 * columns + 2).fill(logit, 2 * columns);
    const mean = new Float64Array(columns);
    const fit: PriorFit = { settings: SETTINGS, mean, std: mean.map(() => 1), theta };
    for (const i of [0, 1, 2, 3, 4, 5]) {
      const { guess, weakWrong, strongWrong } = examples[i]!;
      const wrong = (1 - guess) / (1 + Math.exp(-logit));
      const chance = (label: boolean) => (label ? wrong : 1 - wrong);
      const expected = -Math.log(chance(weakWrong) * chance(strongWrong));
      expect(judge(fit, table, i).loss).toBeCloseTo(expected, 9);
    }
  }
});

it("an engine that knows nothing is right as often as a guess", () => {
  expect(guessOf(splitPrompt(CHOSEN))).toBe(1 / 3);
  expect(guessOf(splitPrompt("Which metal melts first?"))).toBe(0);
  expect(gainOf(40, -40, 0.25)).toBeCloseTo(0.75, 9);
  expect(gainOf(40, -40, 0)).toBeCloseTo(1, 9);
});

it("a fit tells what is hard for one engine from what is hard for both", () => {
  const examples = synthetic();
  const table = new PriorTable(examples, BASIS);
  const seen = examples.map((_, i) => i).filter((i) => i % 20 !== 0);
  const fit = fitPrior(table, seen, SETTINGS);
  const mean = (want: (i: number) => boolean) => {
    const own = examples.map((_, i) => i).filter((i) => i % 20 === 0 && want(i));
    return own.reduce((sum, i) => sum + judge(fit, table, i).gain, 0) / own.length;
  };
  const gained = (i: number) => examples[i]!.weakWrong && !examples[i]!.strongWrong;
  expect(mean(gained)).toBeGreaterThan(mean((i) => !gained(i)) + 0.3);
});

it("the mean of token embeddings counts each piece once, and unknown ones not at all", () => {
  const [metal, iron] = [average("metal"), average("iron")];
  const both = average("metal iron metal");
  for (let j = 0; j < encoder.dim; j++) expect(both[j]).toBeCloseTo((metal[j]! + iron[j]!) / 2, 5);
  const one = new Float32Array(encoder.dim);
  encoder.addToken(one, encoder.tokenizer.encode("metal").ids[0]!, 1);
  expect(metal).toEqual(one);
  expect(average("")).toEqual(new Float32Array(encoder.dim));
  expect(average("\u{13000}")).toEqual(new Float32Array(encoder.dim));
  expect(() => encoder.addToken(one, encoder.tokenizer.vocab_size, 1)).toThrow("no such");
});

it("directions of the token embeddings are orthonormal, the widest first", () => {
  const basis = tokenBasis(encoder, 4);
  for (const [i, a] of basis.entries())
    for (const [j, b] of basis.entries()) expect(dot(a, b)).toBeCloseTo(Number(i === j), 9);
  const spreadAlong = (direction: Float64Array) => {
    let [sum, square, total] = [0, 0, 0];
    for (let id = 1_996; id < encoder.tokenizer.vocab_size; id++) {
      const row = new Float32Array(encoder.dim);
      encoder.addToken(row, id, 1);
      const [x, weight] = [dot(direction, row), 1 / (id - 1_995)];
      sum += weight * x;
      square += weight * x * x;
      total += weight;
    }
    return square / total - (sum / total) ** 2;
  };
  const spreads = basis.map(spreadAlong);
  expect(spreads).toEqual(spreads.toSorted((a, b) => b - a));
  const axis = Float64Array.from({ length: encoder.dim }, (_, j) => Number(j === 0));
  expect(spreadAlong(axis)).toBeLessThan(spreads[3]!);
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
  const withForm = (form: Partial<PriorForm>) => ({ ...file, open: { ...file.open, ...form } });
  const { dim } = encoder;
  const { sha256 } = encoder.tokens;
  for (const { features } of [file.chosen, file.open])
    expect(Object.keys(features)).toEqual([...PRIOR_FEATURES]);
  const { words: _, ...rest } = file.open.features;
  const fewer = withForm({ features: rest as PriorForm["features"] });
  expect(() => parsePrior(fewer, dim, sha256)).toThrow("words");
  const more = { ...file.open.features, extra: file.open.features.words };
  expect(() => parsePrior(withForm({ features: more }), dim, sha256)).toThrow("unknown");
  expect(() => parsePrior(file, dim + 1, sha256)).toThrow("weights of tokens");
  expect(() => parsePrior(file, dim, "another")).toThrow("other token embeddings");
});

it("a prompt without choices is judged by weights that know of none", () => {
  expect(score(CHOSEN).form).toBe(shipped.chosen);
  expect(score("Which metal melts first?").form).toBe(shipped.open);
  for (const [name, { hard, edge }] of Object.entries(shipped.open.features))
    if (OF_CHOICES.test(name)) expect([hard, edge], name).toEqual([0, 0]);
});

it("the difficulty is a probability that rises with the gain", () => {
  const prompts = ["hi", "Prove ".repeat(3_000), "What is 17 * 23?", "", "Who wrote Emma?"];
  const scores = prompts.map(score);
  scores.sort((a, b) => a.gain - b.gain);
  for (const [i, { difficulty }] of scores.entries()) {
    expect(difficulty).toBeGreaterThan(0);
    expect(difficulty).toBeLessThan(1);
    if (i > 0) expect(difficulty).toBeGreaterThanOrEqual(scores[i - 1]!.difficulty);
  }
});

it("a backend's share sets a threshold; a risk, which the prior cannot know, keeps none", () => {
  const { chosen, open } = file;
  for (const form of [chosen, open]) {
    expect(priorThreshold({ max_risk: 0.5 }, form)).toBe(-1);
    expect(priorThreshold({ backend_share: 1 }, form)).toBe(-1);
    expect(priorThreshold({ backend_share: 0 }, form)).toBe(1);
    expect(priorThreshold({ backend_share: 0.3 }, form)).toBe(form.percentiles[70]);
  }
});
