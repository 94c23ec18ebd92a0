/** One question with its answer as it comes in, then with what `brink` says about it. */
import { bar, barList, difficultyMeter } from "./bars.js";
import { passageDetails } from "./citation-passage.js";
import { el, fill } from "./dom.js";
import { cutAt, fixed, logShare, milliseconds, short } from "./format.js";
import { errorNotice } from "./notice.js";
import { ratingOf } from "./rating.js";
import { memoryHash, traceHash } from "./routes.js";
import { mayLook } from "./session.js";

/** @typedef {import("./types.js").BrinkReport} BrinkReport
 *  @typedef {import("./types.js").Citation} Citation */

/** @typedef {object} Finished
 * @property {BrinkReport | null} brink
 * @property {string | null} trace
 * @property {number} totalMs As the browser saw it.
 * @property {number | null} threshold */

export class AnswerCard {
  #text = "";
  #answer = el("p", { class: "answer", "aria-live": "polite", "aria-busy": "true" });
  #badges = el("div", { class: "badges" });
  #rest = el("div", {});
  /** @type {string | null} */
  #namespace;

  /** @param {string} question
   *  @param {string | null} namespace where cited documents are; null: the key's default */
  constructor(question, namespace) {
    this.#namespace = namespace;
    this.#answer.classList.add("streaming");
    this.element = el(
      "article",
      { class: "card exchange" },
      el("h3", {}, question),
      this.#badges,
      this.#answer,
      this.#rest,
    );
  }

  /** What came so far. */
  get text() {
    return this.#text;
  }

  /** @param {string} piece */
  addText(piece) {
    this.#text += piece;
    this.#answer.textContent = this.#text;
  }

  /** @param {Finished} finished */
  finish({ brink, trace, totalMs, threshold }) {
    this.#end();
    if (this.#text === "") this.#answer.textContent = "The answer is empty.";
    if (brink === null) return;
    fill(this.#badges, ...makeBadges(brink));
    fill(
      this.#rest,
      brink.difficulty === null ? null : difficultyMeter(brink.difficulty, threshold),
      el("p", { class: "reason" }, el("strong", {}, "Reason: "), brink.reason),
      makeCitations(brink, this.#namespace),
      makeTimings(brink, totalMs),
      makeFeatures(brink),
      trace === null ? null : ratingOf(trace, this.#namespace),
      trace === null ? null : describeTrace(trace),
    );
  }

  stop() {
    this.#end();
    if (this.#text === "") this.#answer.hidden = true;
    fill(this.#rest, el("p", { class: "notice", role: "status" }, "Stopped."));
  }

  /** @param {unknown} error */
  fail(error) {
    this.#end();
    if (this.#text === "") this.#answer.hidden = true;
    fill(this.#rest, errorNotice(error));
  }

  #end() {
    this.#answer.setAttribute("aria-busy", "false");
    this.#answer.classList.remove("streaming");
  }
}

/** A link for those who may see it.
 * @param {string} trace */
function describeTrace(trace) {
  const id = el("code", {}, trace);
  const shown = mayLook() ? el("a", { href: traceHash(trace) }, id) : id;
  return el("p", { class: "faint" }, "trace ", shown);
}

/** @param {BrinkReport} brink */
function makeBadges({ route, wanted, engine, difficulty }) {
  return [
    el("span", { class: `badge ${route}` }, route === "edge" ? "edge" : "backend"),
    wanted ? el("span", { class: "badge wanted" }, `${wanted} was wanted`) : null,
    difficulty === null
      ? null
      : el("span", { class: "badge difficulty-badge" }, `difficulty ${fixed(difficulty, 2)}`),
    el("span", { class: "faint" }, engine),
  ];
}

/** Each under the number of its [n] in the text.
 * @param {BrinkReport} brink
 * @param {string | null} namespace */
function makeCitations({ citations, answer }, namespace) {
  if (citations.length === 0) return el("p", { class: "faint" }, "No citations.");
  const items = citations.map((citation) => makeCitation(citation, answer, namespace));
  return el("div", {}, el("h4", {}, "Citations"), el("ol", { class: "citations" }, ...items));
}

/** The quote with the answer marked in it, or marked as a whole.
 * @param {Citation} citation
 * @param {string | null} answer
 * @param {string | null} namespace */
function makeCitation(citation, answer, namespace) {
  const { mark, document_id, title, quote, score, note } = citation;
  const [before, marked, after] = cutAt(quote, answer) ?? ["", quote, ""];
  const name = note ? `note: ${title}` : (title ?? document_id);
  return el(
    "li",
    {},
    el("blockquote", { "data-mark": String(mark) }, before, el("mark", {}, marked), after),
    el(
      "p",
      { class: "faint source" },
      linkTo(citation, name, namespace),
      note || title === null ? null : el("code", {}, document_id),
      el("span", {}, `score ${short(score)}`),
    ),
    note ? null : passageDetails(citation, namespace),
  );
}

/** To the document or the notes, for those who may see them.
 * @param {Citation} citation
 * @param {string} name
 * @param {string | null} namespace */
function linkTo({ document_id, quote, note }, name, namespace) {
  if (namespace === null || !mayLook()) return el("span", {}, name);
  const href = note
    ? memoryHash(namespace, "notes")
    : memoryHash(namespace, "document", document_id, quote);
  return el("a", { href }, name);
}

/** @param {BrinkReport} brink
 *  @param {number} totalMs */
function makeTimings({ timings_ms }, totalMs) {
  const rows = Object.entries(timings_ms).map(([stage, ms]) => ({
    name: stage.replaceAll("_", " "),
    value: milliseconds(ms),
    share: ms / totalMs,
  }));
  const total = milliseconds(Math.round(totalMs));
  const whole = { name: "seen from here", value: total, share: 1, kind: "quiet" };
  return el("details", {}, el("summary", {}, `Timings: ${total}`), barList([...rows, whole]));
}

/** @param {BrinkReport} brink */
function makeFeatures({ features }) {
  if (features === undefined) return null;
  const rows = Object.entries(features).map(([name, value]) => ({
    name: name.replaceAll("_", " "),
    value: short(value),
    share: logShare(value),
    kind: value < 0 ? "negative" : "",
  }));
  return el(
    "details",
    {},
    el("summary", {}, `Features: the ${rows.length} numbers behind the difficulty`),
    barList(rows),
    el("p", { class: "faint" }, "Bars are logarithmic. ", bar(0.5, "negative sample"), " below 0."),
  );
}
