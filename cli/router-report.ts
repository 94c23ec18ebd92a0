/** `brink router report`: what the router does on labelled questions, as one HTML file. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrap, type Figure } from "../eval/report.ts";
import { auroc, expectedCalibrationError } from "../eval/scores.ts";
import { cutText } from "../index/cut.ts";
import type { RouterState } from "../src/pipeline/learning-types.ts";
import { type Client, connect } from "./client.ts";
import { type Command, CommandError, SERVICE_OPTIONS, UsageError, type Values } from "./command.ts";
import { startProgress } from "./progress.ts";
import { type Example, type Report, renderReport } from "./report-page.ts";
import {
  accuracySection,
  type Decision,
  histogramSection,
  interval,
  reliabilitySection,
  riskSection,
  share,
} from "./report-plots.ts";
import * as statistics from "./report-statistics.ts";
import { ASK_OPTIONS, type Judged, judgeAll, judgeOutcome } from "./router-ask.ts";
import { DATA_HELP, DATA_OPTIONS, readLabelled } from "./router-data.ts";
import { readOutcomes } from "./router-outcomes.ts";
import { describeTarget } from "./router-state.ts";
import { readState } from "./router-status.ts";
import { showTime } from "./table.ts";

const FEATURES_SHOWN = 12;
const EXAMPLES_SHOWN = 8;
const EXAMPLE_CHARS_MAX = 160;
/** Of fewer answers, or without both labels, nothing can be drawn. */
const ANSWERS_MIN = 20;

export const routerReport: Command = {
  name: "router report",
  args: "[--data FILE]",
  summary: "Write a page with plots: how well the router knows what the edge gets wrong.",
  description:
    `${DATA_HELP}\n` +
    "Without --data the report is of the service's recorded outcomes that have a label, by\n" +
    "feedback or a backend that disagreed. The report is one HTML file that loads nothing.",
  options: {
    ...DATA_OPTIONS,
    out: { type: "string", value: "FILE", help: "where it goes (router-report.html)" },
    "backend-accuracy": {
      type: "string",
      value: "SHARE",
      help: "what the backend is taken to answer right (1)",
    },
    weights: { type: "string", value: "FILE", help: "the active weights, as router train wrote" },
    ...ASK_OPTIONS,
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const backend = Number(values["backend-accuracy"] ?? 1);
    if (!(backend > 0 && backend <= 1))
      throw new UsageError("--backend-accuracy is a share above 0 and at most 1");
    const client = connect(values);
    const state = await readState(client);
    const { judged, from } = await gather(client, state.weights_version, values);
    refuseTooFew(judged);
    const steps = startProgress("measure", MEASURED, values.json === true, (n) => `${n} figures`);
    let done = 0;
    const figures = figuresOf(judged, state.threshold, () => steps.update(++done));
    steps.end();
    const weights = readWeights(state.weights_version, values);
    const report = reportOf({ judged, from, state, figures, backend, weights });
    const out = String(values.out ?? "router-report.html");
    writeFileSync(out, renderReport(report));
    if (!values.json) console.log(`${report.summary.join("\n")}\nwritten to ${out}`);
    return { out, questions: judged.length, ...figures };
  },
};

interface Source {
  judged: Judged[];
  /** What is said of where they are from. */
  from: { data: string; notes: string[] };
}

async function gather(client: Client, version: string, values: Values): Promise<Source> {
  if (values.data !== undefined) {
    const data = await readLabelled(values);
    const hash = createHash("sha256")
      .update(readFileSync(String(values.data)))
      .digest("hex");
    const judged = await judgeAll(client, data, values);
    const left = data.questions.length - judged.length + data.refused;
    const notes = [
      "Every question was asked of the edge's reader. Where the file has answers, an answer " +
        "is wrong when its token F1 against the best of them is below 0.5; where it has a " +
        "judgement, the recorded answer is what was judged.",
      ...(left > 0 ? [`${left} lines of the file were left out.`] : []),
    ];
    return { judged, from: { data: `${data.name} (SHA-256 ${hash.slice(0, 12)}…)`, notes } };
  }
  const labelled = await readOutcomes(client, { labelled: true });
  const outcomes = labelled.filter(({ weights_version }) => weights_version === version);
  const left = labelled.length - outcomes.length;
  const judged = outcomes.flatMap((outcome) =>
    outcome.label === null ? [] : [judgeOutcome(outcome, outcome.label.wrong)],
  );
  const times = outcomes.map(({ at }) => new Date(at).toISOString().slice(0, 10)).sort();
  const notes = [
    "These are calls that the service recorded and that got a label: a rating, or a backend's " +
      "answer that agreed or not, which is an approximate rule. Rated calls are no random " +
      "sample of all calls: people rate what surprises them.",
    ...(left > 0 ? [`${left} calls that other weights scored were left out.`] : []),
  ];
  const span = times.length === 0 ? "none" : `${times[0]} to ${times.at(-1)}`;
  return { judged, from: { data: `recorded outcomes with a label, ${span}`, notes } };
}

