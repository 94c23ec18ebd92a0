/** A list that is read a page at a time, by the cursor that each page names for the next. */
import { call } from "./api.js";
import { fill, newestOnly } from "./dom.js";
import { errorNotice, loadingNotice } from "./notice.js";

/** @typedef {object} PagerParts
 * @property {HTMLElement} list
 * @property {HTMLButtonElement} back
 * @property {HTMLButtonElement} next
 * @property {HTMLElement} number
 * @property {string} loading What is said while a page is read.
 * @property {() => [path: string, query: Record<string, string>]} where To read the first page.
 * @property {(page: any, isFirst: boolean) => Node} show */

export class Pager {
  #parts;
  /** The cursor of each page up to the one that is shown; the first has none.
   * @type {(string | null)[]} */
  #cursors = [null];
  /** @type {string | null} */
  #nextCursor = null;
  #beginRead = newestOnly();

  /** @param {PagerParts} parts */
  constructor(parts) {
    this.#parts = parts;
    parts.next.addEventListener("click", () => {
      this.#cursors.push(this.#nextCursor);
      this.#turn();
    });
    parts.back.addEventListener("click", () => {
      this.#cursors.pop();
      this.#turn();
    });
  }

  /** Goes on from the top of the page that is turned to: the button that had the focus is disabled
   *  while it is read. */
  #turn() {
    const { list } = this.#parts;
    list.focus({ preventScroll: true });
    this.read(() => list.scrollIntoView({ block: "start" }));
  }

  /** Before another list is read. */
  reset() {
    this.#cursors = [null];
  }

  /** Shows this in the page's place, and nothing that was read before.
   * @param {...Node} children */
  showInstead(...children) {
    this.#beginRead();
    fill(this.#parts.list, ...children);
  }

  /** Reads the page anew.
   * @param {() => void} [then] called once it is shown */
  read(then = () => {}) {
    const { list, back, next, loading, where } = this.#parts;
    const isNewest = this.#beginRead();
    back.disabled = true;
    next.disabled = true;
    fill(list, loadingNotice(loading));
    const [path, asked] = where();
    const query = new URLSearchParams(asked);
    const cursor = this.#cursors.at(-1);
    if (cursor) query.set("cursor", cursor);
    call(`${path}?${query}`).then(
      (page) => {
        if (!isNewest()) return;
        this.#show(page);
        then();
      },
      (error) => {
        if (isNewest())
          fill(
            list,
            errorNotice(error, () => this.read(then)),
          );
      },
    );
  }

  /** @param {{ cursor: string | null }} page */
  #show(page) {
    const { list, back, next, number, show } = this.#parts;
    this.#nextCursor = page.cursor;
    next.disabled = page.cursor === null;
    back.disabled = this.#cursors.length === 1;
    number.textContent = `Page ${this.#cursors.length}`;
    fill(list, show(page, this.#cursors.length === 1));
  }
}
