/** What was changed in a document that was read, and the call that saves it. Pure. */

/** @typedef {import("./types.js").StoredDocument} StoredDocument */

/** @typedef {object} Change Only what differs from the document as it was read.
 * @property {string | null} [title]
 * @property {string} [text]
 * @property {{ set: Record<string, unknown>, removed: string[] }} [metadata] Top-level fields.
 * @property {string | null} [expires_at] As typed; null: never. */

/** Unix ms as the service takes them: it reads numbers below 10^11, of 1973 and before, as seconds.
 *  A year that ISO's four digits do not hold is far from those, and stays a number.
 * @param {number} ms */
export function timeOf(ms) {
  const at = new Date(ms);
  const year = at.getUTCFullYear();
  return year >= 0 && year <= 9999 ? at.toISOString() : ms;
}

/** The top-level fields in which `after` differs from `before`.
 * @param {Record<string, unknown>} before
 * @param {Record<string, unknown>} after
 * @returns {NonNullable<Change["metadata"]>} */
export function metadataChange(before, after) {
  const same = (/** @type {string} */ field) =>
    Object.hasOwn(before, field) && JSON.stringify(before[field]) === JSON.stringify(after[field]);
  return {
    set: Object.fromEntries(Object.entries(after).filter(([field]) => !same(field))),
    removed: Object.keys(before).filter((field) => !Object.hasOwn(after, field)),
  };
}

/** The document with the change made to it. Times that were typed stay texts.
 * @param {StoredDocument} stored
 * @param {Change} change */
function changed(stored, { title, text, metadata, expires_at }) {
  const kept = Object.entries(stored.metadata).filter(
    ([field]) => !metadata?.removed.includes(field),
  );
  const expires = stored.expires_at === null ? null : timeOf(stored.expires_at);
  return {
    title: title === undefined ? stored.title : title,
    text: text ?? stored.text,
    metadata: { ...Object.fromEntries(kept), ...metadata?.set },
    expires_at: expires_at === undefined ? expires : expires_at,
  };
}

/** The call that makes the change to this version and to no other. What the change does not name
 *  stays as it is there; with version 0 the document is made anew.
 * @param {StoredDocument} stored
 * @param {Change} change
 * @returns {{ method: "PATCH" | "POST", body: object }} */
export function savingCall(stored, change) {
  const { title, metadata, expires_at } = change;
  const if_version = stored.version;
  // To PATCH, a field that is null is one to take out.
  const hasNulls = Object.values(metadata?.set ?? {}).includes(null);
  if (change.text === undefined && !hasNulls && if_version > 0) {
    const removed = metadata?.removed.map((field) => [field, null]) ?? [];
    const fields = { ...metadata?.set, ...Object.fromEntries(removed) };
    const body = { title, expires_at, if_version, ...(metadata ? { metadata: fields } : {}) };
    return { method: "PATCH", body };
  }
  const { id, content_type, time } = stored;
  const document = { id, ...changed(stored, change), content_type, time: timeOf(time), if_version };
  return { method: "POST", body: { documents: [document] } };
}

/** The document as the call left it.
 * @param {StoredDocument} stored
 * @param {Change} change
 * @param {number} version
 * @returns {StoredDocument} */
export function saved(stored, change, version) {
  const { expires_at, ...rest } = changed(stored, change);
  const expires = typeof expires_at === "string" ? Date.parse(expires_at) : expires_at;
  return { ...stored, ...rest, expires_at: expires, version };
}
