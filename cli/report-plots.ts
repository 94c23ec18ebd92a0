/** The plots of a router report: each with what it shows, and the table behind it. */
import type { HistogramBin, Interval, ReliabilityBin } from "../src/router/curves.ts";
import type { Policies, Policy, RiskPoint } from "./report-statistics.ts";
import { type Axis, across, band, box, dot, line, plot, ticksOf, upright } from "./report-svg.ts";

export interface Section {
  id: string;
  heading: string;
  /** What one sees, in a sentence or two. */
  says: string;
  svg: string;
  legend: { kind: string; name: string }[];
  head: string[];
  rows: string[][];
}

/** As a person reads a share: `12.3 %`, with a space that breaks no line. */
export function share(value: number): string {
  return `${(100 * value).toFixed(1)}\u00a0%`;
}

export function interval({ low, high }: Interval, show = share): string {
  return `${show(low)} to ${show(high)}`;
}

const tick = (value: number) => `${Math.round(100 * value)} %`;

function shares(label: string, min: number, max: number): Axis {
  return { label, min, max, ticks: ticksOf(min, max, 5), show: tick };
}

/** From just below the least to just above the greatest, in steps of 5 %. */
function around(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.min(...values) * 20) / 20;
  const high = Math.ceil(Math.max(...values) * 20) / 20;
  return low === high ? [Math.max(0, low - 0.05), Math.min(1, high + 0.05)] : [low, high];
}

const KINDS: Record<Policy["name"], { kind: string; name: string }> = {
  difficulty: { kind: "a", name: "hardest first (the router)" },
  length: { kind: "b dash", name: "longest first" },
  random: { kind: "muted dash", name: "at random" },
  perfect: { kind: "c dot-dash", name: "wrong ones first (nobody can)" },
};

export function accuracySection(all: Policies, atThreshold: number | null): Section {
  const { policies, edge, backend, overLength } = all;
  const values = policies.flatMap(({ accuracy }) => accuracy.flatMap((p) => [p.low, p.high]));
  const axes: [Axis, Axis] = [
    shares("questions sent to the backend", 0, 1),
    shares("answered right", ...around(values)),
  ];
  const router = policies.find(({ name }) => name === "difficulty")!;
  const points = ({ accuracy }: Policy) =>
    accuracy.map(({ value, low, high }, i) => ({ x: all.shares[i]!, y: value, low, high }));
  const title = "Accuracy against backend share";
  const gained = router.gained;
  const says =
    `At the edge alone ${share(edge)} of the questions are answered right; the backend is taken ` +
    `to be right on ${share(backend)}. ` +
    (gained === null
      ? ""
      : `Sent hardest first, questions gain ${gained.value.toFixed(3)} ` +
        `(${interval(gained, (x) => x.toFixed(3))}) of the way on average over all shares, where ` +
        "chance gains 0.5") +
    (overLength === null
      ? "."
      : `, and ${overLength.value.toFixed(3)} (${interval(overLength, (x) => x.toFixed(3))}) ` +
        "more than longest first.");
  const svg = plot("accuracy", { title, desc: says }, axes, (scales) => [
    ...(atThreshold === null ? [] : [upright(scales, atThreshold, axes, "threshold", true)]),
    band(scales, points(router), "a"),
    ...[...policies].reverse().map((one) => line(scales, points(one), KINDS[one.name].kind)),
  ]);
  return {
    id: "accuracy",
    heading: title,
    says,
    svg,
    legend: policies.map(({ name }) => KINDS[name]),
    head: ["to the backend", ...policies.map(({ name }) => KINDS[name].name)],
    rows: all.shares
      .map((x, i) => [
        share(x),
        ...policies.map(({ name, accuracy }) => {
          const at = accuracy[i]!;
          return name === "random" ? share(at.value) : `${share(at.value)} (${interval(at)})`;
        }),
      ])
      .filter((_, i) => i % 2 === 0),
  };
}

export function reliabilitySection(bins: readonly ReliabilityBin[], ece: Interval): Section {
  const top = around([...bins.map(({ wrong }) => wrong.high), ...bins.map(({ said }) => said)])[1];
  const axes: [Axis, Axis] = [
    shares("difficulty, mean of the bin", 0, top),
    shares("wrong answers", 0, top),
  ];
  const title = "Does the difficulty mean what it says?";
  const says =
    "Each dot is a bin of equally many answers. On the dashed line the difficulty is the share " +
    `of wrong answers; the distance to it is ${ece.value.toFixed(3)} on average ` +
    `(${interval(ece, (x) => x.toFixed(3))}, expected calibration error in five bins).`;
  const svg = plot("reliability", { title, desc: says }, axes, (scales) => [
    line(
      scales,
      [
        { x: 0, y: 0 },
        { x: top, y: top },
      ],
      "muted dash",
    ),
    line(
      scales,
      bins.map(({ said, wrong }) => ({ x: said, y: wrong.value })),
      "a",
    ),
    ...bins.map(({ said, wrong }) =>
      dot(scales, { x: said, y: wrong.value, low: wrong.low, high: wrong.high }, "a"),
    ),
  ]);
  return {
    id: "reliability",
    heading: title,
    says,
    svg,
    legend: [
      { kind: "a", name: "answers, with 95 % intervals" },
      { kind: "muted dash", name: "as it should be" },
    ],
    head: ["answers", "difficulty, mean", "wrong", "95 %"],
    rows: bins.map(({ answers, said, wrong }) => [
      String(answers),
      share(said),
      share(wrong.value),
      interval(wrong),
    ]),
  };
}

