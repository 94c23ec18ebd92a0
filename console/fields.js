/** What a form's fields hold, and which of them were typed into since they were filled. */

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field
 *  @typedef {Record<string, string | boolean>} Held By the fields' names. */

/** @param {Field} field */
function contentOf(field) {
  return isBox(field) ? field.checked : field.value;
}

/** @param {Field} field
 *  @returns {field is HTMLInputElement} */
function isBox(field) {
  return field instanceof HTMLInputElement && field.type === "checkbox";
}

/** @param {Record<string, Field>} fields
 *  @returns {Held} */
export function held(fields) {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, contentOf(field)]),
  );
}

/** Whether a field holds something else than `before` says.
 * @param {Record<string, Field>} fields
 * @param {Held} before */
export function isTyped(fields, before) {
  return Object.entries(fields).some(([name, field]) => contentOf(field) !== before[name]);
}

/** Fills the fields that hold what they held `before`; others were typed into since, and keep that.
 *  The result is what counts as `before` the next time: what the fields were filled with, and of
 *  those that were not, what they would have been.
 * @param {Record<string, Field>} fields
 * @param {Held} before
 * @param {Held} values
 * @returns {Held} */
export function refill(fields, before, values) {
  const filled = { ...values };
  for (const [name, field] of Object.entries(fields)) {
    if (contentOf(field) !== before[name]) continue;
    if (isBox(field)) field.checked = values[name] === true;
    else field.value = String(values[name]);
    filled[name] = contentOf(field);
  }
  return filled;
}
