/** Memory, Notes: what was learned of ratings and corrections, to be looked through and mended. */
import { call, namespacePath } from "./api.js";
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, lock, newestOnly, whileBusy } from "./dom.js";
import { count, isolated, moment } from "./format.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { Pager } from "./pager.js";
import { memoryHash, traceHash } from "./routes.js";
import { scrolling } from "./scrolling.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").Note} Note */

const PAGE_NOTES = 20;

const form = byId("notes-form", HTMLFormElement);
const policy = byId("notes-policy", HTMLSelectElement);
const days = byId("notes-days", HTMLInputElement);
const save = byId("notes-save", HTMLButtonElement);
const shownState = byId("notes-state", HTMLSelectElement);
const outcome = byId("notes-outcome", HTMLElement);
const list = byId("notes", HTMLElement);
const pager = new Pager({
  list,
  back: byId("notes-back", HTMLButtonElement),
  next: byId("notes-next", HTMLButtonElement),
  number: byId("notes-page", HTMLElement),
  loading: "Reading the notes…",
  where: () => {
    const query = { state: shownState.value, limit: String(PAGE_NOTES) };
    return [namespacePath(namespace, "notes"), query];
  },
  show: makePage,
});
const beginPolicy = newestOnly();

const EMPTY = {
  active: "No notes yet. An answer of the backend that is rated right becomes one.",
  pending: "Nothing waits for approval.",
};

const LEARNED_BY = {
  rating: "rated right",
  correction: "a correction",
  agreement: "agreed on by engines",
  admin: "written by an administrator",
};

let namespace = "";
/** What the form of the policy was filled with. @type {Record<string, unknown>} */
let filled = {};

export function startNotes() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileBusy(save, savePolicy);
  });
  shownState.addEventListener("change", () => {
    pager.reset();
    pager.read();
  });
}

/** Another key begins at the first page. */
export function resetNotes() {
  namespace = "";
  pager.showInstead();
}

/** Stays on its page while the namespace is the same.
 * @param {string} shown */
export function showNotes(shown) {
  if (namespace !== shown) {
    pager.reset();
    shownState.value = "active";
  }
  namespace = shown;
  fill(outcome);
  readPolicy();
  pager.read();
}

function readPolicy() {
  const isNewest = beginPolicy();
  save.disabled = true;
  call(namespacePath(namespace, "note-policy")).then(
    (reply) => {
      if (isNewest()) showPolicy(reply);
    },
    (error) => {
      if (isNewest()) fill(outcome, errorNotice(error, readPolicy));
    },
  );
}

/** @param {{ notes: string, ttl_days: number }} reply */
function showPolicy({ notes, ttl_days }) {
  filled = { notes, ttl_days };
  policy.value = notes;
  days.value = String(ttl_days);
  lock(form, !mayChange());
  fill(outcome);
}

