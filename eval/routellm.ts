/** The prior against RouteLLM's labels: subjects that it was not trained on, and another benchmark.
 *  `data` is a folder with RouteLLM's `mmlu` and `gsm8k`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Encoder } from "../src/model/encoder.ts";
import {
  type PriorModel,
  type PriorScore,
  parsePrior,
  scorePrior,
  sigmoid,
} from "../src/router/prior.ts";
import { splitPrompt } from "../src/router/prior-features.ts";
import {
  fitChance,
  fitPrior,
  judge,
  type PriorSettings,
  type PriorTable,
} from "../train/prior-fit.ts";
import { leaveSubjectsOut, partOf, tablesOf } from "../train/prior-select.ts";
import { loadModels } from "./models.ts";
import {
  bootstrap,
  type EvalOptions,
  type EvalReport,
  type Figure,
  showProgress,
} from "./report.ts";
import { type LabelledPrompt, readGsm8k, readMmlu } from "./routellm-data.ts";
import { compareRankings, type Intervals, rankByScore } from "./routing-curve.ts";
import { expectedCalibrationError } from "./scores.ts";

/** Beside which ours are read. */
const PUBLISHED = `
RouteLLM's own figures (arXiv 2406.18665v4)         MMLU, 57 subjects     GSM8K
                                                  CPT50 CPT80 APGR    CPT50 CPT80 APGR
  random                                           50.1  79.9 .500     50.0  80.1 .497
  trained on arena preferences alone, best         45.0  76.9 .524     53.6  85.2 .475
  with MMLU validation labels (in-domain on MMLU)  35.4  71.6 .603
  with a GPT-4 judge's labels, best                                    33.6  63.3 .622
Their MMLU has more subjects than the data measured here.`;

const NESTED = "MMLU, unseen subjects";
const STRIPPED = "MMLU, unseen subjects, without their choices";
const SHIFTED = "GSM8K, trained on MMLU alone";
const IN_DOMAIN = "MMLU, seen subjects (in-domain)";
const FOLDS = 5;
/** Shares of prompts that are asked for, to see what share the threshold gives. */
const ASKED = [0.2, 0.5, 0.8];

export async function evaluateRoutellm({ data }: EvalOptions): Promise<EvalReport> {
  const [mmlu, gsm8k] = await Promise.all([readMmlu(data), readGsm8k(data)]);
  const { encoder } = await loadModels();
  const tables = tablesOf(mmlu, encoder);
  const gains = leaveOut(NESTED, tables.chosen);
  const stems = mmlu.map((labelled) => {
    return { ...labelled, prompt: splitPrompt(labelled.prompt).stem };
  });
  const scored = scoreAll(gsm8k, encoder);
  const before = process.cpuUsage();
  scoreAll(mmlu, encoder);
  const { user } = process.cpuUsage(before);
  const figures = {
    ...compareToLength(NESTED, mmlu, gains),
    ...clustered(NESTED, mmlu, gains),
    ...compareToLength(STRIPPED, stems, leaveOut(STRIPPED, tables.open)),
    ...compareToLength(
      SHIFTED,
      gsm8k,
      scored.map(({ gain }) => gain),
    ),
    ...compareToLength(IN_DOMAIN, mmlu, gainsInDomain(tables.chosen)),
    ...calibrationNested(mmlu, gains, partOf(tables.chosen.groups)),
    ...calibrationShifted(gsm8k, scored),
    "CPU time of a score of MMLU's, ms": user / 1_000 / mmlu.length,
  };
  console.log(PUBLISHED);
  return {
    what: "routellm",
    data,
    questions: mmlu.length + gsm8k.length,
    figures,
    bounds: boundsOf(figures),
  };
}

function leaveOut(name: string, table: PriorTable): number[] {
  const { gains, chosen } = leaveSubjectsOut(table, (done) =>
    showProgress("%", Math.round(100 * done), 100),
  );
  for (const [part, settings] of chosen.entries())
    console.log(`${name}: settings for the subjects of part ${part}: ${JSON.stringify(settings)}`);
  return gains;
}

type Figures = Record<string, Figure | number>;

function boundsOf(figures: Figures) {
  const of = (name: string) => (figures[name] as Figure).value;
  return [
    { name: `${NESTED}: APGR`, value: of(`${NESTED}: APGR`), least: 0.62 },
    { name: `${NESTED}: CPT50 %`, value: of(`${NESTED}: CPT50 %`), most: 34 },
    { name: `${NESTED}: CPT80 %`, value: of(`${NESTED}: CPT80 %`), most: 63 },
    { name: `${SHIFTED}: APGR`, value: of(`${SHIFTED}: APGR`), least: 0.6 },
  ];
}

