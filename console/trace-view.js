/** One request: what was decided and why, its stages on a time line, its passages and texts. */
import { call } from "./api.js";
import { barList, difficultyMeter, factList } from "./bars.js";
import { byId, el, fill, newestOnly } from "./dom.js";
import { count, fixed, instant, milliseconds, passageMark, signed, usd } from "./format.js";
import { errorNotice, loadingNotice } from "./notice.js";
import { memoryHash, tracesHash } from "./routes.js";
import { scrolling } from "./scrolling.js";
import { waterfall } from "./waterfall.js";

/** @typedef {import("./types.js").Trace} Trace */

const CONTRIBUTIONS_SHOWN = 8;

const view = byId("trace", HTMLElement);
const beginRead = newestOnly();

export function hideTrace() {
  beginRead();
  view.hidden = true;
  fill(view);
}

/** @param {string} id
 *  @param {string} all the hash of the list that it is from */
export function showTrace(id, all) {
  const isNewest = beginRead();
  view.hidden = false;
  const back = el("a", { href: all }, "All traces");
  fill(view, el("p", {}, "← ", back), loadingNotice("Reading the trace…"));
  call(`/admin/traces/${encodeURIComponent(id)}`).then(
    (trace) => {
      if (isNewest()) fill(view, el("p", {}, "← ", back), ...describe(trace));
    },
    (error) => {
      const retry = () => showTrace(id, all);
      if (isNewest()) fill(view, el("p", {}, "← ", back), errorNotice(error, retry));
    },
  );
}

/** @param {Trace} trace */
function describe(trace) {
  return [
    describeRequest(trace),
    describeDecision(trace),
    el("section", { class: "card" }, el("h3", {}, "Stages"), waterfall(trace)),
    describePassages(trace),
    describeTexts(trace),
  ];
}

/** @param {Trace} trace */
function describeRequest(trace) {
  const { trace_id, endpoint, status, error, at, duration_ms, key, namespace, parent } = trace;
  const failed = status >= 400 || error !== null;
  /** @type {[string, string | Node | null][]} */
  const facts = [
    ["Status", error === null ? String(status) : `${status} ${error}`],
    ["When", instant(at)],
    ["Took", milliseconds(Math.round(duration_ms))],
    ["First token", trace.first_token_ms === null ? null : milliseconds(trace.first_token_ms)],
    ["Key", el("a", { href: tracesHash({ key }) }, key)],
    ["Namespace", namespace],
    ["Asked for", trace.asked],
    ["Cache", trace.cache],
    ["Tokens", trace.tokens && `${count(trace.tokens.prompt)} + ${count(trace.tokens.completion)}`],
    ["Cost", trace.cost_micro_usd === null ? null : `USD ${usd(trace.cost_micro_usd)}`],
    ["Caller's trace", parent?.trace_id ?? null],
  ];
  const known = facts.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
  return el(
    "section",
    { class: failed ? "card failed-request" : "card" },
    el("h3", {}, endpoint),
    el("p", { class: "faint" }, "trace ", el("code", {}, trace_id)),
    factList(/** @type {[string, string | Node][]} */ (known)),
  );
}

/** @param {Trace} trace */
function describeDecision({ route, engine, model, difficulty, decision }) {
  if (engine === null && decision === null) return null;
  const name = model === null || model === engine ? engine : `${engine} (${model})`;
  const badges = [
    route === null ? null : el("span", { class: `badge ${route}` }, route),
    decision?.wanted ? el("span", { class: "badge wanted" }, "backend was wanted") : null,
    name === null ? null : el("span", { class: "faint" }, name),
  ];
  const shown = badges.filter((badge) => badge !== null);
  const scored = decision !== null && difficulty !== null;
  return el(
    "section",
    { class: "card" },
    el("h3", {}, "Decision"),
    shown.length === 0 ? null : el("div", { class: "badges" }, ...shown),
    decision === null ? null : el("p", {}, decision.reason),
    scored ? difficultyMeter(difficulty, decision.threshold) : null,
    decision === null ? null : describeScores(decision),
    decision?.contributions ? describeContributions(decision.contributions) : null,
  );
}

/** @param {NonNullable<Trace["decision"]>} decision */
function describeScores({ difficulty_before, difficulty_prior, weights_version }) {
  /** @type {[string, string][]} */
  const facts = weights_version === "" ? [] : [["Weights", weights_version]];
  if (difficulty_before !== null) facts.push(["Before reading", fixed(difficulty_before)]);
  if (difficulty_prior !== null) facts.push(["By the prompt alone", fixed(difficulty_prior)]);
  return facts.length === 0 ? null : factList(facts);
}

/** The strongest are shown, the others folded away.
 * @param {Record<string, number>} contributions */
function describeContributions(contributions) {
  const sorted = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const largest = Math.abs(sorted[0]?.[1] ?? 0) || 1;
  const rows = sorted.map(([name, value]) => ({
    name: name.replaceAll("_", " "),
    value: signed(value),
    share: Math.abs(value) / largest,
    kind: value > 0 ? "hard" : "",
  }));
  const rest = rows.slice(CONTRIBUTIONS_SHOWN);
  return el(
    "div",
    { class: "stack" },
    el("h4", {}, "What the difficulty is made of"),
    el(
      "p",
      { class: "faint" },
      "In logits: what is above 0 makes the question harder, what is below 0 easier.",
    ),
    barList(rows.slice(0, CONTRIBUTIONS_SHOWN)),
    rest.length === 0
      ? null
      : el("details", {}, el("summary", {}, `${rest.length} weaker ones`), barList(rest)),
  );
}

/** @param {Trace} trace */
function describePassages({ passages, notes, namespace }) {
  if (passages.length === 0 && notes.length === 0) return null;
  const items = passages.map(({ document_id, passage_id }) =>
    el(
      "li",
      {},
      namespace === null
        ? document_id
        : el("a", { href: memoryHash(namespace, "document", document_id) }, document_id),
      " ",
      el("span", { class: "faint" }, `passage ${passageMark(passage_id, document_id)}`),
    ),
  );
  const noteItems = notes.map((id) => el("li", {}, "note ", el("code", {}, id)));
  return el(
    "section",
    { class: "card" },
    el("h3", {}, "What was found, best first"),
    el("ol", { class: "found" }, ...noteItems, ...items),
  );
}

/** @param {Trace} trace */
function describeTexts({ texts }) {
  if (texts === null) return null;
  return el(
    "section",
    { class: "card" },
    el("h3", {}, "Texts, redacted"),
    el("h4", {}, "Question"),
    scrolling(el("div", { class: "text" }, texts.question), "Question"),
    el("h4", {}, "Answer"),
    scrolling(el("div", { class: "text" }, texts.answer), "Answer"),
  );
}
