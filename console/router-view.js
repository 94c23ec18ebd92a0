/** The Router view: what is aimed for, what that keeps at the edge, and the models there are. */
import { explainAbsence } from "./absence.js";
import { call } from "./api.js";
import { factList } from "./bars.js";
import { byId, el, fill, newestOnly } from "./dom.js";
import { count, fixed, moment } from "./format.js";
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { accuracyChart, liveChart, reliabilityChart, riskChart } from "./router-charts.js";
import { hideSettings, resetSettings, showSettings, startSettings } from "./router-settings.js";
import { hideTarget, nameTarget, resetTarget, showTarget, startTarget } from "./router-target.js";
import { clearVersions, showVersions } from "./router-versions.js";
import { mayLook, session, watchSession } from "./session.js";

/** @typedef {import("./types.js").RouterState} RouterState
 *  @typedef {import("./types.js").RouterChoice} RouterChoice
 *  @typedef {import("./types.js").RouterCurves} RouterCurves
 *  @typedef {{ difficulty: number | null, route: "edge" | "backend" }[]} Outcomes */

const OUTCOMES_SHOWN = 200;

const view = byId("router", HTMLElement);
const state = byId("router-state", HTMLElement);
const charts = byId("router-charts", HTMLElement);
const more = byId("router-more", HTMLElement);
const outcome = byId("router-outcome", HTMLElement);
const models = byId("models", HTMLElement);
const beginRead = newestOnly();

/** The key in whose name what is shown was read. */
let usedKey = "";
/** What the pictures are drawn from.
 * @type {{ router: RouterState, curves: RouterCurves, outcomes: Outcomes } | null} */
let shown = null;

export function startRouterView() {
  startTarget(read, drawCharts);
  startSettings();
  watchSession(() => {
    if (session.key !== usedKey) {
      usedKey = session.key;
      fill(outcome);
      resetTarget();
      resetSettings();
    }
    showModels();
    if (!view.hidden) showRouter();
  });
}

/** Shows what the router does now, as far as the key may see it. */
export function showRouter() {
  beginRead();
  clear();
  if (!mayLook())
    return fill(state, explainAbsence("The router can be seen and set with an admin key."));
  fill(state, loadingNotice("Reading the router…"));
  read();
}

function clear() {
  shown = null;
  hideTarget();
  hideSettings();
  clearVersions();
  for (const element of [charts, more]) fill(element);
}

/** What is shown stays until the newer is there: it holds the focus and the place in the page. */
function read() {
  const isNewest = beginRead();
  const parts = ["", "/curves", `/outcomes?limit=${OUTCOMES_SHOWN}`];
  Promise.all(parts.map((part) => call(`/admin/router${part}`))).then(
    ([router, curves, { outcomes }]) => {
      if (!isNewest()) return;
      shown = { router, curves, outcomes };
      showState(router);
      showTarget(router, curves.points[0]?.usd_per_1k ?? null);
      drawCharts(null);
      showSettings(router);
      showVersions(read);
    },
    (error) => {
      if (!isNewest()) return;
      clear();
      fill(state, errorNotice(error, showRouter));
    },
  );
}

/** @param {RouterChoice | null} tried */
function drawCharts(tried) {
  if (shown === null) return;
  const { router, curves, outcomes } = shown;
  const scored = outcomes.some(({ difficulty }) => difficulty !== null);
  const open = [...charts.querySelectorAll("details")].map((details) => details.open);
  fill(
    charts,
    scored ? liveChart(outcomes, router, tried) : emptyNotice("No question was scored yet."),
    ...(curves.points.length === 0
      ? [emptyNotice("The calibration set has no answers to draw.")]
      : [
          accuracyChart(curves, router, tried),
          riskChart(curves, router, tried),
          reliabilityChart(curves),
        ]),
  );
  for (const [i, details] of charts.querySelectorAll("details").entries())
    details.open = open[i] ?? false;
}

/** @param {RouterState} router */
function showState(router) {
  const { target, threshold, weights_version, calibration, drift, labels } = router;
  const source = calibration.source === "own" ? "your own" : "the release's";
  /** @type {[string, string][]} */
  const facts = [
    nameTarget(target),
    ["Threshold", threshold < 0 ? "none" : fixed(threshold)],
    ["Weights", weights_version],
    ["Calibration", `${count(calibration.labels)} answers, ${source}`],
    ["Collected", `${count(labels.backend)} compared, ${count(labels.feedback)} rated`],
  ];
  fill(state, describeDrift(drift), factList(facts), el("p", {}, describeRule(threshold)));
  fill(more, describeEngines(router.engines));
}

/** @param {RouterState["engines"]} engines */
function describeEngines(engines) {
  if (engines.length === 0) return null;
  const head = ["Engine", "USD per 1,000", "Compared", "Wrong", "Answers up to"];
  const rows = engines.map(({ engine, usd_per_1k, labels, wrong, threshold }) => [
    engine,
    usd_per_1k.toFixed(3),
    count(labels),
    labels === 0 ? "" : `${((100 * wrong) / labels).toFixed(1)} %`,
    threshold === null ? "not yet" : fixed(threshold),
  ]);
  const cells = (/** @type {string[]} */ row) => row.map((text) => el("td", {}, text));
  return el(
    "div",
    { class: "scroll", role: "region", tabindex: 0, "aria-label": "Cheaper engines" },
    el("h3", {}, "Cheaper engines, before the backend"),
    el(
      "table",
      { class: "card" },
      el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells(row)))),
    ),
  );
}

const ALARMS = /** @type {const} */ ([
  ["difficulty", "questions are not as hard as those of the calibration"],
  ["risk", "more of the kept answers are wrong than was promised, as the backend sees it"],
  ["feedback", "more of the kept answers are wrong than was promised, by their ratings"],
]);

/** @param {RouterState["drift"]} drift */
function describeDrift(drift) {
  if (!drift.alarm) return null;
  const found = ALARMS.filter(([name]) => drift[name].alarm).map(([, what]) => what);
  const since = drift.since === null ? "" : ` since ${moment(drift.since)}`;
  const text = `Drift${since}: ${found.join("; ")}. Calibrate anew, or lower the target.`;
  return el("div", { class: "notice failed", role: "alert" }, text);
}

/** @param {number} threshold */
function describeRule(threshold) {
  if (threshold < 0)
    return (
      "The calibration data support no threshold for such a target: with model auto, every " +
      "question is meant for the backend."
    );
  return (
    `With model auto, the edge keeps a question whose difficulty is at most ${fixed(threshold)}; ` +
    "harder ones go to the backend, or get the edge's best evidence where there is none."
  );
}

function showModels() {
  if (session.role === "checking") return fill(models, loadingNotice("Reading the models…"));
  if (session.role === "none" || session.error !== null)
    return fill(models, emptyNotice("They wait for the key."));
  if (session.models.length === 0) return fill(models, emptyNotice("No models to show."));
  const rows = session.models.map((model) =>
    el("tr", {}, el("td", {}, el("code", {}, model.id)), el("td", {}, model.kind)),
  );
  const head = el("tr", {}, el("th", { scope: "col" }, "Id"), el("th", { scope: "col" }, "Kind"));
  fill(models, el("table", { class: "card" }, el("thead", {}, head), el("tbody", {}, ...rows)));
}
