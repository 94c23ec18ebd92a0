/** The Keys view: the tenant's keys with their limits and use, new ones, changes, and their end. */
import { explainAbsence } from "./absence.js";
import { call } from "./api.js";
import { isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { count, moment, plural, usd } from "./format.js";
import { editKey, leaveKey, openKey, showKeysForm, startKeysForm } from "./keys-form.js";
import { hidePages, resetPages, showPages, startKeysPages } from "./keys-pages.js";
import { forgetKeyTexts, showKeyText } from "./keys-texts.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { tracesHash } from "./routes.js";
import { mayChange, mayLook, session, watchSession } from "./session.js";

/** @typedef {import("./types.js").Key} Key
 *  @typedef {"Edit" | "Disable" | "Rotate" | "Revoke"} Verb */

const NAMESPACES_SHOWN = 4;

const view = byId("keys", HTMLElement);
const list = byId("keys-list", HTMLElement);
const outcome = byId("keys-outcome", HTMLElement);
const beginRead = newestOnly();

/** The key in whose name what is shown was read. */
let usedKey = "";

export function startKeysView() {
  startKeysForm(saveKey, () => list.focus());
  startKeysPages(showList);
  watchSession(() => {
    // A namespace that was made is no reason to forget what is shown; another key is.
    if (session.key !== usedKey) {
      usedKey = session.key;
      forgetKeyTexts();
      editKey(null);
      resetPages();
      for (const element of [outcome, list]) fill(element);
    }
    if (!view.hidden) void showKeys();
  });
}

/** Shows the keys, as far as the key in use may see them. A list that is there stays until the new
 *  one is: emptied, it would take the focus and the place in the page with it. */
export async function showKeys() {
  const isNewest = beginRead();
  if (!mayLook()) {
    showKeysForm(false);
    hidePages();
    return fill(list, explainAbsence("Keys can be seen with an admin key."));
  }
  if (list.querySelector("table") === null) fill(list, loadingNotice("Reading the keys…"));
  list.setAttribute("aria-busy", "true");
  try {
    const { keys } = await call("/admin/keys");
    if (isNewest()) showAll(keys);
  } catch (error) {
    if (isNewest()) showFault(error);
  } finally {
    if (isNewest()) list.removeAttribute("aria-busy");
  }
}

const COLUMNS = [
  ...["Name", "Scopes", "Namespaces", "Limits", "Requests", "Cost", "Last used", "Actions"],
];

/** @param {Key[]} keys */
function showAll(keys) {
  showKeysForm(mayChange());
  showPages(keys);
  if (keys.length === 0) fill(list, emptyNotice("No keys yet but the fixed ones."));
}

/** @param {unknown} error */
function showFault(error) {
  hidePages();
  fill(list, errorNotice(error, showKeys));
}

/** @param {Key[]} keys those of a page */
function showList(keys) {
  if (keys.length === 0) return fill(list, emptyNotice("No key has that in its name or id."));
  const head = el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, name)));
  const body = el("tbody", {}, ...keys.map(describeKey));
  const caption = el("caption", { class: "faint" }, "Use is of the last 30 days.");
  const table = el("table", { class: "card wide keys" }, caption, el("thead", {}, head), body);
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": "The keys" };
  fill(list, el("div", region, table));
}

/** @param {Key} key */
function describeKey(key) {
  const { name, id, scopes, usage } = key;
  return el(
    "tr",
    {},
    el(
      "th",
      { scope: "row" },
      name === null ? null : el("span", {}, name),
      el("code", { class: "under" }, id),
      ...badges(key),
    ),
    el("td", {}, ...wholeWords(scopes)),
    el("td", {}, ...describeNamespaces(key)),
    el("td", {}, ...wholeWords(limitsOf(key))),
    el("td", {}, count(usage?.requests ?? 0)),
    el("td", {}, `$${usd(Math.round((usage?.cost_usd ?? 0) * 1e6))}`),
    el("td", {}, el("span", { class: "whole" }, usage?.last_day ?? "never")),
    el("td", {}, el("p", { class: "actions" }, ...makeActions(key))),
  );
}

/** @param {Key} key */
function makeActions(key) {
  const { id } = key;
  const label = key.name ?? id;
  /** A button whose name for screen readers says of which key it is.
   * @param {Verb} verb
   * @param {() => Promise<void>} work
   * @param {string} [words] */
  const action = (verb, work, words = verb) => {
    const named = { "aria-label": `${words} ${label}`, "data-key": id, "data-verb": verb };
    const button = el("button", { type: "button", ...named }, words);
    button.addEventListener("click", () => void whileBusy(button, work));
    return button;
  };
  const traces = {
    class: "button",
    href: tracesHash({ key: id }),
    "aria-label": `Traces of ${label}`,
  };
  const changes = [
    action("Edit", () => openKey(key)),
    action("Disable", () => toggle(key), key.disabled ? "Enable" : "Disable"),
    action("Rotate", () => rotate(key)),
    action("Revoke", () => revoke(key)),
  ];
  return [...(mayChange() ? changes : []), el("a", traces, "Traces")];
}

/** With commas between them. A line ends at a space alone: not within "requests/min", nor at the
 *  hyphens of a namespace.
 * @param {string[]} items */
function wholeWords(items) {
  if (items.length === 0) return ["none"];
  const words = items.join(", ").split(" ");
  return words.flatMap((word) => [el("span", { class: "whole" }, word), " "]);
}

/** @param {Key} key */
function badges({ disabled, expires_at }) {
  const expired = expires_at !== null && expires_at <= Date.now();
  return [
    disabled ? el("span", { class: "badge wanted" }, "disabled") : null,
    expired ? el("span", { class: "badge bad" }, "expired") : null,
  ];
}

