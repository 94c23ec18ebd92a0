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
import { readMmlu, STRONG, WEAK } from "../eval/routellm-data.ts";
import { curveOf, figuresOf, rankByScore } from "../eval/routing-curve.ts";
import { sigmoid } from "../src/router/prior.ts";
import { PRIOR_FEATURES } from "../src/router/prior-features.ts";
import { fitChance, fitPrior, toModel } from "./prior-fit.ts";
import { PARTS, SETTINGS, selectPrior, tableOf } from "./prior-select.ts";

const { values: args } = parseArgs({ options: { data: { type: "string" } } });
if (!args.data) {
  console.log("usage: node train/prior.ts --data DIR");
  process.exit(2);
}
const prompts = await readMmlu(args.data);
const table = tableOf(prompts);
const started = performance.now();
const { settings, heldOut } = selectPrior(prompts, table, (done) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${(100 * done).toFixed(0)} %`);
});
const gained = prompts.map(({ weakRight, strongRight }) => !weakRight && strongRight);
const chance = fitChance(heldOut, gained);
const fit = fitPrior(
  table,
  prompts.map((_, i) => i),
  settings,
);
const model = { ...toModel(fit, table, chance), percentiles: percentilesOf(heldOut, chance) };
const digest = createHash("sha256").update(JSON.stringify(model)).digest("hex").slice(0, 12);
const file = { version: `prior-${digest}`, ...model, provenance: provenance(args.data) };
const path = join(import.meta.dirname, "../models/prior.json");
writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
report();

/** The difficulty that 0, 1, ..., 100 % of held-out prompts do not exceed. */
function percentilesOf(gains: readonly number[], { bias, weight }: typeof chance): number[] {
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
    subjects: [...new Set(table.groups)],
    settings,
  };
}

function report(): void {
  const ranking = rankByScore(
    heldOut,
    prompts.map(({ prompt }) => prompt),
  );
  const { apgr, cpt50, cpt80 } = figuresOf(curveOf(ranking.map((i) => prompts[i]!)));
  console.log(
    `${prompts.length} prompts of ${new Set(table.groups).size} subjects, ` +
      `${SETTINGS.length} settings x ${PARTS} parts, ` +
      `${((performance.now() - started) / 1_000).toFixed(0)} s`,
  );
  console.log(`chosen: ${JSON.stringify(settings)}`);
  console.log(
    `held-out parts, by which it was chosen: APGR ${apgr.toFixed(3)}, ` +
      `CPT50 ${cpt50.toFixed(1)} %, CPT80 ${cpt80.toFixed(1)} %`,
  );
  const names = PRIOR_FEATURES.toSorted(
    (a, b) => Math.abs(model.features[b].hard) - Math.abs(model.features[a].hard),
  );
  for (const name of names.slice(0, 15)) {
    const { hard, edge } = model.features[name];
    console.log(`${name.padEnd(20)} hard ${hard.toFixed(3)}  edge ${edge.toFixed(3)}`);
  }
}