/** By models/prior.json, which train/prior.ts fitted to MMLU alone. */
function scoreAll(prompts: readonly LabelledPrompt[], encoder: Encoder): PriorScore[] {
  const model = parsePrior(shippedFile(), encoder.dim, encoder.tokens.sha256);
  const average = (text: string) => encoder.averageTokens(text);
  return prompts.map(({ prompt }) => scorePrior(model, prompt, average));
}

function shippedFile(): PriorModel & { provenance: { settings: { chosen: PriorSettings } } } {
  return JSON.parse(readFileSync(join(import.meta.dirname, "../models/prior.json"), "utf8"));
}

function compareToLength(
  name: string,
  prompts: readonly LabelledPrompt[],
  gains: readonly number[],
): Figures {
  const { byGain, byLength } = rankings(prompts, gains);
  const { first, second, difference } = compareRankings(prompts, byGain, byLength);
  return {
    ...named(name, first),
    ...named(`${name}, by length alone`, second),
    [`${name}: APGR above length's`]: difference.apgr,
  };
}

/** The same difference with whole subjects drawn: how far other subjects would move it. */
function clustered(
  name: string,
  prompts: readonly LabelledPrompt[],
  gains: readonly number[],
): Figures {
  const { byGain, byLength } = rankings(prompts, gains);
  const groups = prompts.map(({ subject }) => subject);
  const { first, difference } = compareRankings(prompts, byGain, byLength, groups);
  return {
    [`${name}: APGR, subjects drawn`]: first.apgr,
    [`${name}: APGR above length's, subjects drawn`]: difference.apgr,
  };
}

function rankings(prompts: readonly LabelledPrompt[], gains: readonly number[]) {
  const texts = prompts.map(({ prompt }) => prompt);
  const lengths = texts.map((text) => text.length);
  return { byGain: rankByScore(gains, texts), byLength: rankByScore(lengths, texts) };
}

function named(name: string, { apgr, cpt50, cpt80 }: Intervals): Figures {
  return { [`${name}: APGR`]: apgr, [`${name}: CPT50 %`]: cpt50, [`${name}: CPT80 %`]: cpt80 };
}

/** Gains of prompts whose subjects were trained on, though not they themselves. */
function gainsInDomain(table: PriorTable): number[] {
  const settings = shippedFile().provenance.settings.chosen;
  const rows = Array.from({ length: table.n }, (_, i) => i);
  const gains = new Array<number>(table.n);
  for (let fold = 0; fold < FOLDS; fold++) {
    const others = rows.filter((i) => i % FOLDS !== fold);
    const fit = fitPrior(table, others, settings);
    for (const i of rows.filter((row) => row % FOLDS === fold))
      gains[i] = judge(fit, table, i).gain;
  }
  return gains;
}

/** Thresholds and chances of a part's subjects come from the gains of the others. */
function calibrationNested(
  prompts: readonly LabelledPrompt[],
  gains: readonly number[],
  part: readonly number[],
): Figures {
  const scored = new Array<{ difficulty: number; wrong: boolean }>(prompts.length);
  const sent = ASKED.map(() => 0);
  for (const own of new Set(part)) {
    const others = gains.filter((_, i) => part[i] !== own);
    const gained = prompts.filter((_, i) => part[i] !== own).map(isGain);
    const { bias, weight } = fitChance(others, gained);
    others.sort((a, b) => b - a);
    for (const [i, prompt] of prompts.entries()) {
      if (part[i] !== own) continue;
      const difficulty = sigmoid(bias + weight * gains[i]!);
      scored[i] = { difficulty, wrong: isGain(prompt) };
      for (const [k, share] of ASKED.entries())
        if (gains[i]! > others[Math.round(share * others.length)]!) sent[k]! += 1;
    }
  }
  return {
    ...shares(
      NESTED,
      sent.map((n) => n / prompts.length),
    ),
    [`${NESTED}: expected calibration error`]: bootstrap(scored, expectedCalibrationError),
  };
}

/** By the shipped thresholds and chances, which know nothing of this benchmark. */
function calibrationShifted(prompts: readonly LabelledPrompt[], scores: PriorScore[]): Figures {
  const scored = prompts.map((prompt, i) => {
    return { difficulty: scores[i]!.difficulty, wrong: isGain(prompt) };
  });
  const got = ASKED.map((share) => {
    const kept = Math.round(100 * (1 - share));
    const sent = scores.filter(({ difficulty, form }) => difficulty > form.percentiles[kept]!);
    return sent.length / scores.length;
  });
  return {
    ...shares(SHIFTED, got),
    [`${SHIFTED}: expected calibration error`]: bootstrap(scored, expectedCalibrationError),
  };
}

function shares(name: string, got: readonly number[]): Figures {
  return Object.fromEntries(
    got.map((share, k) => [`${name}: share got where ${ASKED[k]} is asked`, share]),
  );
}

function isGain({ weakRight, strongRight }: LabelledPrompt): boolean {
  return !weakRight && strongRight;
}
