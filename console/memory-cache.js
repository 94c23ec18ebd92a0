/** Memory, Cache: which answers of the namespace are given again, and how many are kept. */
import { call, namespacePath } from "./api.js";
import { factList } from "./bars.js";
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, fill, lock, newestOnly, whileBusy } from "./dom.js";
import { held, refill } from "./fields.js";
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
const fields = { exact, semantic, cosine_min: cosine, ttl_s: ttl };
/** What the form was filled with. */
let filled = held(fields);

export function startCache() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(save, savePolicy);
  });
  purge.addEventListener("click", () => void whileBusy(purge, forget));
}

/** What was typed stays while the namespace does.
 * @param {string} shown */
export function showCache(shown) {
  if (namespace !== shown) filled = held(fields);
  namespace = shown;
  read();
}

/** Forgets what another key read and typed. */
export function resetCache() {
  beginRead();
  namespace = "";
  form.hidden = true;
  for (const element of [facts, outcome]) fill(element);
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

/** @param {CacheState} reply
 *  @param {typeof filled} [before] what was in the form when that was asked for */
function show({ policy, own, answers, questions, bytes: size }, before = filled) {
  fill(outcome);
  form.hidden = false;
  const ownValue = (/** @type {keyof typeof policy} */ field) =>
    own.includes(field) ? String(policy[field]) : INHERITED;
  filled = refill(fields, before, {
    ...{ exact: ownValue("exact"), semantic: ownValue("semantic") },
    ...{ cosine_min: ownValue("cosine_min"), ttl_s: ownValue("ttl_s") },
  });
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

/** As the service takes it: null where the tenant's setting holds.
 * @param {string} field
 * @param {unknown} value */
function settingOf(field, value) {
  if (value === INHERITED) return null;
  if (field === "semantic") return value === "true";
  return field === "exact" ? value : Number(value);
}

async function savePolicy() {
  const target = namespace;
  const typed = held(fields);
  const changes = Object.entries(changesOf(typed, filled));
  const body = Object.fromEntries(changes.map(([name, value]) => [name, settingOf(name, value)]));
  if (isNone(body)) return fill(outcome, doneNotice("Nothing was changed."));
  fill(outcome, loadingNotice("Saving…"));
  try {
    const reply = await call(namespacePath(target, "cache"), { method: "PUT", body });
    if (target !== namespace) return;
    show(reply, typed);
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
    const reply = await call(namespacePath(target, "cache"));
    if (target !== namespace) return;
    show(reply);
    fill(outcome, doneNotice(`${plural(purged, "answer")} forgotten.`));
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
}
