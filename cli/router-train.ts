/** `brink router train` and `brink router activate`: the router's weights from the operator's own
 *  labels. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { Figure } from "../eval/report.ts";

import type { DifficultyFile } from "../src/router/difficulty.ts";
import { type Client, connect } from "./client.ts";
import { type Command, CommandError, SERVICE_OPTIONS, UsageError, type Values } from "./command.ts";
import { CLI_TRAIN_ANSWERS_MIN } from "./limits.ts";
import { startProgress } from "./progress.ts";
import { ASK_OPTIONS, type Judged, judgeAll } from "./router-ask.ts";
import { DATA_HELP, DATA_OPTIONS, type LabelledData, readLabelled } from "./router-data.ts";
import {
  COMPARED_FIGURES,
  type Comparisons,
  compare,
  type Trained,
  trainOn,
} from "./router-fit.ts";
import { percent } from "./router-state.ts";
import { readState } from "./router-status.ts";
import { bar, table } from "./table.ts";

const FEATURES_SHOWN = 8;

const NOTE = { type: "string", value: "TEXT", help: "what the version says of itself" } as const;

export const routerTrain: Command = {
  name: "router train",
  args: "--data FILE",
  summary: "Fit the router's weights to your own labelled questions.",
  description:
    `${DATA_HELP}\n` +
    "The edge is asked each question, and the weights are fitted to the features that the\n" +
    "service computed. Two fifths of the groups are kept out of the fit and set thresholds;\n" +
    "without `group`, questions whose answer is from one document are a group. Figures are of\n" +
    "answers that the weights have not seen, with 95 % bootstrap intervals. The service goes\n" +
    "on as before without --activate.",
  options: {
    ...DATA_OPTIONS,
    out: { type: "string", value: "FILE", help: "write the weights there, for router activate" },
    activate: { type: "boolean", help: "use the weights from now on" },
    note: NOTE,
    ...ASK_OPTIONS,
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const data = await readLabelled(values);
    refuseTooFewLabels(data);
    const client = connect(values);
    const active = (await readState(client)).weights_version;
    const judged = await judgeAll(client, data, values);
    const silent = values.json === true;
    const fit = startProgress("fit", 100, silent, () => "the folds");
    const trained = trainOn(judged, (share) => fit.update(Math.floor(100 * share)));
    fit.end();
    const model = modelOf(trained, judged, data);
    const steps = startProgress("measure", COMPARED_FIGURES, silent, (n) => `${n} figures`);
    let done = 0;
    const figures = compare(trained.compared, () => steps.update(++done));
    steps.end();
    if (typeof values.out === "string")
      writeFileSync(values.out, `${JSON.stringify(model, null, 1)}\n`);
    if (!values.json) console.log(describe(trained, judged, figures, active));
    const sent = values.activate ? await activate(client, model, values) : null;
    if (!values.json && sent === null) console.log(howToActivate(values));
    const { penalty, losses, fitted, held } = trained;
    return { model, active, penalty, losses, fitted, held, figures, activated: sent !== null };
  },
};

/** Throws CommandError where there cannot be answers enough: nothing need be asked for that. */
function refuseTooFewLabels({ name, questions }: LabelledData): void {
  if (questions.length < CLI_TRAIN_ANSWERS_MIN)
    throw new CommandError(
      `${name} has ${questions.length} questions, weights need ${CLI_TRAIN_ANSWERS_MIN} answers: ` +
        "label more, or only calibrate",
    );
}

export const routerActivate: Command = {
  name: "router activate",
  args: "FILE",
  summary: "Use the weights that router train wrote with --out.",
  options: { note: NOTE, ...SERVICE_OPTIONS },
  async run([path, ...more], values) {
    if (path === undefined || more.length > 0) throw new UsageError("name one file of weights");
    let model: object;
    try {
      model = JSON.parse(readFileSync(path, "utf8")) as object;
    } catch (error) {
      throw new CommandError(`${path} cannot be read: ${(error as Error).message}`);
    }
    return activate(connect(values), model, values);
  },
};

