/** Memory, Documents: the list, a page at a time. */
import { namespacePath } from "./api.js";
import { byId, el, whileBusy } from "./dom.js";
import { clip, moment, plural } from "./format.js";
import { deleteDocument } from "./memory-document.js";
import { emptyNotice } from "./notice.js";
import { Pager } from "./pager.js";
import { memoryHash } from "./routes.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").DocumentSummary} DocumentSummary */

const PAGE_DOCUMENTS = 20;
const METADATA_CHARS_SHOWN = 120;

const list = byId("documents", HTMLElement);
const pager = new Pager({
  list,
  back: byId("documents-back", HTMLButtonElement),
  next: byId("documents-next", HTMLButtonElement),
  number: byId("documents-page", HTMLElement),
  loading: "Reading the documents…",
  where: () => [namespacePath(namespace, "documents"), { limit: String(PAGE_DOCUMENTS) }],
  show: makePage,
});

let namespace = "";
let onChange = () => {};

/** @param {() => void} changed called when a document was deleted */
export function startDocuments(changed) {
  onChange = changed;
}

/** Another key begins at the first page. */
export function resetDocuments() {
  namespace = "";
  pager.showInstead();
}

/** Stays on its page while the namespace is the same.
 * @param {string} shown */
export function showDocuments(shown) {
  if (namespace !== shown) pager.reset();
  namespace = shown;
  pager.read();
}

/** @param {{ documents: DocumentSummary[] }} page
 *  @param {boolean} isFirst */
function makePage({ documents }, isFirst) {
  if (documents.length > 0) return el("ul", { class: "documents" }, ...documents.map(makeRow));
  return emptyNotice(isFirst ? "This namespace has no documents." : "This page is empty.");
}

/** @param {DocumentSummary} summary */
function makeRow({ id, title, metadata, passages, updated_at, expires_at }) {
  const known = Object.keys(metadata).length > 0;
  const remove = async () => {
    if (!(await deleteDocument(namespace, id, (notice) => list.prepend(notice)))) return;
    pager.read();
    onChange();
    list.focus(); // the button that had it is gone
  };
  const label = `Delete ${title ?? id}`;
  const named = { type: "button", class: "danger", "aria-label": label };
  const button = el("button", named, "Delete");
  button.addEventListener("click", () => void whileBusy(button, remove));
  return el(
    "li",
    { class: "card" },
    el(
      "div",
      {},
      el("a", { href: memoryHash(namespace, "document", id) }, title ?? id),
      el(
        "p",
        { class: "faint source" },
        title === null ? null : el("code", {}, id),
        el("span", {}, plural(passages, "passage")),
        el("span", {}, `changed ${moment(updated_at)}`),
        expires_at === null ? null : el("span", {}, `expires ${moment(expires_at)}`),
        known ? el("code", {}, clip(JSON.stringify(metadata), METADATA_CHARS_SHOWN)) : null,
      ),
    ),
    ...(mayChange() ? [button] : []),
  );
}
