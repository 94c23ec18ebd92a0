/** The Ask view: the form, and the questions of this page, newest first. */
import { AnswerCard } from "./answer-card.js";
import { call, streamChat } from "./api.js";
import { offerModels } from "./ask-models.js";
import { byId, el, fill, showRunning } from "./dom.js";
import { emptyNotice } from "./notice.js";
import { defaultNamespace, mayChange, mayLook, session, watchSession } from "./session.js";
import { keepUnsaved } from "./unsaved.js";

const form = byId("ask-form", HTMLFormElement);
const question = byId("question", HTMLTextAreaElement);
const model = byId("ask-model", HTMLSelectElement);
const namespace = byId("ask-namespace", HTMLSelectElement);
const otherLabel = byId("ask-other-label", HTMLElement);
const other = byId("ask-other", HTMLInputElement);
const send = byId("ask-send", HTMLButtonElement);
const stop = byId("ask-stop", HTMLButtonElement);
const absence = byId("ask-absence", HTMLElement);
const empty = byId("ask-empty", HTMLElement);
const emptyText = byId("ask-empty-text", HTMLElement);
const examples = byId("ask-examples", HTMLElement);
const history = byId("ask-history", HTMLElement);
const follow = byId("ask-follow", HTMLInputElement);
const followLabel = byId("ask-follow-label", HTMLElement);

/** About Brink's own documentation, which `npm start` loads: easy, unanswerable, hard. */
const EXAMPLES = [
  "How long does a revoked key go on working?",
  "Who won the 1998 football world cup final in Paris?",
  "Why might an operator prefer a risk target to a fixed threshold, all in all?",
];

/** Of a conversation that goes on; the service takes more, and a prompt has its bound too. */
const MESSAGES_MAX = 40;

// Namespaces begin with a letter or digit, so these can be none's name.
const DEFAULT = "*default";
const NONE = "*none";
const OTHER = "*other";

/** @type {AbortController | null} */
let running = null;
/** The conversation that the last answer ended. @type {{ role: string, content: string }[]} */
let conversation = [];
/** The key that it was had with. */
let ownKey = "";
/** What the user chose in the lists, which may be made anew at any time.
 * @type {string | null} */
let chosen = null;
let chosenModel = model.value;

export function startAskView() {
  keepUnsaved(() => question.value.trim() !== "");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void ask();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  stop.addEventListener("click", () => running?.abort());
  namespace.addEventListener("change", () => {
    chosen = namespace.value;
    showOther();
  });
  model.addEventListener("change", () => {
    chosenModel = model.value;
  });
  for (const text of EXAMPLES) {
    const use = () => {
      question.value = text;
      send.focus(); // the examples go once something was asked
      form.requestSubmit();
    };
    examples.append(el("li", {}, el("button", { type: "button", onclick: use }, text)));
  }
  watchSession(() => {
    if (session.key !== ownKey) forget();
    form.hidden = !session.asks;
    empty.hidden = !session.asks || history.childElementCount > 0;
    describeEmpty();
    fill(absence, session.asks ? null : emptyNotice("This key may look, not ask."));
    offerModels(model, session.models, chosenModel);
    listNamespaces();
  });
}

/** The examples are about the documentation, which is where `npm start` put it. */
function describeEmpty() {
  const hasExamples = defaultNamespace() !== null;
  examples.hidden = !hasExamples;
  const isBare = mayChange() && session.namespaces.length === 0;
  const add = el("a", { href: "#/memory" }, "Put documents into it");
  fill(
    emptyText,
    `Nothing asked yet in this page.${hasExamples ? " Try one of these:" : ""}`,
    ...(isBare ? [" The memory is empty: answers come from its documents. ", add, "."] : []),
  );
}

/** Nothing of one key's may be seen, or sent on, with the next. */
function forget() {
  ownKey = session.key;
  running?.abort();
  fill(history);
  setConversation([]);
}

/** @param {typeof conversation} messages */
function setConversation(messages) {
  conversation = messages.slice(-MESSAGES_MAX);
  followLabel.hidden = conversation.length === 0;
  if (conversation.length === 0) follow.checked = false;
}

function listNamespaces() {
  const byDefault = defaultNamespace();
  const first = session.namespaces[0]?.name;
  const fallback = byDefault === null && first !== undefined ? first : DEFAULT;
  const listed = session.namespaces.map(({ name }) => el("option", { value: name }, name));
  fill(
    namespace,
    el("option", { value: DEFAULT }, `the key's default${byDefault ? `: ${byDefault}` : ""}`),
    ...listed,
    session.role === "inference" ? el("option", { value: OTHER }, "another namespace") : null,
    el("option", { value: NONE }, "none"),
  );
  namespace.value = chosen ?? fallback;
  if (namespace.selectedIndex === -1) namespace.value = fallback;
  showOther();
}

function showOther() {
  otherLabel.hidden = namespace.value !== OTHER;
  other.required = namespace.value === OTHER;
}

/** What the request says of memory, and the namespace that citations are from, where known. */
function chosenMemory() {
  if (namespace.value === NONE) return { body: { memory: false }, name: null };
  if (namespace.value === DEFAULT) return { body: {}, name: defaultNamespace() };
  const name = namespace.value === OTHER ? other.value.trim() : namespace.value;
  return { body: { memory: { namespace: name } }, name };
}

async function ask() {
  const text = question.value.trim();
  if (text === "" || running !== null) return;
  const memory = chosenMemory();
  const card = new AnswerCard(text, memory.name);
  const key = session.key;
  const messages = [...(follow.checked ? conversation : []), { role: "user", content: text }];
  history.prepend(card.element);
  empty.hidden = true;
  running = new AbortController();
  offerStop(true);
  question.value = "";
  const readingThreshold = readThreshold();
  try {
    const request = {
      model: model.value,
      messages,
      explain: true,
      ...memory.body,
    };
    const startMs = performance.now();
    const { brink, trace } = await streamChat(request, running.signal, (piece) =>
      card.addText(piece),
    );
    const totalMs = performance.now() - startMs;
    if (key === ownKey && card.text !== "")
      setConversation([...messages, { role: "assistant", content: card.text }]);
    card.finish({ brink, trace, totalMs, threshold: await readingThreshold });
  } catch (error) {
    if (running.signal.aborted) card.stop();
    else card.fail(error);
    if (question.value === "") question.value = text;
  } finally {
    running = null;
    offerStop(false);
  }
}

/** @param {boolean} isRunning */
function offerStop(isRunning) {
  showRunning(send, stop, isRunning);
  for (const button of examples.querySelectorAll("button")) button.disabled = isRunning;
}

/** The router's threshold now; null where the key may not see it. */
async function readThreshold() {
  if (!mayLook()) return null;
  try {
    return (await call("/admin/router")).threshold;
  } catch {
    return null; // the answer stands without it
  }
}