async function activate(client: Client, model: object, values: Values): Promise<unknown> {
  const note = values.note === undefined ? {} : { note: values.note };
  // Not the weights' name, which other versions may have too.
  const before = (await readState(client)).version;
  const reply = await client.call("POST", "/admin/router/versions", {
    model,
    ...note,
    activate: true,
  });
  const { weights_version } = await readState(client);
  if (!values.json)
    console.log(
      `${weights_version} is active\nnpx brink router rollback ${before} goes back to what was`,
    );
  return reply;
}

function howToActivate({ out, data }: Values): string {
  const file = typeof out === "string" ? out : null;
  const command =
    file === null ? `router train --data ${data} --activate` : `router activate ${file}`;
  return `\nnothing is changed yet: npx brink ${command} does`;
}

/** The weights as the service takes them, laid out as models/difficulty.json. */
function modelOf(trained: Trained, judged: Judged[], data: LabelledData): DifficultyFile {
  const { ridge, penalty, fitted, held } = trained;
  const hash = createHash("sha256").update(JSON.stringify(ridge)).digest("hex").slice(0, 12);
  const abstained = judged.filter(({ answer }) => answer === null).length;
  const file = {
    version: `difficulty-${hash}`,
    weights: ridge.weights as DifficultyFile["weights"],
    bias: ridge.bias,
    before: ridge.before,
    calibration: {
      version: `calibration-${hash}`,
      scores: trained.scores.map(({ difficulty, wrong }) => [difficulty, wrong ? 1 : 0]),
      // Abstentions have no part in the fit: the thresholds' share of the answers is theirs too.
      abstained: Math.round((abstained * held.answers) / trained.compared.length),
    },
    provenance: {
      command: "npx brink router train",
      data: data.name,
      at: new Date().toISOString(),
      questions: judged.length,
      abstentions: abstained,
      fit: { ...fitted, ridge: penalty },
      thresholds: held,
    },
  };
  return file;
}

function describe(
  trained: Trained,
  judged: Judged[],
  figures: Comparisons,
  active: string,
): string {
  const { compared, fitted, held, penalty, alone } = trained;
  const wrong = compared.filter((item) => item.wrong).length;
  const abstained = judged.length - compared.length;
  const strongest = Object.entries(trained.ridge.weights)
    .map(([name, { weight }]) => ({ name, weight }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, FEATURES_SHOWN);
  const most = Math.abs(strongest[0]!.weight) || 1;
  return [
    `${judged.length} questions: ${compared.length} answers, ${wrong} of them ` +
      `(${percent(wrong / compared.length)}) wrong, ${abstained} abstentions`,
    `fitted to ${fitted.answers} answers of ${fitted.groups} groups, ridge ${penalty}; ` +
      `${held.answers} of ${held.groups} set thresholds`,
    ...(alone
      ? [`too few groups to hold out: each question is one, which flatters the figures`]
      : []),
    "",
    table([
      ["", "AUROC", "", "calibration error", ""],
      figureRow("new, on answers it has not seen", figures.auroc.fresh, figures.ece.fresh),
      figureRow(`active, ${active}`, figures.auroc.active, figures.ece.active),
      figureRow("gain", figures.auroc.gain, figures.ece.gain),
    ]),
    verdictOf(figures.auroc.gain),
    "",
    table([
      ["makes wrong likelier (+) or less so (-)", "weight", ""],
      ...strongest.map(({ name, weight }) => [
        name,
        `${weight < 0 ? "" : "+"}${weight.toFixed(2)}`,
        bar(Math.abs(weight) / most),
      ]),
    ]),
  ].join("\n");
}

/** Whether to take the new weights. The figures of the active ones are no better than held out, if
 *  nobody fitted them to these questions. */
function verdictOf({ low, high }: Figure): string {
  if (low > 0) return "the new weights rank better";
  if (high < 0)
    return "the active weights rank better, or were fitted to such questions: keep them";
  return "no difference in ranking is shown: keep the active weights, or label more questions";
}

function figureRow(name: string, ...figures: Figure[]): string[] {
  return [
    name,
    ...figures.flatMap(({ value, low, high }) => [
      value.toFixed(4),
      `[${low.toFixed(4)}, ${high.toFixed(4)}]`,
    ]),
  ];
}
