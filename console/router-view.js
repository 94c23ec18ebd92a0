/** The Router view: how much risk an edge answer may carry, and the models there are. */
import { call } from "./api.js";
import { factList } from "./bars.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { fixed } from "./format.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { retrySession, session, watchSession } from "./session.js";

/** @typedef {import("./types.js").RouterState} RouterState */

const view = byId("router", HTMLElement);
const state = byId("router-state", HTMLElement);
const form = byId("router-form", HTMLFormElement);
const range = byId("risk-range", HTMLInputElement);
const risk = byId("risk", HTMLInputElement);
const send = byId("router-send", HTMLButtonElement);
const outcome = byId("router-outcome", HTMLElement);
const models = byId("models", HTMLElement);
const beginRead = newestOnly();

export function startRouterView() {
  range.addEventListener("input", () => {
    risk.value = range.value;
  });
  risk.addEventListener("input", () => {
    range.value = risk.value;
  });
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

/** Shows what the router does now, as far as the key may see it. */
export function showRouter() {
  const isNewest = beginRead();
  form.hidden = true;
  if (session.role !== "admin") return fill(state, explainAbsence());
  fill(state, loadingNotice("Reading the router…"));
  call("/admin/router").then(
    (router) => {
      if (isNewest()) showState(router);
    },
    (error) => {
      if (isNewest()) fill(state, errorNotice(error, showRouter));
    },
  );
}

function explainAbsence() {
  if (session.role === "checking") return loadingNotice("Checking the key…");
  if (session.role === "inference")
    return emptyNotice("The router can be seen and set with an admin key.");
  if (session.error !== null) return errorNotice(session.error, retrySession);
  return emptyNotice("Enter a key at the top of the page.");
}

/** @param {RouterState} router */
function showState({ target, threshold, weights_version }) {
  risk.value = String(target.max_risk);
  range.value = risk.value;
  form.hidden = false;
  /** @type {[string, string][]} */
  const facts = [
    ["Highest risk", String(target.max_risk)],
    ["Threshold", threshold < 0 ? "none" : fixed(threshold)],
    ["Weights", weights_version],
  ];
  fill(state, factList(facts), el("p", {}, describeRule(threshold)));
}

/** @param {number} threshold */
function describeRule(threshold) {
  if (threshold < 0)
    return (
      "The calibration data support no threshold for so low a risk: with model auto, every " +
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
    const body = { target: { max_risk: Number(risk.value) } };
    const router = await call("/admin/router", { method: "PUT", body });
    showState(router);
    fill(outcome, doneNotice(`The highest risk is now ${router.target.max_risk}.`));
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}

function showModels() {
  if (session.role === "checking") return fill(models, loadingNotice("Reading the models…"));
  if (session.models.length === 0) return fill(models, emptyNotice("No models to show."));
  const rows = session.models.map(({ id, kind }) =>
    el("tr", {}, el("td", {}, el("code", {}, id)), el("td", {}, kind)),
  );
  const head = el("tr", {}, el("th", { scope: "col" }, "Id"), el("th", { scope: "col" }, "Kind"));
  fill(models, el("table", { class: "card" }, el("thead", {}, head), el("tbody", {}, ...rows)));
}
