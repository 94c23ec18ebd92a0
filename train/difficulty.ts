/** Fits models/difficulty.json: P(the edge answer is not good enough).
 *
 *  Asks the running service every question of a SQuAD 1.1 file with all its paragraphs in memory
 *  and takes the features that the service itself computed. Articles are split into a part that
 *  fits the weights and a part that sets thresholds; neither is a test part.
 *
 *      node train/difficulty.ts --data squad-v1.1-calibrate.json [--answers CACHE.json] [--url URL]
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { withService } from "../eval/client.ts";
import { askAll, type OpenAnswer } from "../eval/open.ts";
import { auroc, expectedCalibrationError, WRONG_BELOW_F1 } from "../eval/scores.ts";
import { readSquad } from "../eval/squad.ts";
import { scoreBefore } from "../src/router/before.ts";
import { thresholdFor } from "../src/router/calibration.ts";
import {
  type DifficultyFile,
  type DifficultyModel,
  parseDifficultyModel,
  scoreDifficulty,
} from "../src/router/difficulty.ts";
import { FEATURES, type Features } from "../src/router/features.ts";
import type { CrossValidation } from "../src/router/fit.ts";
import { fitStages, type StagedExample } from "../src/router/fit-stages.ts";
import { scoreLogistic } from "../src/router/logistic.ts";

const root = join(import.meta.dirname, "..");
const weightsPath = join(root, "models/difficulty.json");
/** Every second article, in the order of their titles' hashes, sets thresholds. */
const THRESHOLD_SHARE = 2;
const NONE = { version: "", scores: [], abstained: 0 };

/** Its group is the article's title. */
interface Example extends StagedExample {
  values: Features;
}

const { values: args } = parseArgs({
  options: { data: { type: "string" }, answers: { type: "string" }, url: { type: "string" } },
});
if (!args.data) {
  console.log("usage: node train/difficulty.ts --data SQUAD.json [--answers FILE] [--url URL]");
  process.exit(2);
}
const answers = await collect(args.data, args.answers ?? null, args.url ?? null);
const questions = answers
  .filter(({ features }) => features !== null)
  .map(({ question, features, answer, f1 }): Example => {
    return {
      group: question.article,
      values: features as Features,
      wrong: answer === null || f1 < WRONG_BELOW_F1,
      abstained: answer === null,
    };
  });
const parts = splitByArticle(questions);
const fitPart = answered(parts.fitPart);
const thresholdPart = answered(parts.thresholdPart);
const examples = answered(questions);
const { model, ridge } = fitModel(parts.fitPart);
const file = { ...withCalibration(model, parts.thresholdPart), provenance: provenance(args.data) };
writeFileSync(weightsPath, `${JSON.stringify(file, null, 1)}\n`);
for (const [name, part] of Object.entries({ fitPart, thresholdPart })) {
  const scored = score(model, part);
  console.log(
    `${name}: ${part.length} answers, ${share(part)} wrong, AUROC ${auroc(scored).toFixed(4)}, ` +
      `ECE ${expectedCalibrationError(scored).toFixed(4)}`,
  );
}
tellSkipping(parts.thresholdPart);
for (const name of FEATURES) {
  const { weight } = model.weights[name];
  console.log(`${name.padEnd(16)} ${weight.toFixed(3).padStart(8)}`);
}

/** The service's answers, from the cache file where there is one. */
async function collect(
  data: string,
  cache: string | null,
  url: string | null,
): Promise<OpenAnswer[]> {
  if (cache !== null && existsSync(cache)) return JSON.parse(readFileSync(cache, "utf8"));
  ensureWeights();
  const questions = readSquad(data);
  const fresh = await withService(url, (client) =>
    askAll(client, "train-difficulty", questions, questions),
  );
  if (cache !== null) writeFileSync(cache, JSON.stringify(fresh));
  return fresh;
}

/** The service does not start without weights of its own features. Where the file has others, or
 *  is missing, weights of zero stand in while the features are gathered: nothing stays at the
 *  edge with them. */
function ensureWeights(): void {
  const weights = {} as DifficultyModel["weights"];
  for (const name of FEATURES) weights[name] = { mean: 0, std: 1, weight: 0 };
  const unfitted: DifficultyFile = { version: "unfitted", weights, bias: 0, calibration: NONE };
  try {
    parseDifficultyModel(JSON.parse(readFileSync(weightsPath, "utf8")));
  } catch {
    writeFileSync(weightsPath, `${JSON.stringify(unfitted)}\n`);
  }
}

