/** Memory, Add: a new document, or another version of one. */
import { call, namespacePath } from "./api.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { plural } from "./format.js";
import { showUpload, startUpload } from "./memory-upload.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { memoryHash } from "./routes.js";

/** @typedef {import("./types.js").StoredDocument} StoredDocument
 *  @typedef {import("./types.js").IngestOutcome} IngestOutcome */

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

let namespace = "";
/** The document that the form was filled from. @type {string | null} */
let edited = null;
let onChange = () => {};

/** @param {() => void} changed called when documents were taken */
export function startAdd(changed) {
  onChange = changed;
  startUpload(changed);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, save);
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
  const isNewest = beginShow();
  namespace = shown;
  edited = editId;
  clear();
  hint.textContent =
    editId === null
      ? "The same id replaces, the same content does nothing."
      : "Saving replaces the document; a vector brought with it gives way to the encoder's.";
  if (editId === null) return;
  send.disabled = true;
  fill(outcome, loadingNotice("Reading the document…"));
  call(namespacePath(shown, "documents", editId)).then(
    (stored) => {
      if (isNewest()) fillForm(stored);
    },
    (error) => {
      if (!isNewest()) return;
      send.disabled = false;
      fill(outcome, errorNotice(error));
    },
  );
}

/** @param {StoredDocument} stored */
function fillForm(stored) {
  id.value = stored.id;
  title.value = stored.title ?? "";
  text.value = stored.text;
  const known = Object.keys(stored.metadata).length > 0;
  metadata.value = known ? JSON.stringify(stored.metadata, null, 2) : "";
  expires.value = stored.expires_at === null ? "" : new Date(stored.expires_at).toISOString();
  send.disabled = false;
  fill(outcome);
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

async function save() {
  const target = namespace;
  const given = readMetadata();
  if (given === null) return;
  const document = {
    id: id.value === "" ? null : id.value,
    title: title.value === "" ? null : title.value,
    text: text.value,
    metadata: given,
    expires_at: expires.value.trim() === "" ? null : expires.value.trim(),
  };
  fill(outcome, loadingNotice("Saving: cutting into passages and embedding them…"));
  try {
    const body = { documents: [document] };
    const reply = await call(namespacePath(target, "documents"), { method: "POST", body });
    if (target !== namespace) return;
    showOutcome(reply, document.id);
    onChange();
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
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
