/** Memory, Add: a new document, or another version of one that was read. */
import { ApiError, call, namespacePath } from "./api.js";
import { metadataChange, saved, savingCall, timeOf } from "./document-change.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { moment, plural } from "./format.js";
import { showUpload, startUpload } from "./memory-upload.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { memoryHash } from "./routes.js";

/** @typedef {import("./types.js").StoredDocument} StoredDocument
 *  @typedef {import("./types.js").IngestOutcome} IngestOutcome
 *  @typedef {import("./document-change.js").Change} Change */

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
const beginShow = newestOnly();

/** What is compared to find what was changed. */
const fields = { title, text, metadata, expires };

let namespace = "";
/** The id of the document that is edited; null: a new one. @type {string | null} */
let edited = null;
/** That document as it was read, and the fields as they were filled from it: a field that still
 *  holds what it was filled with is unchanged, though an input has no line ends to give back.
 * @type {{ stored: StoredDocument, filled: Record<keyof typeof fields, string> } | null} */
let read = null;
/** Whether what was shown last is shown still. */
let isShown = () => true;
let onChange = () => {};

/** @param {() => void} changed called when documents were taken */
export function startAdd(changed) {
  onChange = changed;
  startUpload(changed);
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
  showFault(null);
  fill(outcome);
}

/** What was typed stays until another document or namespace is shown.
 * @param {string} shown
 * @param {string | null} editId */
export function showAdd(shown, editId) {
  uploads.hidden = editId !== null;
  showUpload(shown);
  if (shown === namespace && editId === edited) return;
  isShown = beginShow();
  namespace = shown;
  edited = editId;
  read = null;
  clear();
  id.readOnly = editId !== null;
  send.disabled = editId !== null;
  hint.textContent = "The same id replaces, the same content does nothing.";
  if (editId !== null) readDocument(editId);
}

/** Forgets what another key read, and what was typed with it. */
export function resetAdd() {
  beginShow();
  namespace = "";
  edited = null;
  read = null;
  clear();
}

/** @param {string} editId */
function readDocument(editId) {
  const isNewest = isShown;
  hint.textContent = "";
  fill(outcome, loadingNotice("Reading the document…"));
  call(namespacePath(namespace, "documents", editId)).then(
    (stored) => {
      if (!isNewest()) return;
      fillForm(stored);
      send.disabled = false;
      fill(outcome);
    },
    (error) => {
      const retry = () => readDocument(editId);
      if (isNewest()) fill(outcome, errorNotice(error, retry));
    },
  );
}

/** Fields that no longer hold what was `typed` are left: they were gone on with since.
 * @param {StoredDocument} stored
 * @param {ReturnType<typeof readFields>} [typed] */
function fillForm(stored, typed = readFields()) {
  const { content_type, time, brought, expires_at } = stored;
  const known = Object.keys(stored.metadata).length > 0;
  id.value = stored.id;
  const values = {
    title: stored.title ?? "",
    text: stored.text,
    metadata: known ? JSON.stringify(stored.metadata, null, 2) : "",
    expires: expires_at === null ? "" : String(timeOf(expires_at)),
  };
  const filled = { ...typed };
  for (const name of fieldNames) {
    if (fields[name].value !== typed[name]) continue;
    fields[name].value = values[name];
    filled[name] = fields[name].value;
  }
  read = { stored, filled };
  const vector = brought ? ", and the vector brought with it gives way to the encoder's" : "";
  hint.textContent =
    `${content_type}, of ${moment(time)}: both stay. ` +
    `Another text is cut and embedded anew${vector}.`;
}

const fieldNames = /** @type {(keyof typeof fields)[]} */ (Object.keys(fields));

function readFields() {
  const { title, text, metadata, expires } = fields;
  return {
    ...{ title: title.value, text: text.value },
    ...{ metadata: metadata.value, expires: expires.value },
  };
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
  const given = readMetadata();
  if (given === null) return;
  if (read !== null) return saveChange(read, given, onto ?? read.stored);
  const document = {
    id: id.value === "" ? null : id.value,
    title: title.value === "" ? null : title.value,
    text: text.value,
    metadata: given,
    expires_at: expires.value.trim() === "" ? null : expires.value.trim(),
  };
  const body = { documents: [document] };
  await sending(async (path) => {
    const reply = await call(path, { method: "POST", body });
    return () => showOutcome(reply, document.id);
  });
}

/** Tells of what `work` does, unless something else is shown by its end.
 * @param {(path: string) => Promise<() => void>} work resolves to what shows its outcome */
async function sending(work) {
  const isNewest = isShown;
  fill(outcome, loadingNotice("Saving: cutting into passages and embedding them…"));
  try {
    const show = await work(namespacePath(namespace, "documents"));
    if (!isNewest()) return;
    show();
    onChange();
  } catch (error) {
    if (isNewest()) fill(outcome, isConflict(error) ? conflictNotice() : errorNotice(error));
  }
}

/** Saves what was changed since the document was read, and only that.
 * @param {NonNullable<typeof read>} before
 * @param {Record<string, unknown>} given the metadata
 * @param {StoredDocument} onto */
async function saveChange({ stored, filled }, given, onto) {
  const typed = readFields();
  const isTyped = (/** @type {keyof typeof fields} */ name) => typed[name] !== filled[name];
  const change = /** @type {Change} */ ({});
  if (isTyped("title")) change.title = typed.title === "" ? null : typed.title;
  if (isTyped("text")) change.text = typed.text;
  if (isTyped("expires")) change.expires_at = typed.expires.trim() || null;
  const { set, removed } = metadataChange(stored.metadata, given);
  const mended = Object.keys(set).length + removed.length > 0;
  if (isTyped("metadata") && mended) change.metadata = { set, removed };
  if (Object.keys(change).length === 0)
    return fill(outcome, doneNotice("Nothing was changed, so nothing was saved."));
  const { method, body } = savingCall(onto, change);
  await sending(async (path) => {
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
  const { stored } = read;
  const isNewest = isShown;
  try {
    const now = await call(namespacePath(namespace, "documents", stored.id)).catch((error) => {
      if (error instanceof ApiError && error.code === "document_not_found")
        return { ...stored, version: 0 };
      throw error;
    });
    if (isNewest()) await save(now);
  } catch (error) {
    if (isNewest()) fill(outcome, errorNotice(error));
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
