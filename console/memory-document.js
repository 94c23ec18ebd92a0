/** Memory, one document: its text with a quote marked in it, and its deletion. */
import { call, namespacePath } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { cutAt, isolated, moment, plural } from "./format.js";
import { errorNotice, loadingNotice } from "./notice.js";
import { memoryHash } from "./routes.js";
import { scrolling } from "./scrolling.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").StoredDocument} StoredDocument */

const view = byId("memory-document", HTMLElement);
const beginRead = newestOnly();

/** @param {string} namespace
 *  @param {string} id
 *  @param {string | null} quote to mark
 *  @param {() => void} onChange called when the document was deleted */
export function showDocument(namespace, id, quote, onChange) {
  const isNewest = beginRead();
  fill(view, loadingNotice("Reading the document…"));
  call(namespacePath(namespace, "documents", id)).then(
    (document) => {
      if (!isNewest()) return;
      fill(view, makeDocument(namespace, document, quote, onChange));
      view.querySelector("mark")?.scrollIntoView({ block: "center" });
    },
    (error) => {
      const retry = () => showDocument(namespace, id, quote, onChange);
      if (isNewest()) fill(view, errorNotice(error, retry));
    },
  );
}

/** @param {string} namespace
 *  @param {StoredDocument} stored
 *  @param {string | null} quote
 *  @param {() => void} onChange */
function makeDocument(namespace, stored, quote, onChange) {
  const { id, title, text, passages, metadata, updated_at, expires_at } = stored;
  const cut = cutAt(text, quote);
  const marked = cut === null ? [text] : [cut[0], el("mark", {}, cut[1]), cut[2]];
  const remove = async () => {
    if (!(await deleteDocument(namespace, id, (notice) => view.prepend(notice)))) return;
    onChange();
    if (button.checkVisibility()) location.hash = memoryHash(namespace, "documents");
  };
  const button = el("button", { type: "button", class: "danger" }, "Delete");
  button.addEventListener("click", () => void whileBusy(button, remove));
  const edit = el("a", { class: "button", href: memoryHash(namespace, "add", id) }, "Edit");
  return el(
    "article",
    { class: "card" },
    el(
      "div",
      { class: "heading" },
      el("h4", {}, title ?? id),
      ...(mayChange() ? [edit, button] : []),
    ),
    el(
      "p",
      { class: "faint source" },
      el("code", {}, id),
      el("span", {}, plural(passages, "passage")),
      el("span", {}, plural(text.length, "character")),
      el("span", {}, `changed ${moment(updated_at)}`),
      expires_at === null ? null : el("span", {}, `expires ${moment(expires_at)}`),
    ),
    quote !== null && cut === null
      ? el("p", { class: "notice", role: "status" }, "The text no longer holds the quote.")
      : null,
    scrolling(el("div", { class: "text" }, ...marked), "The document's text"),
    el("h5", {}, "Metadata"),
    scrolling(el("pre", {}, JSON.stringify(metadata, null, 2)), "Metadata"),
  );
}

/** Asks, then deletes. Resolves to whether it is gone; a failure is handed to `onFailure`.
 * @param {string} namespace
 * @param {string} id
 * @param {(notice: Element) => void} onFailure */
export async function deleteDocument(namespace, id, onFailure) {
  const go = await confirmed({
    title: "Delete this document?",
    text: `${isolated(id)} goes from ${namespace} with its passages. This cannot be undone.`,
    action: "Delete document",
  });
  if (!go) return false;
  try {
    await call(namespacePath(namespace, "documents", id), { method: "DELETE" });
    return true;
  } catch (error) {
    onFailure(errorNotice(error));
    return false;
  }
}
