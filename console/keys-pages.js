/** The Keys view's list, a page at a time: a tenant has up to a thousand keys, and the service
 *  tells of all at once. */
import { byId } from "./dom.js";

/** @typedef {import("./types.js").Key} Key */

const PAGE_KEYS = 25;

const finder = byId("keys-finder", HTMLElement);
const find = byId("keys-find", HTMLInputElement);
const list = byId("keys-list", HTMLElement);
const pages = byId("keys-pages", HTMLElement);
const back = byId("keys-back", HTMLButtonElement);
const next = byId("keys-next", HTMLButtonElement);
const number = byId("keys-page", HTMLElement);

/** @type {Key[]} */
let all = [];
let page = 0;
let onShow = (/** @type {Key[]} */ _keys) => {};

/** @param {(keys: Key[]) => void} show called with the keys of the page; none: none is found */
export function startKeysPages(show) {
  onShow = show;
  find.addEventListener("input", () => {
    page = 0;
    draw();
  });
  back.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
}

/** Stays on its page, and with what is looked for.
 * @param {Key[]} keys */
export function showPages(keys) {
  all = keys;
  draw();
}

/** Where there is no list to turn the pages of. */
export function hidePages() {
  finder.hidden = true;
  pages.hidden = true;
}

/** Another key begins at the first page. */
export function resetPages() {
  all = [];
  page = 0;
  find.value = "";
  hidePages();
}

/** Goes on from the top of the page that is turned to.
 * @param {number} pagesOn */
function turn(pagesOn) {
  page += pagesOn;
  draw();
  list.focus({ preventScroll: true });
  list.scrollIntoView({ block: "start" });
}

function draw() {
  finder.hidden = all.length <= PAGE_KEYS;
  if (finder.hidden) find.value = "";
  const sought = find.value.trim().toLowerCase();
  const found = all.filter(({ id, name }) => `${name ?? ""}\n${id}`.toLowerCase().includes(sought));
  const last = Math.max(Math.ceil(found.length / PAGE_KEYS) - 1, 0);
  page = Math.min(page, last);
  pages.hidden = last === 0;
  back.disabled = page === 0;
  next.disabled = page === last;
  number.textContent = `Page ${page + 1} of ${last + 1}`;
  onShow(found.slice(page * PAGE_KEYS, (page + 1) * PAGE_KEYS));
}
