/** A citation's passage, looked up when it is asked for, with the quote marked in it. */
import { call } from "./api.js";
import { el, fill } from "./dom.js";
import { cutAt } from "./format.js";
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { scrolling } from "./scrolling.js";

/** @typedef {import("./types.js").Citation} Citation
 *  @typedef {import("./types.js").Hit} Hit */

/** A quote finds its own passage; so many hits leave room for others that hold the same words. */
const HITS = 20;
const QUERY_CHARS = 1_000;
const NOT_FOUND =
  "The passage was not found again: it was changed since, or many others hold the same words.";

/** @param {Citation} citation
 *  @param {string | null} namespace null: the key's default */
export function passageDetails(citation, namespace) {
  const place = el("div", {});
  let asked = false;
  const details = el("details", {}, el("summary", {}, "In its passage"), place);
  details.addEventListener("toggle", () => {
    if (!details.open || asked) return;
    asked = true;
    void show(citation, namespace, place);
  });
  return details;
}

/** @param {Citation} citation
 *  @param {string | null} namespace
 *  @param {Element} place */
async function show(citation, namespace, place) {
  const { quote, passage_id } = citation;
  fill(place, loadingNotice("Reading the passage…"));
  const named = namespace === null ? {} : { namespace };
  const body = { ...named, query: quote.slice(0, QUERY_CHARS).toWellFormed(), k: HITS };
  try {
    /** @type {{ hits: Hit[] }} */
    const { hits } = await call("/v1/memory/search", { method: "POST", body });
    const hit = hits.find((one) => one.passage_id === passage_id);
    const cut = hit === undefined ? null : cutAt(hit.text, quote);
    if (cut === null) return fill(place, emptyNotice(NOT_FOUND));
    const passage = el("div", { class: "text" }, cut[0], el("mark", {}, cut[1]), cut[2]);
    fill(place, scrolling(passage, `The passage of citation ${citation.mark}`));
    place.querySelector("mark")?.scrollIntoView({ block: "nearest" });
  } catch (error) {
    fill(
      place,
      errorNotice(error, () => void show(citation, namespace, place)),
    );
  }
}