/** What the service decides by: its threshold, the risk it promises, and what it expects. */
export interface Decision {
  threshold: number;
  maxRisk: number | null;
  kept: { coverage: number; risk: Interval; kept: number } | null;
}

export function riskSection(points: readonly RiskPoint[], promise: Decision): Section {
  const { kept, maxRisk, threshold } = promise;
  const highest = Math.max(...points.map(({ risk }) => risk.high), maxRisk ?? 0);
  const axes: [Axis, Axis] = [
    shares("questions kept at the edge", 0, 1),
    shares("of these wrong", 0, Math.min(1, Math.ceil(highest * 20) / 20)),
  ];
  const title = "Risk against coverage";
  const says =
    kept === null
      ? `The service's threshold (${threshold.toFixed(3)}) keeps none of these questions.`
      : `At the service's threshold (${threshold.toFixed(3)}) the edge keeps ` +
        `${share(kept.coverage)} of the questions, and ${share(kept.risk.value)} of those ` +
        `answers are wrong (${interval(kept.risk)}).`;
  const promised = maxRisk === null ? "" : ` The target is at most ${share(maxRisk)}.`;
  const xs = points.map(({ coverage: x, risk }) => ({ x, y: risk.value, ...ends(risk) }));
  const svg = plot("risk", { title, desc: says + promised }, axes, (scales) => [
    band(scales, xs, "a"),
    line(scales, xs, "a"),
    ...(maxRisk === null ? [] : [across(scales, maxRisk, axes, "target")]),
    ...(kept === null
      ? []
      : [
          upright(scales, kept.coverage, axes, "threshold"),
          dot(scales, { x: kept.coverage, y: kept.risk.value, ...ends(kept.risk) }, "b", 5),
        ]),
  ]);
  return {
    id: "risk",
    heading: title,
    says: says + promised,
    svg,
    legend: [
      { kind: "a", name: "wrong among what is kept, with its 95 % interval" },
      ...(kept === null ? [] : [{ kind: "b", name: "at the service's threshold" }]),
    ],
    head: ["threshold", "kept", "answers", "wrong", "95 %"],
    rows: points
      .filter((_, i) => i % 3 === 0 || i === points.length - 1)
      .map((point) => [
        point.threshold.toFixed(3),
        share(point.coverage),
        String(point.kept),
        share(point.risk.value),
        interval(point.risk),
      ]),
  };
}

function ends({ low, high }: Interval) {
  return { low, high };
}

export function histogramSection(bins: readonly HistogramBin[], threshold: number): Section {
  const most = Math.max(1, ...bins.map(({ right, wrong }) => Math.max(right, wrong)));
  const axes: [Axis, Axis] = [
    { ...shares("difficulty", 0, 1), show: (value) => value.toFixed(1) },
    {
      label: "answers",
      min: -most,
      max: most,
      ticks: mirrored(most),
      show: (n) => `${Math.abs(n)}`,
    },
  ];
  const title = "Difficulty of right and of wrong answers";
  const count = (which: "right" | "wrong") => bins.reduce((sum, bin) => sum + bin[which], 0);
  const says =
    `${count("right")} right answers stand above the line, ${count("wrong")} wrong ones below. ` +
    "The better the difficulty, the further left the upper and the further right the lower.";
  const svg = plot("histogram", { title, desc: says }, axes, (scales) => [
    ...bins.flatMap(({ from, to, right, wrong }) => [
      box(scales, { x: from + 0.004, y: 0 }, { x: to - 0.004, y: right }, "a"),
      box(scales, { x: from + 0.004, y: -wrong }, { x: to - 0.004, y: 0 }, "b"),
    ]),
    ...(threshold >= 0 && threshold <= 1 ? [upright(scales, threshold, axes, "threshold")] : []),
  ]);
  return {
    id: "histogram",
    heading: title,
    says,
    svg,
    legend: [
      { kind: "a box", name: "right" },
      { kind: "b box", name: "wrong" },
    ],
    head: ["difficulty", "right", "wrong"],
    rows: bins.map(({ from, to, right, wrong }) => [
      `${from.toFixed(2)} to ${to.toFixed(2)}`,
      String(right),
      String(wrong),
    ]),
  };
}

/** Whole numbers from -most to most. */
function mirrored(most: number): number[] {
  const up = ticksOf(0, most, 3).filter(Number.isInteger);
  return [...up.slice(1).map((n) => -n), ...up];
}
