/** What the Ask view offers to be asked: the routes, then backends and generators by name. */
import { el, fill } from "./dom.js";
import { clip, count } from "./format.js";

/** @typedef {import("./types.js").Model} Model */

/** Of a kind; a store holds hundreds. */
export const OFFERED_MAX = 50;
const NAME_CHARS_SHOWN = 60;

const ROUTES = /** @type {const} */ ([
  ["auto", "auto: routed by difficulty"],
  ["edge", "edge: the small models here"],
  ["backend", "backend: the larger model"],
]);

const GROUPS = /** @type {const} */ ([
  ["backend", "Backends"],
  ["generator", "Generators"],
]);

/** Ids that may be asked, by what they are. Pure.
 * @param {Model[]} models as the service lists them; none: not known, and so every route */
export function offersOf(models) {
  const listed = new Set(models.map(({ id }) => id));
  const routes = ROUTES.filter(([id]) => models.length === 0 || listed.has(id));
  const groups = GROUPS.map(([kind, label]) => {
    const ids = models.filter((model) => model.kind === kind).map(({ id }) => id);
    const named = ids.filter((id) => id !== "backend"); // a route, which is whichever of them
    return { label, ids: named.slice(0, OFFERED_MAX), more: named.slice(OFFERED_MAX).length };
  });
  return { routes, groups: groups.filter(({ ids }) => ids.length > 0) };
}

/** Shows as chosen what is, where it is offered.
 * @param {HTMLSelectElement} list
 * @param {Model[]} models
 * @param {string} chosen */
export function offerModels(list, models, chosen) {
  const { routes, groups } = offersOf(models);
  fill(
    list,
    ...routes.map(([id, words]) => el("option", { value: id }, words)),
    ...groups.map(({ label, ids, more }) =>
      el(
        "optgroup",
        { label },
        ...ids.map((id) => el("option", { value: id }, clip(id, NAME_CHARS_SHOWN))),
        more === 0 ? null : el("option", { disabled: true }, `and ${count(more)} more`),
      ),
    ),
  );
  list.value = chosen;
  if (list.selectedIndex === -1) list.selectedIndex = 0;
}
