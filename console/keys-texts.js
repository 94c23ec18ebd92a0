/** The texts of new and rotated keys. The service shows each once, so each stays here until it is
 *  dismissed, whatever else is done. */
import { byId, el, fill } from "./dom.js";
import { keepUnsaved } from "./unsaved.js";

const place = byId("keys-texts", HTMLElement);
keepUnsaved(() => place.childElementCount > 0);

/** Shows a key's text; the element is there to take the focus.
 * @param {string} label of the key
 * @param {string} text
 * @param {string} [more] what else is to be known of it
 * @returns {HTMLElement} */
export function showKeyText(label, text, more = "") {
  const copied = el("span", { class: "faint", role: "status" });
  const copy = el("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copied.textContent = "Copied.";
    } catch {
      copied.textContent = "The browser does not let the page copy: mark the text and copy it.";
    }
  });
  const dismiss = el("button", { type: "button" }, "Dismiss");
  const notice = el(
    "div",
    { class: "notice done", role: "group", tabindex: -1, "aria-label": `The text of ${label}` },
    el("p", {}, `The text of ${label}, which is shown this once: keep it now. ${more}`),
    el("p", {}, el("code", {}, text)),
    el("p", { class: "actions" }, copy, dismiss, copied),
  );
  dismiss.addEventListener("click", () => {
    notice.remove();
    byId("keys-list", HTMLElement).focus(); // the button that had it is gone
  });
  place.append(notice);
  return notice;
}

/** For another key's user, who may not see them. */
export function forgetKeyTexts() {
  fill(place);
}
