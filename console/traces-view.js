/** The Traces view: the tenant's recent requests, filtered, a page at a time. */
import { explainAbsence } from "./absence.js";
import { call } from "./api.js";
import { bar } from "./bars.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { clip, fixed, instant, milliseconds, usd } from "./format.js";
import { emptyNotice, errorNotice } from "./notice.js";
import { Pager } from "./pager.js";
import { traceHash, tracesHash } from "./routes.js";
import { mayChange, mayLook, watchSession } from "./session.js";
import { hideTrace, showTrace } from "./trace-view.js";

/** @typedef {import("./types.js").TraceSummary} TraceSummary
 *  @typedef {import("./types.js").Key} Key */

const PAGE_TRACES = 25;

const view = byId("traces", HTMLElement);
const all = byId("traces-all", HTMLElement);
const form = byId("traces-form", HTMLFormElement);
const list = byId("traces-list", HTMLElement);
const pages = byId("traces-pages", HTMLElement);
const forget = byId("traces-forget", HTMLButtonElement);
const pager = new Pager({
  list,
  back: byId("traces-newer", HTMLButtonElement),
  next: byId("traces-older", HTMLButtonElement),
  number: byId("traces-page", HTMLElement),
  loading: "Reading the traces…",
  where: () => {
    const set = Object.entries(applied).filter(([, value]) => value !== "");
    return ["/admin/traces", { ...Object.fromEntries(set), limit: String(PAGE_TRACES) }];
  },
  show: makePage,
});
const beginKeys = newestOnly();

/** Each under its name in the API. */
const filters = {
  route: byId("traces-route", HTMLSelectElement),
  status: byId("traces-status", HTMLInputElement),
  min_ms: byId("traces-min", HTMLInputElement),
  key: byId("traces-key", HTMLSelectElement),
};

/** What is listed; what is typed into the form counts once it is sent. */
let applied = filter();
/** The trace that is shown in the list's place. @type {string | null} */
let shownId = null;

export function startTracesView() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    readFirst();
  });
  form.addEventListener("reset", () => setTimeout(readFirst)); // once the fields are empty
  forget.addEventListener("click", () => void whileBusy(forget, forgetAll));
  watchSession(() => {
    pager.reset();
    if (!view.hidden) showTraces(shownId);
  });
}

/** Shows one request, or the list.
 * @param {string | null} id
 * @param {import("./routes.js").Filter | null} [wanted] what is listed; null: as it was */
export function showTraces(id, wanted = null) {
  shownId = id;
  const looks = mayLook();
  forget.hidden = !mayChange();
  if (wanted !== null) setFilter(wanted);
  form.hidden = !looks;
  all.hidden = looks && id !== null;
  if (looks && id !== null) return showTrace(id, tracesHash(applied));
  hideTrace();
  if (looks) {
    void readKeys();
    keepPlace();
    return pager.read();
  }
  pages.hidden = true;
  pager.showInstead(explainAbsence("Traces can be seen with an admin key."));
}

/** What the form says. */
function filter() {
  return Object.fromEntries(
    Object.entries(filters).map(([name, { value }]) => [name, value.trim()]),
  );
}

/** Stays on its page where it is the filter already.
 * @param {import("./routes.js").Filter} wanted */
function setFilter(wanted) {
  if (tracesHash(wanted) === tracesHash(applied)) return;
  pager.reset();
  offerKeys([], wanted.key ?? "");
  for (const [name, field] of Object.entries(filters)) field.value = wanted[name] ?? "";
  applied = filter();
}

function readFirst() {
  applied = filter();
  pager.reset();
  keepPlace();
  pager.read();
}

/** Has the address say what is listed, for whoever comes back to it or loads it anew. */
function keepPlace() {
  history.replaceState(null, "", tracesHash(applied));
}

