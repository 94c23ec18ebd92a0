/** The Memory view: the namespaces, and which section of the current one is shown. */
import { call, namespacePath } from "./api.js";
import { factList } from "./bars.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { bytes, count, short } from "./format.js";
import { resetAdd, showAdd, startAdd } from "./memory-add.js";
import { resetCache, showCache, startCache } from "./memory-cache.js";
import { showDocument } from "./memory-document.js";
import { resetDocuments, showDocuments, startDocuments } from "./memory-documents.js";
import { resetNotes, showNotes, startNotes } from "./memory-notes.js";
import { resetSearch, showSearch, startSearch } from "./memory-search.js";
import { showUpkeep, showWork, startUpkeep } from "./memory-upkeep.js";
import { resetUpload } from "./memory-upload.js";
import { doneNotice, emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { memoryHash, parseRoute } from "./routes.js";
import {
  mayChange,
  mayLook,
  refreshNamespaces,
  retrySession,
  session,
  watchSession,
} from "./session.js";

/** @typedef {import("./types.js").Stats} Stats
 *  @typedef {import("./routes.js").MemoryRoute} MemoryRoute
 *  @typedef {import("./routes.js").Section} Section */

const view = byId("memory", HTMLElement);
const list = byId("namespaces", HTMLElement);
const newNamespace = byId("namespace-new", HTMLDetailsElement);
const form = byId("namespace-form", HTMLFormElement);
const formName = byId("namespace-name", HTMLInputElement);
const formUnit = byId("namespace-unit", HTMLSelectElement);
const openForm = byId("open-form", HTMLFormElement);
const openName = byId("open-name", HTMLInputElement);
const outcome = byId("namespace-outcome", HTMLElement);
const none = byId("memory-none", HTMLElement);
const current = byId("memory-current", HTMLElement);
const currentName = byId("memory-name", HTMLElement);
const removeButton = byId("namespace-delete", HTMLButtonElement);
const stats = byId("memory-stats", HTMLElement);
const sections = byId("memory-sections", HTMLElement);
const beginStats = newestOnly();

/** The namespace that is shown. @type {string | null} */
let shown = null;
/** The one whose figures are shown. @type {string | null} */
let counted = null;
/** The key in whose name what is shown was read. */
let usedKey = "";

/** @type {[Section, string][]} */
const SECTIONS = [
  ["search", "Search"],
  ["documents", "Documents"],
  ["add", "Add"],
  ["notes", "Notes"],
  ["cache", "Cache"],
];

export function startMemoryView() {
  startSearch();
  startDocuments(refreshStats);
  startAdd(refreshStats);
  startUpkeep(refreshStats);
  startNotes();
  startCache();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button) void whileBusy(button, create);
  });
  openForm.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = memoryHash(openName.value.trim(), "search");
  });
  removeButton.addEventListener("click", () => void whileBusy(removeButton, remove));
  watchSession(() => {
    if (session.key !== usedKey) forget();
    const route = parseRoute(location.hash);
    if (!view.hidden && route.view === "memory") showMemory(route);
  });
}

/** Nothing of one key's may be seen with the next. */
function forget() {
  usedKey = session.key;
  shown = null;
  counted = null;
  resetSearch();
  resetDocuments();
  resetNotes();
  resetAdd();
  resetCache();
  resetUpload();
  showUpkeep(null);
  for (const element of [outcome, stats]) fill(element);
}

/** Shows what the route names; without a namespace, the first there is.
 * @param {MemoryRoute} route */
export function showMemory(route) {
  const namespace = route.namespace ?? session.namespaces[0]?.name ?? null;
  newNamespace.hidden = !mayChange();
  if (mayChange() && session.namespaces.length === 0) newNamespace.open = true;
  openForm.hidden = session.role !== "inference";
  showList(namespace);
  const explanation = explainAbsence(namespace);
  fill(none, explanation);
  current.hidden = explanation !== null;
  if (explanation !== null || namespace === null) return;
  if (shown !== namespace) fill(outcome);
  shown = namespace;
  currentName.textContent = namespace;
  removeButton.hidden = !mayChange();
  showUpkeep(mayLook() ? namespace : null);
  const section = sectionOf(route.section, route.id);
  showSections(namespace, section);
  if (mayLook()) refreshStats();
  else fill(stats);
  showSection(namespace, section, route);
}

/** The section that a route names, or what a key that may only look is shown in its place.
 * @param {Section} section
 * @param {string | null} id of a document
 * @returns {Section} */
export function sectionOf(section, id) {
  if (session.role !== "reader") return section;
  if (section === "add") return id === null ? "documents" : "document";
  return section === "search" && !session.asks ? "documents" : section;
}

/** Those with a tab. */
function offeredSections() {
  if (!mayLook()) return SECTIONS.filter(([section]) => section === "search");
  return SECTIONS.filter(([section]) => sectionOf(section, null) === section);
}

/** @param {string} namespace
 *  @param {Section} section
 *  @param {MemoryRoute} route */
