/** A request's stages on a time line: a table, so that it can be read aloud, whose last column is
 *  drawn. */
import { el } from "./dom.js";
import { short } from "./format.js";

/** @typedef {import("./types.js").Trace} Trace
 *  @typedef {import("./types.js").Span} Span */

const DEPTH_MAX = 6;

/** @param {Trace} trace */
export function waterfall(trace) {
  const { spans, duration_ms, spans_dropped } = trace;
  const ends = spans.map(({ start_ms, duration_ms: ms }) => start_ms + ms);
  const totalMs = Math.max(duration_ms, ...ends, 0.01);
  const whole = { name: "request", start_ms: 0, duration_ms, error: null, attributes: {} };
  const rows = [{ span: whole, depth: 0 }, ...inOrder(spans)].map(({ span, depth }) =>
    makeRow(span, depth, totalMs),
  );
  const heads = ["Stage", "Start", "Took"].map((name) => el("th", { scope: "col" }, name));
  const axis = el("th", { scope: "col", class: "lane-head" }, ...makeAxis(totalMs));
  const table = el(
    "table",
    { class: "waterfall" },
    el("caption", {}, "Milliseconds, from when the request came"),
    el("thead", {}, el("tr", {}, ...heads, axis)),
    el("tbody", {}, ...rows),
  );
  const more =
    spans_dropped === 0
      ? null
      : el("p", { class: "faint" }, `And ${spans_dropped} more that were not kept.`);
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": "Time line" };
  return el("div", {}, el("div", region, table), more);
}

/** The ends of the time line; the columns beside it say the same in numbers.
 * @param {number} totalMs */
function makeAxis(totalMs) {
  return [
    el("span", { class: "unseen" }, "Time line"),
    el("span", { "aria-hidden": "true" }, "0"),
    el("span", { "aria-hidden": "true" }, `${tenths(totalMs)} ms`),
  ];
}

/** Every span once, below its parent, in the order in which they began; one whose parent is not
 *  there stands at the top.
 * @param {Span[]} spans
 * @returns {{ span: Span, depth: number }[]} */
export function inOrder(spans) {
  const ids = new Set(spans.map(({ span_id }) => span_id));
  /** @type {Map<string | null, Span[]>} */
  const under = new Map();
  for (const span of spans) {
    const parent = span.parent_id !== null && ids.has(span.parent_id) ? span.parent_id : null;
    under.set(parent, [...(under.get(parent) ?? []), span]);
  }
  /** @type {{ span: Span, depth: number }[]} */
  const rows = [];
  /** @param {string | null} parent
   *  @param {number} depth */
  const visit = (parent, depth) => {
    const children = under.get(parent) ?? [];
    under.delete(parent); // a circle, which no service makes, ends here
    for (const span of children) {
      rows.push({ span, depth });
      visit(span.span_id, depth + 1);
    }
  };
  visit(null, 1);
  return rows;
}

/** @param {Omit<Span, "span_id" | "parent_id">} span
 *  @param {number} depth
 *  @param {number} totalMs */
function makeRow({ name, start_ms, duration_ms, error, attributes }, depth, totalMs) {
  const lane = el("span", { class: error === null ? "lane" : "lane hard", "aria-hidden": "true" });
  const stretch = el("span", { class: depth === 0 ? "quiet" : null });
  // Widths go through CSSOM: the policy forbids style attributes.
  stretch.style.left = `${(100 * start_ms) / totalMs}%`;
  stretch.style.width = `${(100 * duration_ms) / totalMs}%`;
  lane.append(stretch);
  const details = Object.entries(attributes).map(([key, value]) => `${key} ${value}`);
  return el(
    "tr",
    {},
    el(
      "th",
      { scope: "row", class: `depth-${Math.min(depth, DEPTH_MAX)}` },
      el("span", {}, name),
      error === null ? null : el("code", { class: "fault" }, error),
      details.length === 0 ? null : el("span", { class: "faint under" }, details.join(", ")),
    ),
    el("td", { class: "number" }, tenths(start_ms)),
    el("td", { class: "number" }, tenths(duration_ms)),
    el("td", { class: "lane-cell" }, lane),
  );
}

/** @param {number} ms */
function tenths(ms) {
  return short(Math.round(ms * 10) / 10);
}