/** @param {Key} key */
function describeNamespaces({ namespaces, default_namespace: preset }) {
  const names = namespaces === null ? ["all"] : namespaces;
  const under = (/** @type {string} */ text) => el("span", { class: "faint under whole" }, text);
  const note = preset === null ? "no default" : `default: ${preset}`;
  return [
    ...(names.length <= NAMESPACES_SHOWN
      ? wholeWords(names)
      : [
          el(
            "details",
            {},
            el("summary", { class: "whole" }, plural(names.length, "namespace")),
            ...wholeWords(names),
          ),
        ]),
    namespaces === null && preset === null ? null : under(note),
  ];
}

const PERIODS = { day: "a day", month: "a month", total: "in all" };

/** @param {Key} key */
function limitsOf(key) {
  const { requests_per_minute: rpm, tokens_per_minute: tpm, budget_usd, expires_at } = key;
  const until = expires_at !== null && expires_at <= Date.now() ? "expired" : "until";
  return [
    rpm === null ? "" : `${count(rpm)} requests/min`,
    tpm === null ? "" : `${count(tpm)} tokens/min`,
    budget_usd === null ? "" : `$${budget_usd} ${PERIODS[key.budget_period]}`,
    expires_at === null ? "" : `${until} ${moment(expires_at)}`,
  ].filter((limit) => limit !== "");
}

/** Sends a change, tells of it or of its failure, and reads the list again. The button that had
 *  the focus is made anew by that, or is disabled: the focus goes where the work says.
 * @param {string} doing
 * @param {() => Promise<{ told: Node | null, focus: () => HTMLElement }>} work */
async function tell(doing, work) {
  const asked = session.key;
  fill(outcome, loadingNotice(doing));
  try {
    const { told, focus } = await work();
    if (session.key !== asked) return;
    fill(outcome, told);
    await showKeys();
    const now = document.activeElement;
    const lost = now === null || now === document.body || now.matches(":disabled");
    if (lost || !now.checkVisibility()) focus().focus();
  } catch (error) {
    if (session.key === asked) fill(outcome, errorNotice(error));
  }
}

/** A key's button in the list; the list itself where the key has gone from it.
 * @param {string} id
 * @param {Verb} verb
 * @returns {() => HTMLElement} */
function buttonOf(id, verb) {
  const isIt = (/** @type {HTMLElement} */ { dataset }) =>
    dataset.key === id && dataset.verb === verb;
  return () => [...list.querySelectorAll("button")].find(isIt) ?? list;
}

/** @type {import("./keys-form.js").Save} */
function saveKey(changed, body, saved) {
  if (changed !== null) {
    const { id } = changed;
    return tell("Changing the key…", async () => {
      const told = isNone(body) ? "Nothing was changed." : await change(id, body);
      saved();
      return { told: doneNotice(told), focus: buttonOf(id, "Edit") };
    });
  }
  return tell("Making the key…", async () => {
    const { id, name, key } = await call("/admin/keys", { method: "POST", body });
    saved();
    return shown(name ?? id, key);
  });
}

/** What is to be told of it.
 * @param {string} id
 * @param {Record<string, unknown>} body */
async function change(id, body) {
  const { name } = await call(pathOf(id), { method: "PATCH", body });
  return `${name ?? id} is changed, everywhere within 30 seconds.`;
}

/** @param {string} label
 *  @param {string} text
 *  @param {string} [more] */
function shown(label, text, more) {
  const notice = showKeyText(label, text, more);
  return { told: null, focus: () => notice };
}

/** @param {Key} key */
function toggle({ id, name, disabled }) {
  return tell("Changing the key…", async () => {
    await call(pathOf(id), { method: "PATCH", body: { disabled: !disabled } });
    const state = disabled ? "enabled" : "disabled, everywhere within 30 seconds";
    return { told: doneNotice(`${name ?? id} is ${state}.`), focus: buttonOf(id, "Disable") };
  });
}

/** How long the text that a key had goes on working, by its seconds. @type {[string, string][]} */
const GRACES = [
  ["0", "30 seconds at most"],
  ["3600", "an hour"],
  ["86400", "a day"],
  ["604800", "7 days"],
  ["1209600", "14 days"],
];

/** @param {Key} key */
async function rotate({ id, name }) {
  const label = name ?? id;
  const options = GRACES.map(([value, words]) => el("option", { value }, words));
  const grace = el("select", {}, ...options);
  const question = {
    title: `Rotate ${label}?`,
    text: "It gets another text. Where the one it has is still in use, give it time.",
    action: "Rotate",
    more: el("label", {}, "The one it has goes on working for", grace),
  };
  if (!(await confirmed(question))) return;
  const grace_seconds = Number(grace.value);
  const words = grace.selectedOptions[0]?.textContent;
  await tell("Rotating the key…", async () => {
    const body = { grace_seconds };
    const { key } = await call(`${pathOf(id)}/rotate`, { method: "POST", body });
    return shown(label, key, grace_seconds > 0 ? `The one it had works for ${words} more.` : "");
  });
}

/** @param {Key} key */
async function revoke({ id, name }) {
  const title = `Revoke ${name ?? id}?`;
  const text = "It stops working everywhere within 30 seconds, and cannot be brought back.";
  if (!(await confirmed({ title, text, action: "Revoke" }))) return;
  await tell("Revoking the key…", async () => {
    await call(pathOf(id), { method: "DELETE" });
    leaveKey(id);
    return { told: doneNotice(`${name ?? id} is revoked.`), focus: () => list };
  });
}

/** @param {string} id */
function pathOf(id) {
  return `/admin/keys/${encodeURIComponent(id)}`;
}
