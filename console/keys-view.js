/** The Keys view: the tenant's keys with their limits and use, new ones, changes, and their end. */
import { explainAbsence } from "./absence.js";
import { call } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { count, moment } from "./format.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { session, watchSession } from "./session.js";

/** @typedef {import("./types.js").Key} Key */

const view = byId("keys", HTMLElement);
const list = byId("keys-list", HTMLElement);
const form = byId("keys-form", HTMLFormElement);
const formTitle = byId("keys-form-title", HTMLElement);
const send = byId("keys-send", HTMLButtonElement);
const cancel = byId("keys-cancel", HTMLButtonElement);
const outcome = byId("keys-outcome", HTMLElement);
const field = {
  name: byId("keys-name", HTMLInputElement),
  scope: byId("keys-scope", HTMLSelectElement),
  rpm: byId("keys-rpm", HTMLInputElement),
  tpm: byId("keys-tpm", HTMLInputElement),
  budget: byId("keys-budget", HTMLInputElement),
  period: byId("keys-period", HTMLSelectElement),
};
const beginRead = newestOnly();

/** The key that the form changes; null: it makes one. @type {Key | null} */
let edited = null;

export function startKeysView() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(send, saveKey);
  });
  cancel.addEventListener("click", () => {
    edit(null);
    list.focus(); // the button that had it is gone
  });
  watchSession(() => {
    fill(outcome); // it may hold another tenant's new key
    edit(null);
    if (!view.hidden) showKeys();
  });
}

/** Shows the keys, as far as the key in use may see them. */
export function showKeys() {
  const isNewest = beginRead();
  form.hidden = true;
  if (session.role !== "admin")
    return fill(list, explainAbsence("Keys can be seen with an admin key."));
  fill(list, loadingNotice("Reading the keys…"));
  call("/admin/keys").then(
    ({ keys }) => {
      if (isNewest()) showList(keys);
    },
    (error) => {
      if (isNewest()) fill(list, errorNotice(error, showKeys));
    },
  );
}

const COLUMNS = ["Name", "Scopes", "Limits", "Requests", "Cost", "Last used", "Actions"];

/** @param {Key[]} keys */
function showList(keys) {
  form.hidden = false;
  if (keys.length === 0) return fill(list, emptyNotice("No keys yet but the fixed ones."));
  const head = el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, name)));
  const body = el("tbody", {}, ...keys.map(describeKey));
  const caption = el("caption", { class: "faint" }, "Use is of the last 30 days.");
  const table = el("table", { class: "card wide" }, caption, el("thead", {}, head), body);
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": "The keys" };
  fill(list, el("div", region, table));
}

/** @param {Key} key */
function describeKey(key) {
  const { name, id, scopes, usage } = key;
  const label = name ?? id;
  const toggle = key.disabled ? "Enable" : "Disable";
  return el(
    "tr",
    {},
    el("td", {}, label),
    el("td", {}, scopes.join(", ")),
    el("td", {}, describeLimits(key)),
    el("td", {}, count(usage?.requests ?? 0)),
    el("td", {}, `$${(usage?.cost_usd ?? 0).toFixed(4)}`),
    el("td", {}, usage?.last_day ?? "never"),
    el(
      "td",
      {},
      action("Edit", label, async () => edit(key)),
      " ",
      action(toggle, label, () => change(key)),
      " ",
      action("Rotate", label, () => rotate(key)),
      " ",
      action("Revoke", label, () => revoke(key)),
    ),
  );
}

/** A button whose name for screen readers says of which key it is.
 * @param {string} verb
 * @param {string} label
 * @param {() => Promise<void>} work */
function action(verb, label, work) {
  const button = el("button", { type: "button", "aria-label": `${verb} ${label}` }, verb);
  button.addEventListener("click", () => void whileBusy(button, work));
  return button;
}

const PERIODS = { day: "a day", month: "a month", total: "in all" };