async function savePolicy() {
  const target = namespace;
  const typed = { notes: policy.value, ttl_days: Number(days.value) };
  const body = changesOf(typed, filled);
  if (isNone(body)) return fill(outcome, doneNotice("Nothing was changed."));
  fill(outcome, loadingNotice("Saving…"));
  try {
    const reply = await call(namespacePath(target, "note-policy"), { method: "PUT", body });
    if (target !== namespace) return;
    showPolicy(reply);
    fill(outcome, doneNotice("Saved: it holds for what is learned from now on."));
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
}

/** @param {{ notes: Note[] }} page
 *  @param {boolean} isFirst */
function makePage({ notes }, isFirst) {
  if (notes.length > 0) return el("ul", { class: "notes" }, ...notes.map(makeNote));
  const shown = /** @type {keyof typeof EMPTY} */ (shownState.value);
  return emptyNotice(isFirst ? EMPTY[shown] : "This page is empty.");
}

/** @param {Note} note */
function makeNote(note) {
  const { question, answer, stale } = note;
  const item = el("li", { class: "card" });
  item.append(
    el("h4", {}, question),
    scrolling(el("p", { class: "text" }, answer), `Answer to: ${question}`),
    ...(stale ? [el("p", { class: "fault" }, "A document behind it changed: it is silent.")] : []),
    describe(note),
    ...(mayChange() ? [el("p", { class: "actions" }, ...makeActions(note, item))] : []),
  );
  return item;
}

/** @param {Note} note
 *  @param {Element} item that shows it */
function makeActions(note, item) {
  const { id, question, state, stale } = note;
  /** @param {string} verb
   *  @param {() => Promise<void>} work
   *  @param {string} [kind] */
  const action = (verb, work, kind = "") => {
    const label = `${verb}: ${question}`;
    const button = el("button", { type: "button", class: kind, "aria-label": label }, verb);
    button.addEventListener("click", () => void whileBusy(button, work));
    return button;
  };
  /** @param {string} done */
  const approve = (done) => () => change(id, { state: "active", confirm: true }, done);
  const waits = state === "pending";
  return [
    waits ? action("Approve", approve("Approved: it answers from now on.")) : null,
    !waits && stale ? action("It still holds", approve("Confirmed: it answers again.")) : null,
    action("Edit", async () => edit(note, item)),
    action("Remove", () => remove(note), "danger"),
  ].filter((button) => button !== null);
}

/** Where it is from.
 * @param {Note} note */
function describe({ trace_id, learned_by, engine, seen, sources, learned_at, expires_at }) {
  const documents = sources.map(({ document_id }) =>
    el("a", { href: memoryHash(namespace, "document", document_id) }, document_id),
  );
  return el(
    "p",
    { class: "faint source" },
    el("span", {}, LEARNED_BY[learned_by]),
    el("span", {}, `first answered by ${engine}`),
    seen > 1 ? el("span", {}, `given ${count(seen)} times`) : null,
    el("span", {}, `learned ${moment(learned_at)}`),
    el("span", {}, `until ${moment(expires_at)}`),
    el("a", { href: traceHash(trace_id) }, "trace"),
    ...documents,
  );
}

/** Puts a form in the place of what the note shows.
 * @param {Note} note
 * @param {Element} item */
function edit(note, item) {
  const text = el("textarea", { rows: "3", required: true });
  text.value = note.answer;
  const submit = el("button", { type: "submit", class: "primary" }, "Save");
  const cancel = () => {
    item.replaceWith(makeNote(note));
    list.focus();
  };
  const fields = el(
    "form",
    { class: "correction" },
    el("label", {}, "Answer", text),
    el(
      "p",
      { class: "actions" },
      submit,
      el("button", { type: "button", onclick: cancel }, "Cancel"),
    ),
  );
  fields.addEventListener("submit", (event) => {
    event.preventDefault();
    const answer = text.value.trim();
    void whileBusy(submit, () => change(note.id, { answer }, "Saved."));
  });
  fill(item, el("h4", {}, note.question), fields);
  text.focus();
}

/** @param {string} id
 *  @param {object} body
 *  @param {string} done */
function change(id, body, done) {
  return send(id, { method: "PATCH", body }, done);
}

/** Tells of it and reads the page anew, or tells of its failure.
 * @param {string} id
 * @param {import("./api.js").CallOptions} options
 * @param {string} done */
async function send(id, options, done) {
  const target = namespace;
  try {
    await call(namespacePath(target, "notes", id), options);
    if (target === namespace) again(doneNotice(done));
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
}

/** @param {Note} note */
async function remove({ id, question }) {
  const which = `“${isolated(question)}”`;
  const text = `${which} is answered as if it had never been asked. This cannot be undone.`;
  const go = await confirmed({ title: "Remove this note?", text, action: "Remove note" });
  if (go) await send(id, { method: "DELETE" }, "Removed.");
}

/** Reads the page anew; the button that had the focus is gone by then.
 * @param {Element} told */
function again(told) {
  fill(outcome, told);
  pager.read();
  list.focus();
}
