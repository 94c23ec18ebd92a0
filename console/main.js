/** The frame: which view is shown, the key, and the note while the service starts. */
import { events } from "./api.js";
import { startAskView } from "./ask-view.js";
import { byId } from "./dom.js";
import { showKeys, startKeysView } from "./keys-view.js";
import { sectionOf, showMemory, startMemoryView } from "./memory-view.js";
import { showRouter, startRouterView } from "./router-view.js";
import { parseRoute } from "./routes.js";
import {
  changeKey,
  isLocal,
  mayLook,
  openSession,
  refreshNamespaces,
  session,
  watchSession,
} from "./session.js";
import { showTraces, startTracesView } from "./traces-view.js";

const keyForm = byId("key-form", HTMLFormElement);
const keyInput = byId("key", HTMLInputElement);
const keyShow = byId("key-show", HTMLButtonElement);
const keyStatus = byId("key-status", HTMLElement);
const starting = byId("starting", HTMLElement);
const content = byId("content", HTMLElement);

const TITLES = { ask: "Ask", memory: "Memory", router: "Router", traces: "Traces", keys: "Keys" };

/** @type {string | null} */
let shownView = null;

/** @param {boolean} moveFocus whether the user went here, rather than the page loading here */
function showRoute(moveFocus) {
  const route = parseRoute(location.hash);
  for (const view of Object.keys(TITLES)) byId(view, HTMLElement).hidden = view !== route.view;
  for (const link of document.querySelectorAll("[data-view]"))
    if (link.getAttribute("data-view") === route.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.title = `${TITLES[route.view]} · Brink console`;
  if (route.view === "memory") showMemory(route);
  if (route.view === "router") showRouter();
  if (route.view === "traces") showTraces(route.id, route.filter);
  if (route.view === "keys") void showKeys();
  if (shownView !== route.view) {
    scrollTo(0, 0);
    if (mayLook()) void refreshNamespaces().catch(() => {}); // the view tells of what fails
  }
  shownView = route.view;
  if (moveFocus) focusTarget(route).focus({ preventScroll: true });
}

/** Where the keyboard goes on from: the part of the page that is new.
 * @param {import("./routes.js").Route} route */
function focusTarget(route) {
  if (route.view !== "memory" || byId("memory-current", HTMLElement).hidden) return content;
  return byId(`memory-${sectionOf(route.section, route.id)}`, HTMLElement);
}

function describeKey() {
  switch (session.role) {
    case "checking":
      return "Checking the key…";
    case "none":
      return "Enter a key to begin. It is kept until this tab is closed.";
    case "refused":
      return "The service refuses this key.";
    case "failed":
      return "The key could not be checked.";
    case "inference":
      return "Inference key: may ask and search.";
    case "reader":
      return session.asks
        ? "Reading key: may look, ask and search, not change."
        : "Reading key: may look, not change or ask.";
    case "admin":
      return isLocal && session.key === "brink-admin"
        ? "brink-admin, the local admin key: works on this machine only."
        : "Admin key.";
  }
}

function startKeyForm() {
  keyForm.addEventListener("submit", (event) => {
    event.preventDefault();
    void changeKey(keyInput.value.trim());
  });
  keyShow.addEventListener("click", () => {
    const shown = keyInput.type === "text";
    keyInput.type = shown ? "password" : "text";
    keyShow.textContent = shown ? "Show" : "Hide";
    keyShow.setAttribute("aria-pressed", String(!shown));
  });
  let shownKey = "";
  watchSession(() => {
    if (session.key !== shownKey) keyInput.value = session.key;
    shownKey = session.key;
    keyStatus.textContent = describeKey();
    keyForm.dataset.role = session.role;
  });
}

events.addEventListener("starting", (event) => {
  starting.hidden = false;
  const detail = event instanceof CustomEvent ? event.detail : "";
  const text = `The service is starting: ${detail}. Trying again every second.`;
  if (starting.textContent !== text) starting.textContent = text; // each time would be read aloud
});
events.addEventListener("started", () => {
  starting.hidden = true;
});

events.addEventListener("refused", () => {
  keyStatus.textContent = "The service refuses this key.";
  keyForm.dataset.role = "refused";
});

addEventListener("hashchange", () => showRoute(true));
byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault(); // the hash names the view, so it may not change
  content.focus();
});

startKeyForm();
startAskView();
startMemoryView();
startRouterView();
startTracesView();
startKeysView();
showRoute(false);
byId("unstarted", HTMLElement).remove(); // which is what shows where this was not reached
void openSession();
