/** The Keys view's form: a new key, or other limits of one that there is. */
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, whileBusy } from "./dom.js";
import { isolated, localMinute } from "./format.js";
import { session } from "./session.js";
import { keepUnsaved } from "./unsaved.js";

/** @typedef {import("./types.js").Key} Key */

/** Given what was changed of a key, or the whole of a new one; calls `saved` once that is so.
 * @typedef {(edited: Key | null, body: Record<string, unknown>, saved: () => void) =>
 *   Promise<void>} Save */

const form = byId("keys-form", HTMLFormElement);
const title = byId("keys-form-title", HTMLElement);
const send = byId("keys-send", HTMLButtonElement);
const cancel = byId("keys-cancel", HTMLButtonElement);
const reach = byId("keys-reach", HTMLFieldSetElement);
const choices = byId("keys-namespaces", HTMLElement);
const reachNote = byId("keys-reach-note", HTMLElement);
const defaultNote = byId("keys-default-note", HTMLElement);
const field = {
  name: byId("keys-name", HTMLInputElement),
  scope: byId("keys-scope", HTMLSelectElement),
  rpm: byId("keys-rpm", HTMLInputElement),
  tpm: byId("keys-tpm", HTMLInputElement),
  budget: byId("keys-budget", HTMLInputElement),
  period: byId("keys-period", HTMLSelectElement),
  preset: byId("keys-default", HTMLSelectElement),
  expires: byId("keys-expires", HTMLInputElement),
};

/** The key that the form changes; null: it makes one. @type {Key | null} */
let edited = null;
/** What the form said when it was filled, and so says where it is untouched: an end has no seconds
 *  there, for example. */
let filled = readBody();

/** @param {Save} save
 *  @param {() => void} left called when a change is given up */
export function startKeysForm(save, left) {
  keepUnsaved(isTyped);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, () => submit(save));
  });
  cancel.addEventListener("click", () => {
    editKey(null);
    left();
  });
  field.scope.addEventListener("change", () => describeReach());
  field.preset.addEventListener("change", () => describeReach());
  choices.addEventListener("change", () => describeReach());
}

/** Whether the form holds what was not saved. */
function isTyped() {
  return !isNone(changesOf(readBody(), filled));
}

/** What is typed while it is on its way stays.
 * @param {Save} save */
async function submit(save) {
  const [key, sent] = [edited, readBody()];
  await save(key, key === null ? sent : changesOf(sent, filled), () => {
    if (edited !== key) return;
    if (isNone(changesOf(readBody(), sent))) editKey(null);
    else filled = sent;
  });
}

/** @param {boolean} isShown */
export function showKeysForm(isShown) {
  form.hidden = !isShown;
  if (isShown) offerNamespaces(chosen(), field.preset.value);
}

/** Fills the form with a key, unless it holds what the user would keep.
 * @param {Key} key */
export async function openKey(key) {
  const of = edited === null ? "a new key" : (edited.name ?? edited.id);
  const question = {
    title: "Give up what was typed?",
    text: `The form holds what was typed for ${isolated(of)} and is not saved.`,
    action: "Give it up",
  };
  if (!isTyped() || (await confirmed(question))) editKey(key);
}

/** Empties the form where it changes a key that is gone.
 * @param {string} id */
export function leaveKey(id) {
  if (edited?.id === id) editKey(null);
}

/** Fills the form with a key, or empties it for a new one.
 * @param {Key | null} key */
export function editKey(key) {
  edited = key;
  form.reset();
  cancel.hidden = key === null;
  title.textContent = key === null ? "New key" : `Change ${key.name ?? key.id}`;
  send.textContent = key === null ? "Make key" : "Save changes";
  // Scopes that the list has not are left as they are.
  field.scope.disabled = false;
  if (key === null) {
    offerNamespaces([], "");
    filled = readBody();
    return;
  }
  const text = (/** @type {number | null} */ limit) => (limit === null ? "" : String(limit));
  field.name.value = key.name ?? "";
  field.scope.value = key.scopes.join(" ");
  field.scope.disabled = field.scope.selectedIndex === -1;
  field.rpm.value = text(key.requests_per_minute);
  field.tpm.value = text(key.tokens_per_minute);
  field.budget.value = text(key.budget_usd);
  field.period.value = key.budget_period;
  field.expires.value = key.expires_at === null ? "" : localMinute(key.expires_at);
  offerNamespaces(key.namespaces ?? [], key.default_namespace ?? "");
  filled = readBody();
  field.name.focus();
}

/** The namespaces that there are, and those of the key that are gone: leaving them out of the list
 *  would take them from the key.
 * @param {string[]} taken
 * @param {string} preset */
function offerNamespaces(taken, preset) {
  const names = [...new Set([...session.namespaces.map(({ name }) => name), ...taken])].sort();
  const boxes = names.map((name) => {
    const box = el("input", { type: "checkbox", value: name });
    box.checked = taken.includes(name);
    return el("label", { class: "check" }, box, name);
  });
  fill(choices, ...boxes);
  describeReach(preset);
}

function chosen() {
  return [...choices.querySelectorAll("input")]
    .filter((box) => box.checked)
    .map((box) => box.value);
}

/** @param {string[]} scopes */
function isAdmin(scopes) {
  return scopes.some((scope) => scope.startsWith("admin"));
}

function scopesNow() {
  return field.scope.disabled ? (edited?.scopes ?? []) : field.scope.value.split(" ");
}

/** Offers what can be the default, and says what follows of what is chosen.
 * @param {string} [preset] the default; where absent, as it is if it can be */
function describeReach(preset = field.preset.value) {
  const all = isAdmin(scopesNow());
  const taken = all ? [] : chosen();
  reach.disabled = all;
  const none = taken.length === 0;
  if (all) reachNote.textContent = "A key that may look at everything reads all of them.";
  else reachNote.textContent = none ? "None is chosen: it may read all, later ones too." : "";
  const known = session.namespaces.map(({ name }) => name);
  const offered = none ? [...new Set([...known, preset])].filter((name) => name !== "") : taken;
  const options = offered.map((name) => el("option", { value: name }, name));
  fill(field.preset, el("option", { value: "" }, "none"), ...options);
  field.preset.value = offered.includes(preset) ? preset : "";
  defaultNote.textContent =
    field.preset.value === ""
      ? "Without a default its requests must name memory.namespace: a chat that names none is " +
        "answered without memory."
      : "";
}

/** What the form says, as the service takes it. */
function readBody() {
  /** @param {HTMLInputElement} input */
  const number = ({ value }) => (value === "" ? null : Number(value));
  const taken = isAdmin(scopesNow()) ? [] : chosen();
  const end = field.expires.value;
  return {
    name: field.name.value.trim() || null,
    ...(field.scope.disabled ? {} : { scopes: field.scope.value.split(" ") }),
    namespaces: taken.length === 0 ? null : taken,
    default_namespace: field.preset.value || null,
    expires_at: end === "" ? null : new Date(end).toISOString(),
    requests_per_minute: number(field.rpm),
    tokens_per_minute: number(field.tpm),
    budget_usd: number(field.budget),
    budget_period: field.period.value,
  };
}
