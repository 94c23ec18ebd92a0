/** Asks whether an answer was right: ratings and corrections are what the memory and the router
 *  learn from. */
import { call } from "./api.js";
import { el, fill, whileBusy } from "./dom.js";
import { doneNotice, errorNotice } from "./notice.js";
import { memoryHash } from "./routes.js";
import { mayLook } from "./session.js";

/** What becomes of it, by what the service learned. @type {Record<string, string>} */
const LEARNED = {
  note: "It is a note now, which answers whoever asks the same.",
  pending: "The correction answers nothing until an administrator approves it.",
};

/** @param {string} trace of the answer
 *  @param {string | null} namespace whose notes these are; null: the key's default */
export function ratingOf(trace, namespace) {
  const outcome = el("div", {});
  const right = el("button", { type: "button" }, "Right");
  const wrong = el("button", { type: "button", "aria-expanded": "false" }, "Wrong");
  const correction = el("textarea", { rows: "2" });
  const send = el("button", { type: "submit" }, "Send");
  const form = el(
    "form",
    { class: "correction", hidden: true },
    el(
      "label",
      {},
      "What is the answer? ",
      el("span", { class: "faint" }, "(optional)"),
      correction,
    ),
    el("p", { class: "actions" }, send),
  );
  const open = () => {
    form.hidden = !form.hidden;
    wrong.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) correction.focus();
  };

  /** @param {HTMLButtonElement} button
   *  @param {Record<string, string>} body */
  const rate = (button, body) =>
    whileBusy(button, async () => {
      try {
        const { learned } = await call("/v1/feedback", {
          method: "POST",
          body: { trace_id: trace, ...body },
        });
        form.hidden = true;
        wrong.setAttribute("aria-expanded", "false");
        fill(
          outcome,
          doneNotice(`Rated ${body.rating}. `, LEARNED[learned] ?? "", linkTo(namespace)),
        );
      } catch (error) {
        fill(outcome, errorNotice(error));
      }
    });
  right.addEventListener("click", () => void rate(right, { rating: "good" }));
  wrong.addEventListener("click", open);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = correction.value.trim();
    void rate(send, { rating: "bad", ...(text === "" ? {} : { correction: text }) });
  });
  const asked = el("p", {}, "Was this right?", right, wrong);
  return el("div", { class: "rating" }, asked, form, outcome);
}

/** To the notes, for those who may see them.
 * @param {string | null} namespace */
function linkTo(namespace) {
  if (!mayLook() || namespace === null) return "";
  return el("a", { href: memoryHash(namespace, "notes") }, "Notes");
}
