/** Memory, Documents: the list, a page at a time. */
import { call, namespacePath } from "./api.js";
import { byId, el, fill, newestOnly } from "./dom.js";
import { clip, moment, plural } from "./format.js";
import { deleteDocument } from "./memory-document.js";
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { memoryHash } from "./routes.js";

/** @typedef {import("./types.js").DocumentSummary} DocumentSummary */

const PAGE_DOCUMENTS = 20;
const METADATA_CHARS_SHOWN = 120;

const list = byId("documents", HTMLElement);
const back = byId("documents-back", HTMLButtonElement);
const next = byId("documents-next", HTMLButtonElement);
const pageNumber = byId("documents-page", HTMLElement);
const beginRead = newestOnly();

let namespace = "";
/** The cursor of each page up to the one that is shown; the first has none.
 * @type {(string | null)[]} */
let cursors = [null];
/** @type {string | null} */
let nextCursor = null;
let onChange = () => {};

/** @param {() => void} changed called when a document was deleted */
export function startDocuments(changed) {
  onChange = changed;
  next.addEventListener("click", () => {
    cursors.push(nextCursor);
    read();
  });
  back.addEventListener("click", () => {
    cursors.pop();
    read();
  });
}

/** Stays on its page while the namespace is the same.
 * @param {string} shown */
export function showDocuments(shown) {
  if (namespace !== shown) cursors = [null];
  namespace = shown;
  read();
}

function read() {
  const isNewest = beginRead();
  back.disabled = true;
  next.disabled = true;
  fill(list, loadingNotice("Reading the documents…"));
  const query = new URLSearchParams({ limit: String(PAGE_DOCUMENTS) });
  const cursor = cursors.at(-1);
  if (cursor) query.set("cursor", cursor);
  call(`${namespacePath(namespace, "documents")}?${query}`).then(
    (page) => {
      if (isNewest()) showPage(page);
    },
    (error) => {
      if (isNewest()) fill(list, errorNotice(error, read));
    },
  );
}

/** @param {{ documents: DocumentSummary[], cursor: string | null }} page */
function showPage({ documents, cursor }) {
  nextCursor = cursor;
  next.disabled = cursor === null;
  back.disabled = cursors.length === 1;
  pageNumber.textContent = `Page ${cursors.length}`;
  if (documents.length === 0) {
    const text = cursors.length === 1 ? "This namespace has no documents." : "This page is empty.";
    return fill(list, emptyNotice(text));
  }
  fill(list, el("ul", { class: "documents" }, ...documents.map(makeRow)));
}

/** @param {DocumentSummary} summary */
function makeRow({ id, title, metadata, passages, updated_at, expires_at }) {
  const known = Object.keys(metadata).length > 0;
  const remove = async () => {
    if (!(await deleteDocument(namespace, id, (notice) => list.prepend(notice)))) return;
    read();
    onChange();
    list.focus(); // the button that had it is gone
  };
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
    el(
      "button",
      { type: "button", class: "danger", "aria-label": `Delete ${title ?? id}`, onclick: remove },
      "Delete",
    ),
  );
}
