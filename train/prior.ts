/** Fits models/prior.json: the prior for prompts that memory says nothing about.
 *
 *  Takes RouteLLM's labels of MMLU, and of nothing else. Settings are chosen by cross-validation
 *  over subjects (prior-select.ts); the weights are then fitted to all of them.
 *
 *      node train/prior.ts --data DIR        with the folder DIR/mmlu
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadModels } from "../eval/models.ts";
import { readMmlu, STRONG, WEAK } from "../eval/routellm-data.ts";
import { curveOf, figuresOf, rankByScore } from "../eval/routing-curve.ts";
import { type PriorForm, sigmoid } from "../src/router/prior.ts";
import { PRIOR_FEATURES } from "../src/router/prior-features.ts";
import { fitChance, fitPrior, type PriorTable, toForm } from "./prior-fit.ts";
import { PARTS, SETTINGS, selectPrior, tablesOf } from "./prior-select.ts";

const { values: args } = parseArgs({ options: { data: { type: "string" } } });
if (!args.data) {
  console.log("usage: node train/prior.ts --data DIR");
  process.exit(2);
}
const prompts = await readMmlu(args.data);
const { encoder } = await loadModels();
const started = performance.now();
const tables = tablesOf(prompts, encoder);
const chosen = formOf("with choices", tables.chosen, tables.chosen.guess);
// Who reads an open prompt has nothing to guess from.
const open = formOf("without choices", tables.open, new Float64Array(tables.open.n));
const forms = { encoder: encoder.tokens.sha256, chosen: chosen.form, open: open.form };
const digest = createHash("sha256").update(JSON.stringify(forms)).digest("hex").slice(0, 12);
const file = { version: `prior-${digest}`, ...forms, provenance: provenance(args.data) };
const path = join(import.meta.dirname, "../models/prior.json");
writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
console.log(`${prompts.length} prompts, ${((performance.now() - started) / 1_000).toFixed(0)} s`);

/** The weights of one form of prompts, which are served where a guess is right by `guess`. */
function formOf(name: string, table: PriorTable, guess: Float64Array) {
  const { settings, heldOut } = selectPrior(table, (done) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${(100 * done).toFixed(0)} %`);
  });
  const gained = prompts.map(({ weakRight, strongRight }) => !weakRight && strongRight);
  const chance = rounded(fitChance(heldOut, gained));
  const served = heldOut.map((gain, i) => (gain * (1 - guess[i]!)) / (1 - table.guess[i]!));
  const rows = prompts.map((_, i) => i);
  const weights = toForm(fitPrior(table, rows, settings), table);
  const form = { ...weights, chance, percentiles: percentilesOf(served, chance) };
  report(name, form, heldOut, settings);
  return { form, settings };
}

function rounded({ bias, weight }: PriorForm["chance"]): PriorForm["chance"] {
  return { bias: Number(bias.toPrecision(6)), weight: Number(weight.toPrecision(6)) };
}

/** The difficulty that 0, 1, ..., 100 % of held-out prompts do not exceed. */
function percentilesOf(gains: readonly number[], { bias, weight }: PriorForm["chance"]): number[] {
  const sorted = gains.map((gain) => sigmoid(bias + weight * gain)).sort((a, b) => a - b);
  return Array.from({ length: 101 }, (_, percent) => {
    const at = Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1);
    return Number(sorted[at]!.toPrecision(6));
  });
}

function provenance(folder: string) {
  const hash = createHash("sha256");
  for (const name of readdirSync(join(folder, "mmlu")).sort())
    hash.update(readFileSync(join(folder, "mmlu", name)));
  return {
    command: "node train/prior.ts --data DIR",
    data: { name: "RouteLLM, MMLU", sha256: hash.digest("hex"), licence: "Apache-2.0" },
    weak: WEAK,
    strong: STRONG,
    prompts: prompts.length,
    subjects: [...new Set(tables.chosen.groups)],
    settings: { chosen: chosen.settings, open: open.settings },
  };
}

function report(name: string, form: PriorForm, heldOut: readonly number[], settings: object): void {
  const ranking = rankByScore(
    heldOut,
    prompts.map(({ prompt }) => prompt),
  );
  const { apgr, cpt50, cpt80 } = figuresOf(curveOf(ranking.map((i) => prompts[i]!)));
  console.log(`\n${name}: of ${SETTINGS.length} settings ${JSON.stringify(settings)}`);
  console.log(
    `${PARTS} held-out parts: APGR ${apgr.toFixed(3)}, ` +
      `CPT50 ${cpt50.toFixed(1)} %, CPT80 ${cpt80.toFixed(1)} %`,
  );
  const { features } = form;
  const names = PRIOR_FEATURES.toSorted(
    (a, b) => Math.abs(features[b].hard) - Math.abs(features[a].hard),
  );
  for (const feature of names.slice(0, 12)) {
    const { hard, edge } = features[feature];
    console.log(`${feature.padEnd(20)} hard ${hard.toFixed(3)}  edge ${edge.toFixed(3)}`);
  }
}