function refuseTooFew(judged: readonly Judged[]): void {
  const answers = judged.filter(statistics.isAnswer);
  const wrong = answers.filter((one) => one.wrong).length;
  if (answers.length >= ANSWERS_MIN && wrong > 0 && wrong < answers.length) return;
  throw new CommandError(
    `of ${judged.length} labelled questions the edge answered ${answers.length}, ${wrong} of ` +
      `them wrong: a report needs ${ANSWERS_MIN} answers, right and wrong ones ` +
      "(--data FILE, or more feedback)",
  );
}

interface Figures {
  answers: number;
  /** Share of the answers. */
  wrong: Figure;
  auroc: Figure;
  calibration_error: Figure;
  /** At the service's threshold: the share of questions kept, and of these wrong. */
  coverage: Figure;
  risk: Figure | null;
}

/** Intervals that `figuresOf` works out. */
const MEASURED = 5;

function figuresOf(judged: readonly Judged[], threshold: number, done: () => void): Figures {
  const measure = <T>(items: readonly T[], statistic: (items: readonly T[]) => number) => {
    const figure = bootstrap(items, statistic);
    done();
    return figure;
  };
  const answers = judged.filter(statistics.isAnswer);
  const share = (of: (one: Judged) => boolean) => (all: readonly Judged[]) =>
    all.length === 0 ? 0 : all.filter(of).length / all.length;
  const isKept = (one: Judged) => statistics.isAnswer(one) && one.difficulty <= threshold;
  const kept = judged.filter(isKept);
  return {
    answers: answers.length,
    wrong: measure(
      answers,
      share(({ wrong }) => wrong),
    ),
    auroc: measure(answers, auroc),
    calibration_error: measure(answers, expectedCalibrationError),
    coverage: measure(judged, share(isKept)),
    risk: kept.length === 0 ? null : measure(judged, (all) => risk(all.filter(isKept))),
  };
}

function risk(kept: readonly Judged[]): number {
  return kept.length === 0 ? 0 : kept.filter(({ wrong }) => wrong).length / kept.length;
}

type Weights = Record<string, { weight: number }>;