function splitByArticle(all: readonly Example[]) {
  const hash = (title: string) => createHash("sha256").update(title).digest("hex");
  const articles = [...new Set(all.map(({ group }) => group))];
  articles.sort((a, b) => (hash(a) < hash(b) ? -1 : 1));
  const held = new Set(articles.filter((_, i) => i % THRESHOLD_SHARE === THRESHOLD_SHARE - 1));
  return {
    fitPart: all.filter(({ group }) => !held.has(group)),
    thresholdPart: all.filter(({ group }) => held.has(group)),
  };
}

function answered(part: readonly Example[]): Example[] {
  return part.filter(({ abstained }) => !abstained);
}

function fitModel(part: readonly Example[]) {
  const { after, before, model: both } = fitStages(part);
  tellLosses("after reading", after, answered(part).length);
  tellLosses("before reading", before, part.length);
  const weights = both.weights as DifficultyModel["weights"];
  const fitted: DifficultyModel = { ...both, version: "", weights, calibration: NONE };
  return { model: fitted, ridge: after.penalty };
}

function tellLosses(name: string, { losses }: CrossValidation, count: number): void {
  console.log(`${name}: ${count} questions`);
  for (const { penalty, loss, error } of losses)
    console.log(
      `  penalty ${penalty}: held-out log loss ${loss.toFixed(4)}, ` +
        `standard error ${error.toFixed(4)}`,
    );
}

function withCalibration(fitted: DifficultyModel, part: readonly Example[]): DifficultyFile {
  const { weights, before } = fitted;
  const digest = createHash("sha256").update(JSON.stringify({ weights, before })).digest("hex");
  const version = digest.slice(0, 12);
  const given = answered(part);
  const scores = score(fitted, given).map(({ difficulty, wrong }) => [difficulty, wrong ? 1 : 0]);
  const abstained = part.length - given.length;
  return {
    ...fitted,
    version: `difficulty-${version}`,
    calibration: { version: `calibration-${version}`, scores, abstained },
  };
}

function score(fitted: DifficultyModel, part: readonly Example[]) {
  return part.map(({ values, wrong }) => ({ difficulty: scoreDifficulty(fitted, values), wrong }));
}

/** What the stage before reading spares and loses on questions that nothing was fitted on. */
function tellSkipping(part: readonly Example[]): void {
  const set = part.map(({ values, abstained, wrong }) => {
    const { score: difficulty, floor } = scoreBefore(model.before!, values);
    const after = abstained ? 1 : scoreLogistic(model, values);
    return { difficulty, wrong, floor, after };
  });
  const ece = expectedCalibrationError(set).toFixed(4);
  console.log(`before reading: AUROC ${auroc(set).toFixed(4)}, ECE ${ece}`);
  const { calibration } = parseDifficultyModel(file);
  for (const max_risk of [0.05, 0.1, 0.15, 0.2, 0.3]) {
    const threshold = thresholdFor({ max_risk }, calibration, null);
    const kept = set.filter(({ after }) => after <= threshold);
    const skipped = set.filter(({ floor }) => floor > 0 && floor > threshold);
    const lost = kept.filter(({ floor }) => floor > threshold);
    const percent = (n: number, of: number) =>
      of === 0 ? "none" : `${((100 * n) / of).toFixed(1)} %`;
    console.log(
      `  max_risk ${max_risk}: threshold ${threshold}; ` +
        `unread ${percent(skipped.length, set.length)} of the questions, ` +
        `${percent(skipped.length, set.length - kept.length)} of those that leave; ` +
        `lost ${percent(lost.length, kept.length)} of the answers that stay`,
    );
  }
}

function share(part: readonly Example[]): string {
  return `${((100 * part.filter(({ wrong }) => wrong).length) / part.length).toFixed(1)} %`;
}

function provenance(data: string) {
  const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
  return {
    command: `node train/difficulty.ts --data ${basename(data)}`,
    data: { name: basename(data), sha256: sha256(data), licence: "CC BY-SA 4.0" },
    encoder_sha256: sha256(join(root, "models/encoder.gguf")),
    reader_sha256: sha256(join(root, "models/reader.gguf")),
    questions: answers.length,
    abstentions: answers.length - examples.length,
    fit: { answers: fitPart.length, articles: titles(fitPart), ridge },
    thresholds: { answers: thresholdPart.length, articles: titles(thresholdPart) },
  };
}

function titles(part: readonly Example[]): string[] {
  return [...new Set(part.map(({ group }) => group))].sort();
}