/** Offers the keys that there are. Where they cannot be read, the list of requests says why. */
async function readKeys() {
  const isNewest = beginKeys();
  const { keys } = await call("/admin/keys").catch(() => ({ keys: [] }));
  if (isNewest()) offerKeys(keys, filters.key.value);
}

/** One that is chosen and not in the list has been revoked: its requests may still be there.
 * @param {Key[]} keys
 * @param {string} chosen */
function offerKeys(keys, chosen) {
  const all = new Map([
    ["", "any"],
    ["operator", "the fixed keys"],
  ]);
  for (const { id, name } of keys) all.set(id, name === null ? id : `${clip(name, 40)} (${id})`);
  if (!all.has(chosen)) all.set(chosen, chosen);
  fill(filters.key, ...[...all].map(([id, words]) => el("option", { value: id }, words)));
  filters.key.value = chosen;
}

async function forgetAll() {
  const sure = await confirmed({
    title: "Forget all traces?",
    text: "What is remembered of requests goes, filtered or not. Counts and figures stay.",
    action: "Forget all",
  });
  if (!sure) return;
  try {
    await call("/admin/traces", { method: "DELETE" });
    readFirst();
  } catch (error) {
    pager.showInstead(errorNotice(error, () => pager.read()));
  }
}

const COLUMNS = ["Time", "Request", "Status", "Answered by", "Difficulty", "Took", "USD"];

/** @param {{ traces: TraceSummary[], cursor: string | null }} page
 *  @param {boolean} isFirst */
function makePage({ traces, cursor }, isFirst) {
  pages.hidden = cursor === null && isFirst;
  if (traces.length === 0) return emptyNotice(explainNone(isFirst));
  const longestMs = Math.max(...traces.map(({ duration_ms }) => duration_ms), 1);
  const head = el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, name)));
  const rows = traces.map((trace) => makeRow(trace, longestMs));
  const table = el(
    "table",
    { class: "card wide traces" },
    el("thead", {}, head),
    el("tbody", {}, ...rows),
  );
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": "Recent requests" };
  return el("div", region, table);
}

/** @param {boolean} isFirst */
function explainNone(isFirst) {
  if (!isFirst) return "There are no older requests.";
  return Object.values(applied).some((value) => value !== "")
    ? "No request that is remembered fits the filter."
    : "Nothing is remembered yet. Ask something: a request shows up a second or two later.";
}

/** @param {TraceSummary} trace
 *  @param {number} longestMs */
function makeRow(trace, longestMs) {
  const { trace_id, at, endpoint, namespace, status, error, difficulty, duration_ms } = trace;
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("a", { href: traceHash(trace_id) }, instant(at))),
    el(
      "td",
      {},
      el("span", {}, endpoint),
      namespace === null ? null : el("span", { class: "faint under" }, namespace),
    ),
    el("td", {}, statusBadge(status), error === null ? null : el("code", {}, error)),
    el("td", {}, ...answeredBy(trace)),
    el("td", { class: "number" }, difficulty === null ? "" : fixed(difficulty)),
    el(
      "td",
      { class: "took" },
      el("span", {}, milliseconds(Math.round(duration_ms))),
      bar(duration_ms / longestMs, status >= 500 ? "hard" : ""),
    ),
    el("td", { class: "number" }, usd(trace.cost_micro_usd)),
  );
}

/** @param {number} status */
function statusBadge(status) {
  const kind = status >= 500 ? "bad" : status >= 400 ? "wanted" : "good";
  return el("span", { class: `badge ${kind}` }, String(status));
}

/** @param {TraceSummary} trace
 *  @returns {Node[]} */
function answeredBy({ route, engine, cache }) {
  return [
    ...(route === null ? [] : [el("span", { class: `badge ${route}` }, route)]),
    ...(engine === null ? [] : [el("span", { class: "faint under" }, engine)]),
    ...(cache === null ? [] : [el("span", { class: "faint under" }, `${cache} cache`)]),
  ];
}
