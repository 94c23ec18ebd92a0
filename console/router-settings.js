/** The Router view's settings of what is recorded and compared, beside the target. */
import { call } from "./api.js";
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, fill, lock, whileBusy } from "./dom.js";
import { held, refill } from "./fields.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").RouterSettings} RouterSettings */

const form = byId("settings-form", HTMLFormElement);
const shadow = byId("settings-shadow", HTMLInputElement);
const texts = byId("settings-texts", HTMLInputElement);
const automatic = byId("settings-automatic", HTMLInputElement);
const send = byId("settings-send", HTMLButtonElement);
const outcome = byId("settings-outcome", HTMLElement);

const fields = { shadow_rate: shadow, keep_text: texts, auto_calibrate: automatic };
/** What the form was filled with. */
let filled = held(fields);

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

/** Forgets what was typed with another key. */
export function resetSettings() {
  filled = held(fields);
}

/** @param {RouterSettings} settings
 *  @param {typeof filled} [before] what was in the form when they were asked for */
export function showSettings({ shadow_rate, keep_text, auto_calibrate }, before = filled) {
  const values = { shadow_rate: String(shadow_rate), keep_text, auto_calibrate };
  filled = refill(fields, before, values);
  lock(form, !mayChange());
  form.hidden = false;
}

async function save() {
  const typed = held(fields);
  const changes = changesOf(typed, filled);
  if (isNone(changes)) return fill(outcome, doneNotice("Nothing was changed."));
  if (changes.keep_text === false && !(await mayForgetTexts())) return;
  fill(outcome, loadingNotice("Saving…"));
  const { shadow_rate: rate } = changes;
  const body = { ...changes, ...(rate === undefined ? {} : { shadow_rate: Number(rate) }) };
  try {
    showSettings(await call("/admin/router", { method: "PUT", body }), typed);
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
