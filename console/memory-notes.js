/** Memory, Notes: what was learned of ratings and corrections, to be looked through and mended. */
import { call, namespacePath } from "./api.js";
import { changesOf, isNone } from "./changes.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, lock, newestOnly, whileBusy } from "./dom.js";
import { held, refill } from "./fields.js";
import { count, isolated, moment } from "./format.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { Pager } from "./pager.js";
import { memoryHash, traceHash } from "./routes.js";
import { scrolling } from "./scrolling.js";
import { mayChange } from "./session.js";
import { keepUnsaved } from "./unsaved.js";

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
const fields = { notes: policy, ttl_days: days };
/** What the form of the policy was filled with. */
let filled = held(fields);
/** Answers that are edited and not saved, by the address of their note: what makes the list anew
 *  shows them again. @type {Map<string, { answer: string, draft: string }>} */
const drafts = new Map();

export function startNotes() {
  keepUnsaved(() => [...drafts.values()].some(({ answer, draft }) => draft !== answer));
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
  drafts.clear();
  beginPolicy();
  pager.showInstead();
}

/** Stays on its page while the namespace is the same.
 * @param {string} shown */
export function showNotes(shown) {
  if (namespace !== shown) {
    pager.reset();
    shownState.value = "active";
    filled = held(fields);
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

/** @param {{ notes: string, ttl_days: number }} reply
 *  @param {typeof filled} [before] what was in the form when that was asked for */
function showPolicy({ notes, ttl_days }, before = filled) {
  filled = refill(fields, before, { notes, ttl_days: String(ttl_days) });
  lock(form, !mayChange());
  fill(outcome);
}

async function savePolicy() {
  const target = namespace;
  const typed = held(fields);
  const changes = changesOf(typed, filled);
  if (isNone(changes)) return fill(outcome, doneNotice("Nothing was changed."));
  const { ttl_days } = changes;
  const body = { ...changes, ...(ttl_days === undefined ? {} : { ttl_days: Number(ttl_days) }) };
  fill(outcome, loadingNotice("Saving…"));
  try {
    const reply = await call(namespacePath(target, "note-policy"), { method: "PUT", body });
    if (target !== namespace) return;
    showPolicy(reply, typed);
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

/** With the form in it where it is edited.
 * @param {Note} note */
function makeNote(note) {
  const item = el("li", { class: "card" });
  if (drafts.has(placeOf(note.id)) && mayChange()) showEditor(note, item);
  else showNote(note, item);
  return item;
}

/** @param {string} id */
function placeOf(id) {
  return namespacePath(namespace, "notes", id);
}

/** @param {Note} note
 *  @param {Element} item */
function showNote(note, item) {
  const { question, answer, stale } = note;
  fill(
    item,
    el("h4", {}, question),
    scrolling(el("p", { class: "text" }, answer), `Answer to: ${question}`),
    ...(stale ? [el("p", { class: "fault" }, "A document behind it changed: it is silent.")] : []),
    describe(note),
    ...(mayChange() ? [el("p", { class: "actions" }, ...makeActions(note, item))] : []),
  );
}

/** @param {Note} note
 *  @param {Element} item that shows it */
function makeActions(note, item) {
  const { question, state, stale } = note;
  /** @param {string} verb
   *  @param {() => Promise<void>} work
   *  @param {string} [kind] */
  const action = (verb, work, kind = "") => {
    const label = `${verb}: ${question}`;
    const named = { class: kind, "aria-label": label, "data-verb": verb };
    const button = el("button", { type: "button", ...named }, verb);
    button.addEventListener("click", () => void whileBusy(button, work));
    return button;
  };
  /** @param {string} done */
  const approve = (done) => () => change(note, item, { state: "active", confirm: true }, done);
  const waits = state === "pending";
  return [
    waits ? action("Approve", approve("Approved: it answers from now on.")) : null,
    !waits && stale ? action("It still holds", approve("Confirmed: it answers again.")) : null,
    action("Edit", async () => edit(note, item)),
    action("Remove", () => remove(note, item), "danger"),
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

/** @param {Note} note
 *  @param {Element} item */
function edit(note, item) {
  drafts.set(placeOf(note.id), { answer: note.answer, draft: note.answer });
  showEditor(note, item);
  item.querySelector("textarea")?.focus();
}

/** Puts a form in the place of what the note shows.
 * @param {Note} note
 * @param {Element} item */
function showEditor(note, item) {
  const { answer } = note;
  const place = placeOf(note.id);
  const text = el("textarea", { rows: "3", required: true });
  text.value = drafts.get(place)?.draft ?? answer;
  text.addEventListener("input", () => drafts.set(place, { answer, draft: text.value }));
  const submit = el("button", { type: "submit", class: "primary" }, "Save");
  const cancel = () => {
    drafts.delete(place);
    showNote(note, item);
    goOn(item);
  };
  const editor = el(
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
  editor.addEventListener("submit", (event) => {
    event.preventDefault();
    const sent = text.value;
    void whileBusy(submit, async () => {
      await change(note, item, { answer: sent.trim() }, "Saved.", () => {
        if (drafts.get(place)?.draft === sent) drafts.delete(place);
      });
    });
  });
  fill(item, el("h4", {}, note.question), editor);
}

/** Tells of it and shows the note as it is now: other notes, some of which may be edited, stay as
 *  they are shown.
 * @param {Note} note
 * @param {Element} item
 * @param {object} body
 * @param {string} done
 * @param {() => void} [then] called once the service has it */
async function change({ id, state }, item, body, done, then = () => {}) {
  await send(id, { method: "PATCH", body }, done, (/** @type {Note} */ now) => {
    then();
    if (!item.isConnected) return pager.read(); // read before that, and so as it was
    if (now.state !== state) return leave(item);
    const made = makeNote(now);
    item.replaceWith(made);
    goOn(made);
  });
}

/** @param {string} id
 *  @param {import("./api.js").CallOptions} options
 *  @param {string} done
 *  @param {(reply: any) => void} show called with the reply where its list is still shown */
async function send(id, options, done, show) {
  const target = namespace;
  try {
    const reply = await call(placeOf(id), options);
    if (target !== namespace) return;
    fill(outcome, doneNotice(done));
    show(reply);
  } catch (error) {
    if (target === namespace) fill(outcome, errorNotice(error));
  }
}

/** @param {Note} note
 *  @param {Element} item */
async function remove({ id, question }, item) {
  const which = `“${isolated(question)}”`;
  const text = `${which} is answered as if it had never been asked. This cannot be undone.`;
  const go = await confirmed({ title: "Remove this note?", text, action: "Remove note" });
  if (go) await send(id, { method: "DELETE" }, "Removed.", () => leave(item));
}

/** Takes it from the list; the keyboard goes on from what took its place. A list that is empty by
 *  that is read anew, for there may be another page.
 * @param {Element} item */
function leave(item) {
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  goOn(next);
  if (list.querySelector(".notes > li") === null) pager.read();
}

/** From the button that makes the note's editor, or from the editor; unless the keyboard went
 *  elsewhere while the service was asked.
 * @param {Element | null} item null: none is left */
function goOn(item) {
  const now = document.activeElement;
  if (now !== document.body && now?.checkVisibility()) return;
  const place = item?.querySelector("[data-verb=Edit], textarea");
  (place instanceof HTMLElement ? place : list).focus();
}
