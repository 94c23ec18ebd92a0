/** Asks before something is deleted. */
import { byId, fill } from "./dom.js";

const dialog = byId("confirm", HTMLDialogElement);
const title = byId("confirm-title", HTMLElement);
const text = byId("confirm-text", HTMLElement);
const more = byId("confirm-more", HTMLElement);
const typedLabel = byId("confirm-typed-label", HTMLElement);
const typed = byId("confirm-typed", HTMLInputElement);
const go = byId("confirm-go", HTMLButtonElement);
const cancel = byId("confirm-cancel", HTMLButtonElement);

// What is asked is about the page that is gone.
addEventListener("hashchange", () => dialog.close(""));

/** Resolves to whether the user went on. `mustType`: what they have to type first; `more`: what
 *  they may choose besides.
 * @param {{ title: string, text: string, action: string, mustType?: string, more?: Node }} question
 * @returns {Promise<boolean>} */
export function confirmed(question) {
  const { mustType } = question;
  title.textContent = question.title;
  text.textContent = question.text;
  go.textContent = question.action;
  fill(more, question.more ?? null);
  typed.value = "";
  typedLabel.hidden = mustType === undefined;
  go.disabled = mustType !== undefined;
  typed.oninput = () => {
    go.disabled = mustType !== undefined && typed.value !== mustType;
  };
  return new Promise((done) => {
    go.onclick = () => dialog.close("go");
    typed.onkeydown = ({ key }) => {
      if (key === "Enter" && !go.disabled) dialog.close("go");
    };
    cancel.onclick = () => dialog.close("");
    dialog.onclose = () => done(dialog.returnValue === "go");
    dialog.returnValue = "";
    dialog.showModal();
  });
}