function showSection(namespace, section, { id, quote, search }) {
  if (section === "search") showSearch(namespace, search);
  else if (section === "documents") showDocuments(namespace);
  else if (section === "add") showAdd(namespace, id);
  else if (section === "notes") showNotes(namespace);
  else if (section === "cache") showCache(namespace);
  else showDocument(namespace, id ?? "", quote, refreshStats);
}

/** Why no namespace can be shown, or null.
 * @param {string | null} namespace */
function explainAbsence(namespace) {
  if (session.role === "checking") return loadingNotice("Checking the key…");
  if (session.role === "none") return emptyNotice("Enter a key at the top of the page.");
  if (session.error !== null) return errorNotice(session.error, retrySession);
  if (namespace !== null) return null;
  if (session.role === "inference")
    return emptyNotice("This key may search. Name the namespace to search in.");
  const todo = mayChange() ? " Create one to put documents into." : "";
  return emptyNotice(`There is no namespace yet.${todo}`);
}

/** @param {string | null} namespace */
function showList(namespace) {
  if (session.role === "inference")
    return fill(list, emptyNotice("Only an admin key sees the list."));
  if (session.namespaces.length === 0)
    return fill(list, mayLook() ? emptyNotice("None yet.") : null);
  const items = session.namespaces.map(({ name }) => {
    const state = name === namespace ? "true" : null;
    const href = memoryHash(name, offeredSections()[0]?.[0] ?? "search");
    return el("li", {}, el("a", { href, "aria-current": state }, name));
  });
  const names = el("ul", { class: "namespaces" }, ...items);
  const scrolledTo = list.firstElementChild?.scrollTop ?? 0;
  fill(list, names);
  names.scrollTop = scrolledTo;
  keepInSight(names);
}

/** Scrolls a long list, and not the page, to its current item.
 * @param {Element} names */
function keepInSight(names) {
  const item = names.querySelector("[aria-current]")?.getBoundingClientRect();
  const { top, bottom } = names.getBoundingClientRect();
  if (item && (item.top < top || item.bottom > bottom)) names.scrollTop += item.top - top;
}

/** @param {string} namespace
 *  @param {Section} shownSection */
function showSections(namespace, shownSection) {
  const links = offeredSections().map(([section, label]) => {
    const inIt = section === shownSection;
    const within = section === "documents" && shownSection === "document";
    const state = inIt ? "page" : within ? "true" : null;
    return el("a", { href: memoryHash(namespace, section), "aria-current": state }, label);
  });
  fill(sections, ...links);
  for (const section of ["search", "documents", "add", "document", "notes", "cache"])
    byId(`memory-${section}`, HTMLElement).hidden = section !== shownSection;
}

/** Reads the statistics of the namespace that is shown, after a change too. */
function refreshStats() {
  const isNewest = beginStats();
  const namespace = shown;
  if (namespace === null || !mayLook()) return;
  if (counted !== namespace) fill(stats, loadingNotice("Counting…"));
  counted = namespace;
  call(namespacePath(namespace, "stats")).then(
    (reply) => {
      if (isNewest()) showStats(reply, namespace);
    },
    (error) => {
      if (!isNewest()) return;
      counted = null;
      fill(stats, errorNotice(error, refreshStats));
    },
  );
}

/** @param {Stats} reply
 *  @param {string} namespace */
function showStats(reply, namespace) {
  const options = session.namespaces.find(({ name }) => name === namespace);
  /** @type {[string, string][]} */
  const facts = [
    ["Documents", count(reply.documents)],
    ["Passages", count(reply.passages)],
    ["Terms", count(reply.terms)],
    ["Mean length", `${short(reply.avgdl)} terms`],
    ["On disk", bytes(reply.sqlite_bytes)],
    ["In memory", bytes(reply.resident_bytes)],
  ];
  if (options) facts.push(["BM25", `per ${options.bm25_unit}, k1 ${options.k1}, b ${options.b}`]);
  fill(stats, factList(facts));
  showWork(reply);
}

async function create() {
  const name = formName.value.trim();
  fill(outcome, loadingNotice("Creating…"));
  try {
    const body = { bm25_unit: formUnit.value };
    await call(namespacePath(name), { method: "PUT", body });
    await refreshNamespaces();
    formName.value = "";
    newNamespace.open = false;
    if (!view.hidden) {
      shown = name; // so that going there leaves the outcome on show
      location.hash = memoryHash(name, "add");
    }
    fill(outcome, doneNotice(`${name} is there.`));
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}

async function remove() {
  const name = shown;
  if (name === null) return;
  const go = await confirmed({
    title: `Delete ${name}?`,
    text: "The namespace goes with all its documents. This cannot be undone.",
    action: "Delete namespace",
    mustType: name,
  });
  if (!go) return;
  fill(outcome, loadingNotice("Deleting…"));
  try {
    await call(namespacePath(name), { method: "DELETE" });
    if (shown === name) {
      shown = null;
      if (!view.hidden) location.hash = "#/memory";
    }
    await refreshNamespaces();
    fill(outcome, doneNotice(`${name} is deleted.`));
  } catch (error) {
    fill(outcome, errorNotice(error));
  }
}
