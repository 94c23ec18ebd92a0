/** The Router view's settings of what is recorded and compared, beside the target. */
import { call } from "./api.js";
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, fill, lock, whileBusy } from "./dom.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").RouterSettings} RouterSettings */

const form = byId("settings-form", HTMLFormElement);
const shadow = byId("settings-shadow", HTMLInputElement);
const texts = byId("settings-texts", HTMLInputElement);
const automatic = byId("settings-automatic", HTMLInputElement);
const send = byId("settings-send", HTMLButtonElement);
const outcome = byId("settings-outcome", HTMLElement);

/** What is set. @type {RouterSettings | null} */
let current = null;

export function startSettings() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, save);
  });
}

export function hideSettings() {
  form.hidden = true;
  fill(outcome);
}

/** @param {RouterSettings} settings */
export function showSettings(settings) {
  current = settings;
  shadow.value = String(settings.shadow_rate);
  texts.checked = settings.keep_text;
  automatic.checked = settings.auto_calibrate;
  lock(form, !mayChange());
  form.hidden = false;
}

async function save() {
  const before = current;
  if (before === null) return;
  /** @type {RouterSettings} */
  const typed = {
    shadow_rate: Number(shadow.value),
    keep_text: texts.checked,
    auto_calibrate: automatic.checked,
  };
  const body = changesOf(typed, before);
  if (isNone(body)) return fill(outcome, doneNotice("Nothing was changed."));
  if (before.keep_text && !typed.keep_text && !(await mayForgetTexts())) return;
  fill(outcome, loadingNotice("Saving…"));
  try {
    showSettings(await call("/admin/router", { method: "PUT", body }));
    fill(outcome, doneNotice("Saved."));
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}

function mayForgetTexts() {
  return confirmed({
    title: "Keep no texts?",
    text: "The questions and answers that are kept so far go at once. This cannot be undone.",
    action: "Forget the texts",
  });
}
