/** The part of the URL behind `#`, which names what is shown. Pure. */

/** @typedef {"search" | "documents" | "add" | "document" | "notes" | "cache"} Section
 *  @typedef {{ view: "ask" | "router" | "keys" } | TracesRoute | MemoryRoute} Route */

/** @typedef {object} TracesRoute
 * @property {"traces"} view
 * @property {string | null} id Null: all of them.
 * @property {Filter | null} filter What is listed; null: as it was. */

/** By the names of the API; empty: any. @typedef {Record<string, string>} Filter */

/** @typedef {object} MemoryRoute
 * @property {"memory"} view
 * @property {string | null} namespace Null: the first there is.
 * @property {Section} section
 * @property {string | null} id The document to show or to edit.
 * @property {string | null} quote What to mark in it.
 * @property {Search | null} search What is searched for; null: what was. */

/** As the form has it.
 * @typedef {{ query: string, mode: string, k: string, explain: boolean }} Search */

const FILTERS = ["route", "status", "min_ms", "key"];
const SECTIONS = ["search", "documents", "add", "document", "notes", "cache"];

/** What a hash names; the Ask view for one that names nothing.
 * @param {string} hash
 * @returns {Route} */
export function parseRoute(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, namespace, section, id] = path.split("/").map(decode);
  if (view === "router" || view === "keys") return { view };
  const given = new URLSearchParams(query);
  if (view === "traces") return { view, id: namespace || null, filter: filterOf(given) };
  if (view !== "memory") return { view: "ask" };
  return {
    view,
    namespace: namespace || null,
    section: /** @type {Section} */ (SECTIONS.includes(section ?? "") ? section : "search"),
    id: id || null,
    quote: given.get("quote"),
    search: searchOf(given),
  };
}

/** @param {URLSearchParams} given
 *  @returns {Filter | null} */
function filterOf(given) {
  if (!FILTERS.some((name) => given.has(name))) return null;
  return Object.fromEntries(FILTERS.map((name) => [name, given.get(name) ?? ""]));
}

/** @param {URLSearchParams} given
 *  @returns {Search | null} */
function searchOf(given) {
  const query = given.get("query");
  if (query === null) return null;
  const [mode = "hybrid", k = "8"] = [given.get("mode") ?? undefined, given.get("k") ?? undefined];
  return { query, mode, k, explain: given.has("explain") };
}

/** @param {string} step */
function decode(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step; // typed by hand, with a bare percent sign
  }
}

/** The hash of a place in a namespace; `parseRoute` reads it back.
 * @param {string} namespace
 * @param {Section} section
 * @param {string | null} [id]
 * @param {string | null} [quote] */
export function memoryHash(namespace, section, id = null, quote = null) {
  const steps = ["#", "memory", namespace, section, ...(id === null ? [] : [id])];
  const path = steps.map((step, i) => (i === 0 ? step : encodeURIComponent(step))).join("/");
  return quote === null ? path : `${path}?${new URLSearchParams({ quote })}`;
}

/** The hits of a search.
 * @param {string} namespace
 * @param {Search} search */
export function searchHash(namespace, { query, mode, k, explain }) {
  const given = new URLSearchParams({ query, mode, k, ...(explain ? { explain: "true" } : {}) });
  return `${memoryHash(namespace, "search")}?${given}`;
}

/** @param {string} id */
export function traceHash(id) {
  return `#/traces/${encodeURIComponent(id)}`;
}

/** The requests that the filter lets through; without one, of the filter as it was.
 * @param {Filter} filter */
export function tracesHash(filter) {
  const set = Object.entries(filter).filter(([, value]) => value !== "");
  return set.length === 0 ? "#/traces" : `#/traces?${new URLSearchParams(set)}`;
}
