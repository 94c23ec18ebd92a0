/** Memory, Search: the passages that fit a query, and why. */
import { call } from "./api.js";
import { bar } from "./bars.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { milliseconds, passageMark, plural, short } from "./format.js";
import { makeExplanation } from "./memory-explanation.js";
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { memoryHash, searchHash } from "./routes.js";
import { mayLook } from "./session.js";

/** @typedef {import("./types.js").Hit} Hit */

const form = byId("search-form", HTMLFormElement);
const query = byId("search-query", HTMLInputElement);
const mode = byId("search-mode", HTMLSelectElement);
const k = byId("search-k", HTMLInputElement);
const explain = byId("search-explain", HTMLInputElement);
const send = byId("search-send", HTMLButtonElement);
const results = byId("search-results", HTMLElement);
const beginSearch = newestOnly();

/** @type {string | null} */
let namespace = null;
/** The address of the hits that are shown or are on their way. @type {string | null} */
let place = null;

export function startSearch() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, search);
  });
}

/** The results stay while the namespace does, unless the address names another search.
 * @param {string} shown
 * @param {import("./routes.js").Search | null} wanted */
export function showSearch(shown, wanted) {
  if (namespace !== shown) {
    resetSearch(); // a reply about the namespace before must not be shown
    namespace = shown;
    const hint = "Search for a word or ask a question; the best passages come first.";
    fill(results, emptyNotice(hint));
  }
  if (wanted === null) return keepPlace();
  if (searchHash(shown, wanted) === place) return;
  query.value = wanted.query;
  mode.value = wanted.mode;
  if (mode.selectedIndex === -1) mode.selectedIndex = 0;
  k.value = wanted.k;
  explain.checked = wanted.explain;
  form.requestSubmit();
}

/** Forgets what another key found. */
export function resetSearch() {
  namespace = null;
  place = null;
  beginSearch();
  fill(results);
}

/** Has the address say what was searched for, for whoever comes back to it or loads it anew. */
function keepPlace() {
  if (place !== null) history.replaceState(null, "", place);
}

async function search() {
  const isNewest = beginSearch();
  const asked = namespace ?? "";
  const typed = { query: query.value, mode: mode.value, k: k.value, explain: explain.checked };
  const body = { namespace: asked, ...typed, k: Number(k.value) };
  place = searchHash(asked, typed);
  keepPlace();
  fill(results, loadingNotice("Searching…"));
  try {
    const reply = await call("/v1/memory/search", { method: "POST", body });
    if (isNewest()) showHits(asked, reply.hits, reply.took_ms);
  } catch (error) {
    if (isNewest()) fill(results, errorNotice(error));
  }
}

/** @param {string} asked
 *  @param {Hit[]} hits
 *  @param {number} tookMs */
function showHits(asked, hits, tookMs) {
  if (hits.length === 0) return fill(results, emptyNotice("No passage fits."));
  const best = Math.max(...hits.map(({ score }) => score));
  const items = hits.map((hit) => makeHit(asked, hit, best > 0 ? hit.score / best : 0));
  fill(
    results,
    el(
      "p",
      { class: "faint", role: "status" },
      `${plural(hits.length, "hit")} in ${milliseconds(tookMs)}`,
    ),
    el("ol", { class: "hits" }, ...items),
  );
}

/** @param {string} asked
 *  @param {Hit} hit
 *  @param {number} share of the best hit's score */
function makeHit(asked, hit, share) {
  const { document_id, passage_id, title, text, score } = hit;
  const name = title ?? document_id;
  const href = memoryHash(asked, "document", document_id, text);
  return el(
    "li",
    { class: "card" },
    el(
      "div",
      { class: "hit-head" },
      mayLook() ? el("a", { href }, name) : el("span", {}, name),
      el("span", { class: "score" }, bar(share), el("span", {}, `score ${short(score)}`)),
    ),
    el("p", { class: "passage" }, text),
    el(
      "p",
      { class: "faint source" },
      el("code", {}, document_id),
      `passage ${passageMark(passage_id, document_id)}`,
    ),
    hit.explain ? makeExplanation(hit.explain) : null,
  );
}