/** @param {Key} key */
function describeLimits(key) {
  const limits = [
    key.requests_per_minute === null ? "" : `${count(key.requests_per_minute)} requests/min`,
    key.tokens_per_minute === null ? "" : `${count(key.tokens_per_minute)} tokens/min`,
    key.budget_usd === null ? "" : `$${key.budget_usd} ${PERIODS[key.budget_period]}`,
    key.expires_at === null ? "" : `until ${moment(key.expires_at)}`,
    key.disabled ? "disabled" : "",
  ].filter((limit) => limit !== "");
  return limits.length === 0 ? "none" : limits.join(", ");
}

/** Sends a change, tells of it or of its failure, and reads the list again.
 * @param {string} doing
 * @param {() => Promise<Node>} work */
async function tell(doing, work) {
  fill(outcome, loadingNotice(doing));
  try {
    fill(outcome, await work());
    showKeys();
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}

/** Fills the form with a key, or empties it for a new one.
 * @param {Key | null} key */
function edit(key) {
  edited = key;
  form.reset();
  cancel.hidden = key === null;
  formTitle.textContent = key === null ? "New key" : `Change ${key.name ?? key.id}`;
  send.textContent = key === null ? "Make key" : "Save changes";
  // Scopes that the list has not are left as they are.
  field.scope.disabled = false;
  if (key === null) return;
  const text = (/** @type {number | null} */ limit) => (limit === null ? "" : String(limit));
  field.name.value = key.name ?? "";
  field.scope.value = key.scopes.join(" ");
  field.scope.disabled = field.scope.selectedIndex === -1;
  field.rpm.value = text(key.requests_per_minute);
  field.tpm.value = text(key.tokens_per_minute);
  field.budget.value = text(key.budget_usd);
  field.period.value = key.budget_period;
  field.name.focus();
}

function saveKey() {
  /** @param {HTMLInputElement} input */
  const number = ({ value }) => (value === "" ? null : Number(value));
  const body = {
    name: field.name.value.trim() || null,
    ...(field.scope.disabled ? {} : { scopes: field.scope.value.split(" ") }),
    requests_per_minute: number(field.rpm),
    tokens_per_minute: number(field.tpm),
    budget_usd: number(field.budget),
    budget_period: field.period.value,
  };
  const changed = edited;
  return tell(changed === null ? "Making the key…" : "Changing the key…", async () => {
    const { key } =
      changed === null
        ? await call("/admin/keys", { method: "POST", body })
        : await call(pathOf(changed.id), { method: "PATCH", body });
    edit(null);
    if (changed === null) return showText(key);
    return doneNotice(`${body.name ?? changed.id} is changed, everywhere within 30 seconds.`);
  });
}

/** @param {string} text of a key */
function showText(text) {
  return doneNotice(
    el("p", {}, "The key, which is shown this once: keep it now."),
    el("p", {}, el("code", {}, text)),
  );
}

/** @param {Key} key */
function change({ id, name, disabled }) {
  return tell("Changing the key…", async () => {
    await call(pathOf(id), { method: "PATCH", body: { disabled: !disabled } });
    const state = disabled ? "enabled" : "disabled, everywhere within 30 seconds";
    return doneNotice(`${name ?? id} is ${state}.`);
  });
}

/** @param {Key} key */
async function rotate({ id, name }) {
  const title = `Rotate ${name ?? id}?`;
  const text = "It gets another text. The one it has stops working within 30 seconds.";
  if (!(await confirmed({ title, text, action: "Rotate" }))) return;
  await tell("Rotating the key…", async () => {
    const { key } = await call(`${pathOf(id)}/rotate`, { method: "POST", body: {} });
    return showText(key);
  });
}

/** @param {Key} key */
async function revoke({ id, name }) {
  const title = `Revoke ${name ?? id}?`;
  const text = "It stops working everywhere within 30 seconds, and cannot be brought back.";
  if (!(await confirmed({ title, text, action: "Revoke" }))) return;
  await tell("Revoking the key…", async () => {
    await call(pathOf(id), { method: "DELETE" });
    return doneNotice(`${name ?? id} is revoked.`);
  });
}

/** @param {string} id */
function pathOf(id) {
  return `/admin/keys/${encodeURIComponent(id)}`;
}
