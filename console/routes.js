/** The part of the URL behind `#`, which names what is shown. Pure. */

/** @typedef {"search" | "documents" | "add" | "document" | "notes" | "cache"} Section
 *  @typedef {{ view: "ask" | "router" | "keys" } | TracesRoute | MemoryRoute} Route */

/** @typedef {object} TracesRoute
 * @property {"traces"} view
 * @property {string | null} id Null: all of them.
 * @property {string | null} key Those of this key alone; null: as the filter has it. */

/** @typedef {object} MemoryRoute
 * @property {"memory"} view
 * @property {string | null} namespace Null: the first there is.
 * @property {Section} section
 * @property {string | null} id The document to show or to edit.
 * @property {string | null} quote What to mark in it. */

const SECTIONS = ["search", "documents", "add", "document", "notes", "cache"];

/** What a hash names; the Ask view for one that names nothing.
 * @param {string} hash
 * @returns {Route} */
export function parseRoute(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, namespace, section, id] = path.split("/").map(decode);
  if (view === "router" || view === "keys") return { view };
  const given = new URLSearchParams(query);
  if (view === "traces") return { view, id: namespace || null, key: given.get("key") };
  if (view !== "memory") return { view: "ask" };
  return {
    view,
    namespace: namespace || null,
    section: /** @type {Section} */ (SECTIONS.includes(section ?? "") ? section : "search"),
    id: id || null,
    quote: given.get("quote"),
  };
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

/** @param {string} id */
export function traceHash(id) {
  return `#/traces/${encodeURIComponent(id)}`;
}

/** The requests of a key.
 * @param {string} id */
export function keyTracesHash(id) {
  return `#/traces?${new URLSearchParams({ key: id })}`;
}
