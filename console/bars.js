/** Small charts made of elements, so that they scale, follow the colours and can be read aloud. */
import { el } from "./dom.js";
import { fixed } from "./format.js";

/** A bar that is `share` full, 0..1. It only repeats a number that stands beside it, so screen
 *  readers pass over it. Widths go through CSSOM: the policy forbids style attributes.
 * @param {number} share
 * @param {string} [kind] a class */
export function bar(share, kind = "") {
  const inner = el("span", {});
  inner.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return el("span", { class: `bar ${kind}`, "aria-hidden": "true" }, inner);
}

/** Names, numbers and bars in a list.
 * @param {{ name: string, value: string, share: number, kind?: string }[]} rows */
export function barList(rows) {
  const items = rows.map(({ name, value, share, kind }) =>
    el(
      "li",
      {},
      el("span", { class: "bar-name" }, name),
      bar(share, kind),
      el("span", { class: "bar-value" }, value),
    ),
  );
  return el("ul", { class: "bars" }, ...items);
}

/** Difficulty from 0 to 1 with the threshold marked, where it is known.
 * @param {number} difficulty
 * @param {number | null} threshold below 0: the edge keeps nothing */
export function difficultyMeter(difficulty, threshold) {
  const hard = threshold !== null && difficulty > threshold;
  const track = el("div", {
    class: "meter",
    role: "meter",
    "aria-label": "Difficulty",
    "aria-valuemin": 0,
    "aria-valuemax": 1,
    "aria-valuenow": difficulty,
  });
  track.append(bar(difficulty, hard ? "hard" : ""));
  if (threshold !== null && threshold >= 0) {
    const mark = el("span", { class: "meter-mark", "aria-hidden": "true" });
    mark.style.left = `${100 * Math.min(1, threshold)}%`;
    track.append(mark);
  }
  const legend = el(
    "p",
    { class: "meter-legend" },
    "Difficulty ",
    el("strong", {}, fixed(difficulty)),
    threshold === null ? null : ` · threshold ${describeThreshold(threshold)}`,
  );
  return el("div", { class: "difficulty" }, track, legend);
}

/** @param {number} threshold */
export function describeThreshold(threshold) {
  return threshold < 0 ? "none (no answer is kept at the edge)" : fixed(threshold);
}

/** Short facts beside each other, each under its name.
 * @param {[name: string, value: string | Node][]} facts */
export function factList(facts) {
  const items = facts.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value)),
  );
  return el("dl", { class: "facts" }, ...items);
}
