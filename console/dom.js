/** Makes and finds elements. Text becomes text nodes only: nothing here parses HTML. */

/** @typedef {Node | string | null} Child */

/** The element with this id, which the page must have.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T} */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return element;
}

/** A new element. Attributes: `true` sets an empty one, `false` and null none; a function listens
 *  to the event that the name has after "on". `text` is not parsed, nor are children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null | ((event: Event) => void)>} attributes
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]} */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Puts `children` in the place of all that the element holds.
 * @param {Element} element
 * @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null));
}

/** Shows what a form holds to who may not change it, or lets it be changed.
 * @param {HTMLFormElement} form
 * @param {boolean} locked */
export function lock(form, locked) {
  for (const control of form.elements) control.toggleAttribute("disabled", locked);
}

/** Whether a run is still the newest of its kind: a reply that comes late must not be shown.
 * @returns {() => () => boolean} */
export function newestOnly() {
  let runs = 0;
  return () => {
    const mine = ++runs;
    return () => mine === runs;
  };
}

/** Offers to start or, while something runs, to stop it. The button that had the focus would lose
 *  it by that, so the other one gets it.
 * @param {HTMLButtonElement} start
 * @param {HTMLButtonElement} stop
 * @param {boolean} isRunning */
export function showRunning(start, stop, isRunning) {
  const focused = document.activeElement;
  start.disabled = false;
  stop.hidden = false;
  if (focused === (isRunning ? start : stop)) (isRunning ? stop : start).focus();
  start.disabled = isRunning;
  stop.hidden = !isRunning;
}

/** Runs `work` with the button disabled, so that a second press cannot send it twice. It loses the
 *  focus by that, and gets it back unless that went elsewhere.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} work */
export async function whileBusy(button, work) {
  const focused = document.activeElement === button;
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
    const now = document.activeElement;
    // A dialog that closes leaves it for a moment on its own, hidden button.
    if (focused && (now === document.body || !now?.checkVisibility())) button.focus();
  }
}
