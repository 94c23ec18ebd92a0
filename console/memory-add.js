/** Memory, Add: a new document, or another version of one that was read. */
import { ApiError, call, namespacePath } from "./api.js";
import { changesOf, isNone } from "./changes.js";
import { metadataChange, saved, savingCall, timeOf } from "./document-change.js";
import { byId, el, fill, whileBusy } from "./dom.js";
import { held, isTyped, refill } from "./fields.js";
import { moment, plural } from "./format.js";
import { showUpload, startUpload } from "./memory-upload.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { memoryHash } from "./routes.js";
import { keepUnsaved } from "./unsaved.js";

/** @typedef {import("./types.js").StoredDocument} StoredDocument
 *  @typedef {import("./types.js").IngestOutcome} IngestOutcome
 *  @typedef {import("./document-change.js").Change} Change
 *  @typedef {import("./fields.js").Held} Held */

/** @typedef {{ typed: Held, filled: Held, read: StoredDocument | null, told: Element | null }}
 *   Draft */

const form = byId("add-form", HTMLFormElement);
const id = byId("add-id", HTMLInputElement);
const title = byId("add-title", HTMLInputElement);
const text = byId("add-text", HTMLTextAreaElement);
const metadata = byId("add-metadata", HTMLTextAreaElement);
const metadataFault = byId("add-metadata-fault", HTMLElement);
const expires = byId("add-expires", HTMLInputElement);
const hint = byId("add-hint", HTMLElement);
const send = byId("add-send", HTMLButtonElement);
const outcome = byId("add-outcome", HTMLElement);
const uploads = byId("upload-form", HTMLFormElement);

const fields = { id, title, text, metadata, expires };

/** Of which key's use this is; texts of one are never shown to the next one's. */
let uses = 0;
let namespace = "";
/** The id of the document that is edited; null: a new one. @type {string | null} */
let edited = null;
/** That document as it was read. @type {StoredDocument | null} */
let read = null;
/** What the form was filled with: a field that still holds that is unchanged, though an input has
 *  no line ends to give back. */
let filled = held(fields);
/** What was typed into the forms of other documents and is not saved, by their places, and what
 *  was told there.
 * @type {Map<string, Draft>} */
const drafts = new Map();
/** The places of forms that are on their way. @type {Set<string>} */
const sent = new Set();
let onChange = () => {};

/** @param {() => void} changed called when documents were taken */
export function startAdd(changed) {
  onChange = changed;
  startUpload(changed);
  keepUnsaved(() => drafts.size > 0 || isTyped(fields, filled));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, () => save());
  });
  byId("add-clear", HTMLButtonElement).addEventListener("click", () => {
    clear();
    if (edited !== null) location.hash = memoryHash(namespace, "add");
  });
  metadata.addEventListener("input", () => showFault(null));
}

function clear() {
  form.reset();
  filled = held(fields);
  showFault(null);
  fill(outcome);
}

/** Names the form that is shown. */
function placeNow() {
  return `${uses} ${namespacePath(namespace, "documents", edited ?? "")}`;
}

/** What was typed is there again when its document or namespace is.
 * @param {string} shown
 * @param {string | null} editId */
export function showAdd(shown, editId) {
  uploads.hidden = editId !== null;
  showUpload(shown);
  if (shown === namespace && editId === edited) return;
  keepDraft();
  namespace = shown;
  edited = editId;
  read = null;
  clear();
  id.readOnly = editId !== null;
  hint.textContent = editId === null ? "The same id replaces, the same content does nothing." : "";
  showDraft();
  send.disabled = sent.has(placeNow()) || (editId !== null && read === null);
  if (editId !== null && read === null) readDocument(editId);
}

function keepDraft() {
  if (!isTyped(fields, filled)) return;
  const told = outcome.firstElementChild;
  drafts.set(placeNow(), { typed: held(fields), read, filled, told });
}

