/** The Traces view: the tenant's recent requests, filtered, a page at a time. */
import { explainAbsence } from "./absence.js";
import { call } from "./api.js";
import { bar } from "./bars.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { clip, fixed, instant, milliseconds, usd } from "./format.js";
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { traceHash } from "./routes.js";
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
const newer = byId("traces-newer", HTMLButtonElement);
const older = byId("traces-older", HTMLButtonElement);
const pageNumber = byId("traces-page", HTMLElement);
const forget = byId("traces-forget", HTMLButtonElement);
const beginRead = newestOnly();
const beginKeys = newestOnly();

/** Each under its name in the API. */
const filters = {
  route: byId("traces-route", HTMLSelectElement),
  status: byId("traces-status", HTMLInputElement),
  min_ms: byId("traces-min", HTMLInputElement),
  key: byId("traces-key", HTMLSelectElement),
};

/** The cursor of each page up to the one that is shown; the first has none.
 * @type {(string | null)[]} */
let cursors = [null];
/** @type {string | null} */
let nextCursor = null;
/** The trace that is shown in the list's place. @type {string | null} */
let shownId = null;

export function startTracesView() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    cursors = [null];
    read();
  });
  form.addEventListener("reset", () => {
    cursors = [null];
    setTimeout(read); // once the fields are empty
  });
  forget.addEventListener("click", () => void whileBusy(forget, forgetAll));
  older.addEventListener("click", () => {
    cursors.push(nextCursor);
    read();
  });
  newer.addEventListener("click", () => {
    cursors.pop();
    read();
  });
  watchSession(() => {
    cursors = [null];
    if (!view.hidden) showTraces(shownId);
  });
}

/** Shows one request, or the list.
 * @param {string | null} id
 * @param {string | null} [key] whose requests alone are listed; null: as the filter is */
export function showTraces(id, key = null) {
  shownId = id;
  const looks = mayLook();
  forget.hidden = !mayChange();
  if (key !== null) {
    cursors = [null];
    offerKeys([], key);
  }
  form.hidden = !looks;
  all.hidden = looks && id !== null;
  if (looks && id !== null) {
    beginRead();
    return showTrace(id);
  }
  hideTrace();
  if (looks) {
    void readKeys();
    return read();
  }
  beginRead();
  pages.hidden = true;
  fill(list, explainAbsence("Traces can be seen with an admin key."));
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
    cursors = [null];
    read();
  } catch (error) {
    fill(list, errorNotice(error, read));
  }
}

function isFiltered() {
  return Object.values(filters).some(({ value }) => value.trim() !== "");
}

function read() {
  const isNewest = beginRead();
  pages.hidden = true;
  fill(list, loadingNotice("Reading the traces…"));
  const query = new URLSearchParams({ limit: String(PAGE_TRACES) });
  for (const [name, { value }] of Object.entries(filters))
    if (value.trim() !== "") query.set(name, value.trim());
  const cursor = cursors.at(-1);
  if (cursor) query.set("cursor", cursor);
  call(`/admin/traces?${query}`).then(
    (page) => {
      if (isNewest()) showPage(page);
    },
    (error) => {
      if (isNewest()) fill(list, errorNotice(error, read));
    },
  );
}

const COLUMNS = ["Time", "Request", "Status", "Answered by", "Difficulty", "Took", "USD"];

/** @param {{ traces: TraceSummary[], cursor: string | null }} page */
function showPage({ traces, cursor }) {
  nextCursor = cursor;
  pages.hidden = cursor === null && cursors.length === 1;
  older.disabled = cursor === null;
  newer.disabled = cursors.length === 1;
  pageNumber.textContent = `Page ${cursors.length}`;
  if (traces.length === 0) return fill(list, emptyNotice(explainNone()));
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
  fill(list, el("div", region, table));
}

function explainNone() {
  if (cursors.length > 1) return "There are no older requests.";
  return isFiltered()
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
