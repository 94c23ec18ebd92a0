/** The Router view: what is aimed for, what that keeps at the edge, and the models there are. */
import { explainAbsence } from "./absence.js";
import { call } from "./api.js";
import { barList, factList } from "./bars.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { count, fixed, moment } from "./format.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { clearVersions, showVersions } from "./router-versions.js";
import { session, watchSession } from "./session.js";

/** @typedef {import("./types.js").RouterState} RouterState */

const view = byId("router", HTMLElement);
const state = byId("router-state", HTMLElement);
const form = byId("router-form", HTMLFormElement);
const kind = byId("target-kind", HTMLSelectElement);
const help = byId("target-help", HTMLElement);
const range = byId("target-range", HTMLInputElement);
const value = byId("target-value", HTMLInputElement);
const send = byId("router-send", HTMLButtonElement);
const outcome = byId("router-outcome", HTMLElement);
const models = byId("models", HTMLElement);
const beginRead = newestOnly();

/** By the target's name in the API; `max` is the slider's end. */
const KINDS = {
  max_risk: {
    name: "Highest risk",
    max: 1,
    help: "The highest share of wrong answers among those the edge keeps, with 95 % confidence.",
  },
  backend_share: {
    name: "Share for the backend",
    max: 1,
    help: "The share of all questions that go to the backend, the hardest first: an expectation.",
  },
  budget_usd_per_1k: {
    name: "Budget, USD for 1,000 questions",
    max: 10,
    help: "What 1,000 questions may cost by the backend's prices: an expectation.",
  },
};

export function startRouterView() {
  range.addEventListener("input", () => {
    value.value = range.value;
  });
  value.addEventListener("input", () => {
    range.value = value.value;
  });
  kind.addEventListener("change", () => describeKind());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, setTarget);
  });
  watchSession(() => {
    fill(outcome);
    showModels();
    if (!view.hidden) showRouter();
  });
}

function chosenKind() {
  return /** @type {keyof typeof KINDS} */ (kind.value);
}

function describeKind() {
  const { help: text, max } = KINDS[chosenKind()];
  help.textContent = text;
  range.max = String(max);
  range.step = String(max / 100);
  range.value = value.value;
}

/** Shows what the router does now, as far as the key may see it. */
export function showRouter() {
  const isNewest = beginRead();
  form.hidden = true;
  clearVersions();
  if (session.role !== "admin")
    return fill(state, explainAbsence("The router can be seen and set with an admin key."));
  fill(state, loadingNotice("Reading the router…"));
  call("/admin/router").then(
    (router) => {
      if (!isNewest()) return;
      showState(router);
      showVersions(showRouter);
    },
    (error) => {
      if (isNewest()) fill(state, errorNotice(error, showRouter));
    },
  );
}

/** @param {RouterState} router */
function showState(router) {
  const { target, threshold, weights_version, calibration, expected, drift, labels } = router;
  const name = Object.keys(KINDS).find((one) => one in target) ?? "max_risk";
  kind.value = name;
  value.value = String(target[name]);
  describeKind();
  form.hidden = false;
  const source = calibration.source === "own" ? "your own" : "the release's";
  /** @type {[string, string][]} */
  const facts = [
    [KINDS[chosenKind()].name, String(target[name])],
    ["Threshold", threshold < 0 ? "none" : fixed(threshold)],
    ["Weights", weights_version],
    ["Calibration", `${count(calibration.labels)} answers, ${source}`],
    ["Collected", `${count(labels.backend)} compared, ${count(labels.feedback)} rated`],
  ];
  fill(
    state,
    describeDrift(drift),
    factList(facts),
    el("p", {}, describeRule(threshold)),
    el("h3", {}, "What the calibration questions met"),
    describeExpected(expected),
    describeEngines(router.engines),
  );
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

/** @param {RouterState["expected"]} expected */
function describeExpected({ coverage, risk, risk_upper, backend_share, usd_per_1k }) {
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
  const list = barList([
    { name: "stay at the edge", value: percent(coverage), share: coverage, kind: "edge" },
    { name: "of these wrong", value: percent(risk), share: risk, kind: "hard" },
    { name: "at most, at 95 %", value: percent(risk_upper), share: risk_upper, kind: "hard" },
    { name: "go to the backend", value: percent(backend_share), share: backend_share },
  ]);
  const cost =
    usd_per_1k === null
      ? "What that costs is not known: the backend's prices are not configured."
      : `By the backend's prices 1,000 questions cost USD ${usd_per_1k.toFixed(3)}.`;
  return el("div", {}, list, el("p", { class: "faint" }, cost));
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

async function setTarget() {
  fill(outcome, loadingNotice("Setting the target…"));
  try {
    const body = { target: { [kind.value]: Number(value.value) } };
    showState(await call("/admin/router", { method: "PUT", body }));
    fill(outcome, doneNotice("The target is set."));
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}

function showModels() {
  if (session.role === "checking") return fill(models, loadingNotice("Reading the models…"));
  if (session.models.length === 0) return fill(models, emptyNotice("No models to show."));
  const rows = session.models.map((model) =>
    el("tr", {}, el("td", {}, el("code", {}, model.id)), el("td", {}, model.kind)),
  );
  const head = el("tr", {}, el("th", { scope: "col" }, "Id"), el("th", { scope: "col" }, "Kind"));
  fill(models, el("table", { class: "card" }, el("thead", {}, head), el("tbody", {}, ...rows)));
}