/** Goes on with what was typed here before. */
function showDraft() {
  const draft = drafts.get(placeNow());
  if (draft === undefined) return;
  drafts.delete(placeNow());
  refill(fields, filled, draft.typed);
  ({ read, filled } = draft);
  if (read !== null) describe(read);
  fill(outcome, draft.told);
}

/** Forgets what another key read, and what was typed with it. */
export function resetAdd() {
  uses++;
  drafts.clear();
  namespace = "";
  edited = null;
  read = null;
  clear();
}

/** @param {string} editId */
function readDocument(editId) {
  const place = placeNow();
  fill(outcome, loadingNotice("Reading the document…"));
  call(namespacePath(namespace, "documents", editId)).then(
    (stored) => {
      if (place !== placeNow() || read !== null) return;
      fillForm(stored, filled);
      send.disabled = false;
      fill(outcome);
    },
    (error) => {
      const retry = () => readDocument(editId);
      if (place === placeNow() && read === null) fill(outcome, errorNotice(error, retry));
    },
  );
}

/** @param {StoredDocument} stored
 *  @param {Held} before what was in the form when that was asked for */
function fillForm(stored, before) {
  const { expires_at } = stored;
  const known = Object.keys(stored.metadata).length > 0;
  read = stored;
  filled = refill(fields, before, {
    ...{ id: stored.id, title: stored.title ?? "", text: stored.text },
    metadata: known ? JSON.stringify(stored.metadata, null, 2) : "",
    expires: expires_at === null ? "" : String(timeOf(expires_at)),
  });
  describe(stored);
}

/** @param {StoredDocument} stored */
function describe({ content_type, time, brought }) {
  const vector = brought ? ", and the vector brought with it gives way to the encoder's" : "";
  hint.textContent =
    `${content_type}, of ${moment(time)}: both stay. ` +
    `Another text is cut and embedded anew${vector}.`;
}

/** @param {string | null} fault */
function showFault(fault) {
  metadataFault.textContent = fault ?? "";
  metadata.setAttribute("aria-invalid", String(fault !== null));
}

/** The metadata as typed; null, with the fault shown, where it is no JSON object. */
function readMetadata() {
  const typed = metadata.value.trim();
  if (typed === "") return {};
  try {
    const value = JSON.parse(typed);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    showFault('Metadata is a JSON object, as {"team": "legal"}.');
  } catch (error) {
    showFault(`Not JSON: ${error instanceof Error ? error.message : error}`);
  }
  metadata.focus();
  return null;
}

/** Sends the form; `onto` takes the place of the document that it was filled from.
 * @param {StoredDocument | null} [onto] */
async function save(onto = null) {
  if (sent.has(placeNow()) || (edited !== null && read === null)) return;
  const given = readMetadata();
  if (given === null) return;
  if (read !== null) return saveChange(read, given, onto ?? read);
  const document = {
    id: id.value === "" ? null : id.value,
    title: title.value === "" ? null : title.value,
    text: text.value,
    metadata: given,
    expires_at: expires.value.trim() === "" ? null : expires.value.trim(),
  };
  const body = { documents: [document] };
  await sending(async (path, typed) => {
    const reply = await call(path, { method: "POST", body });
    return () => {
      filled = typed;
      showOutcome(reply, document.id);
    };
  });
}

/** Tells of what `work` does. Where another form is shown by its end, what failed is told once this
 *  one is shown again.
 * @param {(path: string, typed: Held) => Promise<() => void>} work resolves to what shows its
 *   outcome; rejects where the document was not taken */
async function sending(work) {
  const [place, typed] = [placeNow(), held(fields)];
  fill(outcome, loadingNotice("Saving: cutting into passages and embedding them…"));
  sent.add(place);
  try {
    const show = await work(namespacePath(namespace, "documents"), typed);
    onChange();
    if (place === placeNow()) return show();
    const draft = drafts.get(place);
    if (draft) draft.told = null;
    if (draft && isNone(changesOf(draft.typed, typed))) drafts.delete(place);
  } catch (error) {
    const draft = drafts.get(place);
    if (draft) draft.told = errorNotice(error);
    const told = isConflict(error) ? conflictNotice() : errorNotice(error);
    if (place === placeNow()) fill(outcome, told);
  } finally {
    sent.delete(place);
  }
}

