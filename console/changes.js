/** What was changed in a form: sent alone, it undoes nothing that others changed meanwhile. */

/** The fields of `typed` whose values are not those of `filled`, which the form was filled with.
 * @template {Record<string, unknown>} T
 * @param {T} typed
 * @param {object} filled
 * @returns {Partial<T>} */
export function changesOf(typed, filled) {
  const before = new Map(Object.entries(filled));
  const changed = Object.entries(typed).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before.get(name)),
  );
  return /** @type {Partial<T>} */ (Object.fromEntries(changed));
}

/** @param {object} changes */
export function isNone(changes) {
  return Object.keys(changes).length === 0;
}
