/** Texts that may be longer than the box they scroll in. */

/** The element, into which the keyboard reaches while it scrolls. What does not scroll is no stop
 *  of the Tab key, so a list of short texts stays quick to pass.
 * @template {HTMLElement} T
 * @param {T} element
 * @param {string} label what screen readers call it
 * @returns {T} */
export function scrolling(element, label) {
  new ResizeObserver(() => {
    const { scrollHeight, clientHeight, scrollWidth, clientWidth } = element;
    const scrolls = scrollHeight > clientHeight || scrollWidth > clientWidth;
    const attributes = { tabindex: "0", role: "region", "aria-label": label };
    for (const [name, value] of Object.entries(attributes))
      if (scrolls) element.setAttribute(name, value);
      else element.removeAttribute(name);
  }).observe(element);
  return element;
}
