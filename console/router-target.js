/** The Router view's target: a slider that shows what another one would mean before it is set. */
import { call } from "./api.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { held, isTyped } from "./fields.js";
import { fixed, percent } from "./format.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").RouterState} RouterState
 *  @typedef {import("./types.js").RouterChoice} RouterChoice */

const form = byId("router-form", HTMLFormElement);
const kind = byId("target-kind", HTMLSelectElement);
const help = byId("target-help", HTMLElement);
const range = byId("target-range", HTMLInputElement);
const value = byId("target-value", HTMLInputElement);
const preview = byId("target-preview", HTMLElement);
const send = byId("router-send", HTMLButtonElement);
const outcome = byId("router-outcome", HTMLElement);
const beginPreview = newestOnly();

const PREVIEW_DELAY_MS = 120;
const BUDGET_MAX_UNKNOWN = 10;

/** By the target's name in the API. */
const KINDS = {
  max_risk: {
    name: "Highest risk",
    help:
      "The highest share of wrong answers among those the edge keeps, with 95 % confidence " +
      "unless another one was set.",
  },
  backend_share: {
    name: "Share for the backend",
    help: "The share of all questions that go to the backend, the hardest first: an expectation.",
  },
  budget_usd_per_1k: {
    name: "Budget, USD for 1,000 questions",
    help: "What 1,000 questions may cost by the backend's prices: an expectation.",
  },
};

const fields = { kind, value };
/** What the form was filled with. */
let filled = held(fields);
/** What is set. @type {RouterState | null} */
let current = null;
/** What 1,000 questions cost where the backend gets all. @type {number | null} */
let dearest = null;
let onSet = () => {};
let onTry = (/** @type {RouterChoice | null} */ _tried) => {};

/** @param {() => void} set called when the target was set
 *  @param {(tried: RouterChoice | null) => void} tried called with what is shown; null: the target
 *    that is set */
export function startTarget(set, tried) {
  onSet = set;
  onTry = tried;
  range.addEventListener("input", () => {
    value.value = range.value;
    tryAnother();
  });
  value.addEventListener("input", () => {
    range.value = value.value;
    tryAnother();
  });
  kind.addEventListener("change", () => {
    value.value = String(equivalent(chosenKind()));
    describeKind();
    tryAnother();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, setTarget);
  });
}

export function hideTarget() {
  beginPreview();
  form.hidden = true;
  fill(preview);
}

/** Forgets what was tried with another key. */
export function resetTarget() {
  filled = held(fields);
}

/** @param {RouterState["target"]} target
 *  @returns {keyof typeof KINDS} */
function kindOf(target) {
  if (target.backend_share !== undefined) return "backend_share";
  return target.budget_usd_per_1k === undefined ? "max_risk" : "budget_usd_per_1k";
}

/** @param {RouterState["target"]} target
 *  @returns {[name: string, value: string]} */
export function nameTarget(target) {
  const name = kindOf(target);
  return [KINDS[name].name, String(target[name])];
}

/** What is tried and not set stays.
 * @param {RouterState} router
 * @param {number | null} usdPer1k where the backend gets all; null: not known */
export function showTarget(router, usdPer1k) {
  beginPreview();
  current = router;
  dearest = usdPer1k;
  const tried = isTyped(fields, filled);
  if (!tried) {
    const name = kindOf(router.target);
    kind.value = name;
    value.value = String(router.target[name]);
    filled = held(fields);
  }
  describeKind();
  form.hidden = false;
  send.hidden = !mayChange(); // what another target would mean may be seen all the same
  send.disabled = send.hidden;
  fill(preview, describe(router, null));
  if (tried) showPreview();
}

function chosenKind() {
  return /** @type {keyof typeof KINDS} */ (kind.value);
}

/** Of another kind, the value that comes to about what is set.
 * @param {keyof typeof KINDS} name */
function equivalent(name) {
  if (current === null) return 0;
  const asked = current.target[name];
  if (asked !== undefined) return asked;
  const { risk_upper, backend_share, usd_per_1k } = current.expected;
  const about = { max_risk: risk_upper, backend_share, budget_usd_per_1k: usd_per_1k ?? 0 };
  return Number(about[name].toPrecision(2));
}

function describeKind() {
  const name = chosenKind();
  const max = name === "budget_usd_per_1k" ? (dearest ?? BUDGET_MAX_UNKNOWN) : 1;
  help.textContent = KINDS[name].help;
  range.max = String(max);
  range.step = String(max / 200);
  range.value = value.value;
}

function chosenTarget() {
  const confidence = kind.value === "max_risk" ? current?.target.confidence : undefined;
  const asked = { [kind.value]: Number(value.value) };
  return confidence === undefined ? asked : { ...asked, confidence };
}

function tryAnother() {
  fill(outcome);
  showPreview();
}

/** Asks once the slider rests: not at every step of a drag. */
function showPreview() {
  const isNewest = beginPreview();
  if (!value.checkValidity()) return;
  setTimeout(async () => {
    if (!isNewest()) return;
    const target = chosenTarget();
    const query = new URLSearchParams(Object.entries(target).map(([k, v]) => [k, String(v)]));
    try {
      const tried = await call(`/admin/router/preview?${query}`);
      if (!isNewest() || current === null) return;
      fill(preview, describe(current, tried));
      onTry(tried);
    } catch (error) {
      if (!isNewest()) return;
      fill(preview, errorNotice(error));
      onTry(null);
    }
  }, PREVIEW_DELAY_MS);
}

/** What is set and what is tried, beside each other.
 * @param {RouterState} now
 * @param {RouterChoice | null} tried */
function describe(now, tried) {
  const shown = [now, ...(tried === null ? [] : [tried])];
  /** @type {[string, (choice: RouterChoice) => string][]} */
  const lines = [
    ["Threshold", ({ threshold }) => (threshold < 0 ? "none" : fixed(threshold))],
    ["Stay at the edge", ({ expected }) => percent(expected.coverage)],
    ["Of these wrong", ({ expected }) => percent(expected.risk)],
    ["Wrong at most", ({ expected }) => percent(expected.risk_upper)],
    ["USD for 1,000 questions", ({ expected: { usd_per_1k } }) => usdText(usd_per_1k)],
  ];
  const heads = ["", "Now", ...(tried === null ? [] : ["With this target"])];
  const rows = lines.map(([name, show]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      ...shown.map((choice) => el("td", { class: "number" }, show(choice))),
    ),
  );
  const headRow = heads.map((text) =>
    text === "" ? el("td", {}) : el("th", { scope: "col", class: "number" }, text),
  );
  return el(
    "table",
    { class: "preview" },
    el("thead", {}, el("tr", {}, ...headRow)),
    el("tbody", {}, ...rows),
  );
}

/** @param {number | null} usd */
function usdText(usd) {
  return usd === null ? "prices not configured" : usd.toFixed(3);
}

async function setTarget() {
  const set = held(fields);
  fill(outcome, loadingNotice("Setting the target…"));
  try {
    await call("/admin/router", { method: "PUT", body: { target: chosenTarget() } });
    filled = set;
    onSet();
    fill(outcome, doneNotice("The target is set."));
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}
