/** The Router view's pictures: recent questions, and what the calibration set says. */
import { across, band, column, dot, line, makeChart, upright } from "./chart.js";
import { count, fixed, percent } from "./format.js";

/** @typedef {import("./types.js").RouterCurves} RouterCurves
 *  @typedef {import("./types.js").RouterChoice} RouterChoice
 *  @typedef {import("./types.js").RouterState} RouterState
 *  @typedef {import("./chart.js").Plot} Plot */

const BINS = 20;
const TABLE_ROWS = 12;

/** @param {number} value */
const tick = (value) => `${Math.round(100 * value)} %`;

/** @param {string} label
 *  @param {number} min
 *  @param {number} max */
function shares(label, min, max) {
  return { label, min, max, show: tick };
}

/** What is in use, and what is being tried where it is another.
 * @param {Plot} plot
 * @param {RouterChoice} now
 * @param {RouterChoice | null} tried
 * @param {(choice: RouterChoice) => number} place */
function marks(plot, now, tried, place) {
  const { min, max } = plot.axes[0];
  const inside = (/** @type {RouterChoice} */ one) => place(one) >= min && place(one) <= max;
  const other = tried !== null && tried.threshold !== now.threshold ? tried : null;
  return [
    inside(now) ? upright(plot, place(now), "now", "now") : null,
    other !== null && inside(other) ? upright(plot, place(other), "target", "tried", 1) : null,
  ];
}

/** How hard the questions of late were, and who answered them.
 * @param {{ difficulty: number | null, route: "edge" | "backend" }[]} outcomes
 * @param {RouterChoice} now
 * @param {RouterChoice | null} tried */
export function liveChart(outcomes, now, tried) {
  const scored = outcomes.filter(({ difficulty }) => difficulty !== null);
  const bins = Array.from({ length: BINS }, (_, i) => {
    return { from: i / BINS, to: (i + 1) / BINS, edge: 0, backend: 0 };
  });
  for (const { difficulty, route } of scored) {
    const bin = bins[Math.min(BINS - 1, Math.floor((difficulty ?? 0) * BINS))];
    if (bin !== undefined) bin[route]++;
  }
  const most = Math.max(5, ...bins.map(({ edge, backend }) => edge + backend));
  const kept = scored.filter(({ route }) => route === "edge").length;
  return makeChart({
    title: "Difficulty of recent questions",
    says:
      `Of the last ${count(scored.length)} that were scored, the edge answered ` +
      `${percent(kept / scored.length)}. What the reader found no answer to counts as 1.`,
    axes: [
      { label: "difficulty", min: 0, max: 1, show: (value) => value.toFixed(1) },
      { label: "questions", min: 0, max: most, show: (value) => String(value) },
    ],
    draw: (plot) => [
      ...bins.map(({ edge, ...bin }) => column(plot, { ...bin, low: 0, high: edge }, "edge")),
      ...bins.map(({ edge, backend, ...bin }) =>
        column(plot, { ...bin, low: edge, high: edge + backend }, "backend"),
      ),
      ...marks(plot, now, tried, ({ threshold }) => threshold),
    ],
    legend: [
      { kind: "edge", name: "answered by the edge" },
      { kind: "backend", name: "by the backend" },
    ],
    head: ["Difficulty", "Edge", "Backend"],
    rows: bins
      .filter(({ edge, backend }) => edge + backend > 0)
      .map(({ from, to, edge, backend }) => [
        ...[`${from.toFixed(2)} to ${to.toFixed(2)}`, count(edge), count(backend)],
      ]),
  });
}

/** @param {RouterCurves} curves
 *  @param {RouterChoice} now
 *  @param {RouterChoice | null} tried */