/** Saves what was changed since the document was read, and only that.
 * @param {StoredDocument} stored
 * @param {Record<string, unknown>} given the metadata
 * @param {StoredDocument} onto */
async function saveChange(stored, given, onto) {
  const change = changeOf(stored, given);
  if (Object.keys(change).length === 0)
    return fill(outcome, doneNotice("Nothing was changed, so nothing was saved."));
  const { method, body } = savingCall(onto, change);
  await sending(async (path, typed) => {
    const step = method === "PATCH" ? `/${encodeURIComponent(stored.id)}` : "";
    const reply = await call(path + step, { method, body });
    return () => {
      const { version } = method === "PATCH" ? reply : reply.documents[0];
      fillForm(saved(onto, change, version), typed);
      if (method === "POST") showOutcome(reply, stored.id);
      else fill(outcome, doneNotice(el("p", {}, "Saved; its text is as it was. ", showIt())));
    };
  });
}

/** @param {StoredDocument} stored
 *  @param {Record<string, unknown>} given the metadata */
function changeOf(stored, given) {
  const typed = changesOf(held(fields), filled);
  const change = /** @type {Change} */ ({});
  if (typed.title !== undefined) change.title = title.value === "" ? null : title.value;
  if (typed.text !== undefined) change.text = text.value;
  if (typed.expires !== undefined) change.expires_at = expires.value.trim() || null;
  const { set, removed } = metadataChange(stored.metadata, given);
  const mended = Object.keys(set).length + removed.length > 0;
  if (typed.metadata !== undefined && mended) change.metadata = { set, removed };
  return change;
}

/** @param {unknown} error */
function isConflict(error) {
  if (edited === null || !(error instanceof ApiError)) return false;
  return error.code === "version_conflict" || error.code === "document_not_found";
}

/** Somebody else was faster: what was typed stays in the form until the user decides. */
function conflictNotice() {
  const over = el("button", { type: "button" }, "Save mine over it");
  over.addEventListener("click", () => void whileBusy(over, saveOver));
  return el(
    "div",
    { class: "notice failed", role: "alert" },
    el("p", {}, "Somebody else changed or deleted this document meanwhile, so it was not saved."),
    el("p", {}, "What you typed is still in the form. ", showIt("Show theirs")),
    el("p", {}, "Saving yours over it changes what you changed and leaves the rest as it is now."),
    over,
  );
}

/** Makes the change to the document as it is now; anew where it was deleted. */
async function saveOver() {
  if (read === null) return;
  const stored = read;
  const place = placeNow();
  try {
    const now = await call(namespacePath(namespace, "documents", stored.id)).catch((error) => {
      if (error instanceof ApiError && error.code === "document_not_found")
        return { ...stored, version: 0 };
      throw error;
    });
    if (place === placeNow()) await save(now);
  } catch (error) {
    if (place === placeNow()) fill(outcome, errorNotice(error));
  }
  send.focus(); // the button that had it is gone
}

/** @param {string} [words] */
function showIt(words = "Show it") {
  return el("a", { href: memoryHash(namespace, "document", edited ?? "") }, words);
}

/** @param {IngestOutcome} reply
 *  @param {string | null} savedId */
function showOutcome({ upserted, unchanged, passages, errors }, savedId) {
  const counts = `${upserted} upserted, ${unchanged} unchanged, ${plural(passages, "passage")}.`;
  const link =
    savedId === null
      ? el("a", { href: memoryHash(namespace, "documents") }, "Show the documents")
      : el("a", { href: memoryHash(namespace, "document", savedId) }, "Show it");
  const refused = errors.map(({ code, message }) =>
    el("p", { class: "fault" }, message, " ", el("code", {}, code)),
  );
  fill(outcome, doneNotice(el("p", {}, counts, " ", link), ...refused));
}