/** The active weights where they are at hand: the file named, or the release's own. */
function readWeights(version: string, values: Values): Weights | null {
  const named = values.weights;
  const shipped = join(import.meta.dirname, "../models/difficulty.json");
  const path = typeof named === "string" ? named : shipped;
  let file: { version: string; weights: Weights };
  try {
    file = JSON.parse(readFileSync(path, "utf8")) as typeof file;
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`);
  }
  if (file.version === version) return file.weights;
  if (typeof named === "string")
    throw new CommandError(`${path} holds ${file.version}, the service uses ${version}`);
  return null;
}

interface Gathered extends Source {
  state: RouterState;
  figures: Figures;
  backend: number;
  weights: Weights | null;
}

function reportOf({ judged, from, state, figures, backend, weights }: Gathered): Report {
  const { threshold, target, weights_version } = state;
  const { coverage, risk: keptRisk } = figures;
  const abstained = judged.length - figures.answers;
  const answers = judged.filter(statistics.isAnswer);
  const keptCount = answers.filter(({ difficulty }) => difficulty <= threshold).length;
  const promise: Decision = {
    threshold,
    maxRisk: "max_risk" in target ? target.max_risk : null,
    kept: keptRisk === null ? null : { coverage: coverage.value, risk: keptRisk, kept: keptCount },
  };
  return {
    source: [
      ["data", from.data],
      ["measured", `${showTime(Date.now())} UTC`],
      ["weights", weights_version],
      ["target", describeTarget(target)],
      ["threshold", threshold < 0 ? "none: the edge keeps nothing" : threshold.toFixed(4)],
      ...promiseOf(state),
    ],
    summary: summaryOf(judged.length, figures, promise),
    figures: [
      { name: "questions", value: String(judged.length), interval: `${abstained} abstentions` },
      figureOf("wrong answers", figures.wrong, share),
      figureOf("AUROC", figures.auroc, decimals),
      figureOf("calibration error", figures.calibration_error, decimals),
      figureOf("kept at the edge", coverage, share),
      ...(keptRisk === null ? [] : [figureOf("wrong of what is kept", keptRisk, share)]),
    ],
    sections: [
      accuracySection(
        statistics.policiesOf(judged, backend),
        threshold < 0 ? null : 1 - coverage.value,
      ),
      riskSection(statistics.riskCurve(judged), promise),
      reliabilitySection(statistics.reliabilityOf(judged), figures.calibration_error),
      histogramSection(statistics.histogramOf(judged), threshold),
    ],
    features: statistics.featuresOf(judged, weights, FEATURES_SHOWN),
    kinds: statistics.kindsOf(judged, threshold),
    examples: examplesOf(answers),
    notes: [...from.notes, ...NOTES],
  };
}

/** What the service's own calibration expects of the threshold, to hold the figures against. */
function promiseOf({ expected, calibration }: RouterState): [string, string][] {
  const { coverage, risk, risk_upper } = expected;
  const promised = `${share(coverage)} kept, ${share(risk)} of it wrong, at most`;
  return [["promised", `${promised} ${share(risk_upper)}, by ${calibration.labels} labels`]];
}

const NOTES = [
  "An abstention is no answer: it is neither right nor wrong, is never kept, and counts as not " +
    "right in the accuracy of the edge.",
  "Ranges are 95 % intervals: by 1,000 resamplings of the questions for figures, 400 for curves, " +
    "and Wilson's score interval for the bins of the reliability. They say how far another draw " +
    "of such questions would differ, not how other questions would.",
  "Figures of questions that the weights or the threshold were made from are too good.",
];

const decimals = (value: number) => value.toFixed(3);

function figureOf(name: string, figure: Figure, show: (value: number) => string) {
  return { name, value: show(figure.value), interval: interval(figure, show) };
}

function summaryOf(questions: number, figures: Figures, { kept, maxRisk }: Decision): string[] {
  const { answers, wrong, auroc: ranking } = figures;
  const first =
    `Of ${questions} questions the edge answered ${answers}; ${share(wrong.value)} of these ` +
    `answers are wrong. A wrong one is harder than a right one by the router's difficulty in ` +
    `${share(ranking.value)} of pairs (${interval(ranking)}).`;
  if (kept === null) return [first, "At the service's threshold the edge keeps none of them."];
  const verdict =
    maxRisk === null
      ? ""
      : kept.risk.high <= maxRisk
        ? ` That is within the target of ${share(maxRisk)}.`
        : kept.risk.low > maxRisk
          ? ` That is above the target of ${share(maxRisk)}: calibrate with labels of your own.`
          : ` The target is ${share(maxRisk)}: these questions are too few to tell.`;
  return [
    first,
    `At the service's threshold it keeps ${share(kept.coverage)} of the questions, and ` +
      `${share(kept.risk.value)} of what it keeps is wrong (${interval(kept.risk)}).${verdict}`,
  ];
}

function examplesOf(answers: readonly Judged[]): Report["examples"] {
  const sorted = [...answers].sort((a, b) => a.difficulty - b.difficulty);
  const mistakes = sorted.filter(({ wrong }) => wrong).slice(0, EXAMPLES_SHOWN);
  const hardest = sorted.slice(-EXAMPLES_SHOWN).reverse();
  return [
    {
      heading: "Confident mistakes",
      says: "Wrong answers with the least difficulty: what the router fails to see.",
      rows: mistakes.map(toExample),
    },
    {
      heading: "Hardest questions",
      says: "Answers with the greatest difficulty.",
      rows: hardest.map(toExample),
    },
  ];
}

function toExample({ question, answer, expected, difficulty, wrong }: Judged): Example {
  const known = expected?.length === 0 ? "(memory has none)" : (expected?.[0] ?? null);
  return {
    question: clip(question),
    answer: answer === null ? null : clip(answer),
    expected: known === null ? null : clip(known),
    difficulty,
    verdict: wrong ? "wrong" : "right",
  };
}

function clip(text: string): string {
  return text.length <= EXAMPLE_CHARS_MAX ? text : `${cutText(text, EXAMPLE_CHARS_MAX)}…`;
}