export function accuracyChart({ points }, now, tried) {
  const least = Math.min(...points.map(({ accuracy }) => accuracy));
  const all = points.at(-1)?.accuracy ?? 0;
  return makeChart({
    title: "Accuracy against backend share",
    says:
      `At the edge alone ${percent(all)} of the calibration questions are answered right. Every ` +
      "question that goes to the backend is taken to be answered right there.",
    axes: [
      shares("questions sent to the backend", 0, 1),
      shares("answered right", Math.floor(least * 10) / 10, 1),
    ],
    draw: (plot) => [
      line(
        plot,
        [
          { x: 0, y: all },
          { x: 1, y: 1 },
        ],
        "faint",
      ),
      line(
        plot,
        points.map(({ backend_share: x, accuracy: y }) => ({ x, y })),
        "edge",
      ),
      ...marks(plot, now, tried, ({ expected }) => expected.backend_share),
    ],
    legend: [
      { kind: "edge line", name: "hardest first: the router" },
      { kind: "faint line", name: "at random" },
    ],
    head: ["To the backend", "Right", "Threshold"],
    rows: everySo(points).map(({ backend_share, accuracy, threshold }) => [
      ...[percent(backend_share), percent(accuracy), threshold < 0 ? "none" : fixed(threshold)],
    ]),
  });
}

/** @param {RouterCurves} curves
 *  @param {RouterState} now
 *  @param {RouterChoice | null} tried */
export function riskChart({ points }, now, tried) {
  const kept = points.filter(({ coverage }) => coverage > 0);
  const target = (tried?.target ?? now.target).max_risk ?? null;
  // The bound of the first few answers is wide and says little: it may leave the picture.
  const highest = Math.max(...kept.map(({ risk }) => risk), target ?? 0, 0.05);
  const top = Math.min(1, Math.ceil(highest * 1.3 * 20) / 20);
  return makeChart({
    title: "Risk against what is kept",
    says:
      "The share of wrong answers among those that the edge keeps, and what it is below with the " +
      `target's confidence.${target === null ? "" : ` The target is ${percent(target)}.`}`,
    axes: [shares("questions kept at the edge", 0, 1), shares("of these wrong", 0, top)],
    draw: (plot) => [
      band(
        plot,
        kept.map(({ coverage: x, risk: low, risk_upper }) => {
          return { x, low, high: Math.min(top, risk_upper) };
        }),
        "edge",
      ),
      line(
        plot,
        kept.map(({ coverage: x, risk: y }) => ({ x, y })),
        "edge",
      ),
      target === null ? null : across(plot, Math.min(top, target), "limit"),
      ...marks(plot, now, tried, ({ expected }) => expected.coverage),
    ],
    legend: [
      { kind: "edge line", name: "wrong, with its bound above" },
      ...(target === null ? [] : [{ kind: "limit line", name: "the target" }]),
    ],
    head: ["Kept", "Wrong", "At most", "Threshold"],
    rows: everySo(kept).map(({ coverage, risk, risk_upper, threshold }) => [
      ...[percent(coverage), percent(risk), percent(risk_upper), fixed(threshold)],
    ]),
  });
}

/** @param {RouterCurves} curves */
export function reliabilityChart({ reliability }) {
  const ends = reliability.flatMap(({ said, wrong }) => [said, wrong.high]);
  const top = Math.min(1, Math.ceil(Math.max(...ends) * 10) / 10);
  return makeChart({
    title: "Does the difficulty mean what it says?",
    says:
      "Each dot is a bin of equally many calibration answers, with its 95 % interval. On the " +
      "dashed line the difficulty is the share of wrong answers.",
    axes: [shares("difficulty, mean of the bin", 0, top), shares("wrong answers", 0, top)],
    draw: (plot) => [
      line(
        plot,
        [
          { x: 0, y: 0 },
          { x: top, y: top },
        ],
        "faint",
      ),
      ...reliability.map(({ said, wrong: { value, low, high } }) =>
        dot(plot, { x: said, y: value, low, high: Math.min(top, high) }, "edge"),
      ),
    ],
    legend: [
      { kind: "edge", name: "as it was" },
      { kind: "faint line", name: "as it should be" },
    ],
    head: ["Answers", "Difficulty", "Wrong", "95 %"],
    rows: reliability.map(({ answers, said, wrong: { value, low, high } }) => [
      ...[count(answers), percent(said), percent(value), `${percent(low)} to ${percent(high)}`],
    ]),
  });
}

/** So many at most, the first and the last among them.
 * @template T
 * @param {T[]} items
 * @returns {T[]} */
function everySo(items) {
  const step = Math.ceil(items.length / TABLE_ROWS);
  return items.filter((_, i) => i % step === 0 || i === items.length - 1);
}
