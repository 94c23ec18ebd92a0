/** Memory, Cache: which answers of the namespace are given again, and how many are kept. */
import { call, namespacePath } from "./api.js";
import { factList } from "./bars.js";
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, fill, lock, newestOnly, whileBusy } from "./dom.js";
import { bytes, count, plural } from "./format.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").CacheState} CacheState */

const form = byId("cache-form", HTMLFormElement);
const exact = byId("cache-exact", HTMLSelectElement);
const semantic = byId("cache-semantic", HTMLSelectElement);
const cosine = byId("cache-cosine", HTMLInputElement);
const ttl = byId("cache-ttl", HTMLInputElement);
const save = byId("cache-save", HTMLButtonElement);
const purge = byId("cache-purge", HTMLButtonElement);
const facts = byId("cache-facts", HTMLElement);
const outcome = byId("cache-outcome", HTMLElement);
const beginRead = newestOnly();

/** In a list, what stands for the tenant's setting. */
const INHERITED = "";

let namespace = "";
/** What the form said when it was filled. @type {Record<string, unknown>} */
let filled = {};

export function startCache() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(save, savePolicy);
  });
  purge.addEventListener("click", () => void whileBusy(purge, forget));
}

/** @param {string} shown */
export function showCache(shown) {
  namespace = shown;
  read();
}

function read() {
  const isNewest = beginRead();
  form.hidden = true;
  fill(facts);
  fill(outcome, loadingNotice("Reading the cache…"));
  call(namespacePath(namespace, "cache")).then(
    (reply) => {
      if (isNewest()) show(reply);
    },
    (error) => {
      if (isNewest()) fill(outcome, errorNotice(error, read));
    },
  );
}

/** @param {CacheState} reply */
function show({ policy, own, answers, questions, bytes: size }) {
  fill(outcome);
  form.hidden = false;
  const ownValue = (/** @type {keyof typeof policy} */ field) =>
    own.includes(field) ? String(policy[field]) : INHERITED;
  exact.value = ownValue("exact");
  semantic.value = ownValue("semantic");
  cosine.value = ownValue("cosine_min");
  ttl.value = ownValue("ttl_s");
  filled = readForm();
  const inherited = (/** @type {keyof typeof policy} */ field) =>
    own.includes(field) ? "as the tenant's" : `as the tenant's: ${name(policy[field])}`;
  for (const [list, field] of /** @type {const} */ ([
    [exact, "exact"],
    [semantic, "semantic"],
  ]))
    if (list.options[0]) list.options[0].textContent = inherited(field);
  cosine.placeholder = inherited("cosine_min");
  ttl.placeholder = inherited("ttl_s");
  lock(form, !mayChange());
  if (answers === 0) purge.disabled = true;
  fill(
    facts,
    factList([
      ["Answers kept", count(answers)],
      ["Found in other words", count(questions)],
      ["Size", bytes(size)],
    ]),
  );
}

/** @param {string | number | boolean} value */
function name(value) {
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value);
}

/** Null where the tenant's setting holds. */
function readForm() {
  /** @param {HTMLInputElement} input */
  const number = ({ value }) => (value === "" ? null : Number(value));
  return {
    exact: exact.value === INHERITED ? null : exact.value,
    semantic: semantic.value === INHERITED ? null : semantic.value === "true",
    cosine_min: number(cosine),
    ttl_s: number(ttl),
  };
}

async function savePolicy() {
  const target = namespace;
  const body = changesOf(readForm(), filled);
  if (isNone(body)) return fill(outcome, doneNotice("Nothing was changed."));
  fill(outcome, loadingNotice("Saving…"));
  try {
    const reply = await call(namespacePath(target, "cache"), { method: "PUT", body });
    if (target !== namespace) return;
    show(reply);
    fill(outcome, doneNotice("Saved."));
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
}

async function forget() {
  const target = namespace;
  const go = await confirmed({
    title: `Forget the answers kept for ${target}?`,
    text: "The like is then asked of the engines anew. Notes stay.",
    action: "Forget answers",
  });
  if (!go) return;
  try {
    const { purged } = await call(namespacePath(target, "cache"), { method: "DELETE" });
    if (target !== namespace) return;
    await call(namespacePath(target, "cache")).then(show);
    fill(outcome, doneNotice(`${plural(purged, "answer")} forgotten.`));
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
}
