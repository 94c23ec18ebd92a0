/** Plots as SVG made of elements: they scale, follow the page's colours through classes, and say
 *  what they show to a screen reader; the numbers stand in a table below. */
import { el } from "./dom.js";

const WIDTH = 400;
const HEIGHT = 270;
const LEFT = 64;
const RIGHT = 18;
const TOP = 14;
const BOTTOM = 46;

/** @typedef {object} Axis
 * @property {string} label
 * @property {number} min
 * @property {number} max
 * @property {(value: number) => string} show
 *
 * @typedef {{ x: number, y: number }} Point
 *
 * @typedef {object} Plot Where values are on the drawing.
 * @property {(value: number) => number} x
 * @property {(value: number) => number} y
 * @property {[Axis, Axis]} axes
 *
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} says What one sees, in a sentence.
 * @property {[Axis, Axis]} axes
 * @property {(plot: Plot) => (SVGElement | null)[]} draw
 * @property {{ kind: string, name: string }[]} legend
 * @property {string[]} head Of the table.
 * @property {string[][]} rows */

/** @param {string} tag
 *  @param {Record<string, string | number>} attributes
 *  @param {...(Node | string)} children
 *  @returns {SVGElement} */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A drawing with its legend and the table behind it.
 * @param {Chart} chart */
export function makeChart({ title, says, axes, draw, legend, head, rows }) {
  const names = legend.map(({ kind, name }) =>
    el("li", {}, el("span", { class: `key-mark ${kind}`, "aria-hidden": "true" }), name),
  );
  const headRow = el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)));
  const body = rows.map((row) => el("tr", {}, ...row.map((text) => el("td", {}, text))));
  const table = el("table", {}, el("thead", {}, headRow), el("tbody", {}, ...body));
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": `${title}, table` };
  return el(
    "figure",
    { class: "card chart" },
    el("figcaption", {}, el("strong", {}, title), el("p", { class: "faint" }, says)),
    drawPlot(title, axes, draw),
    el("ul", { class: "legend" }, ...names),
    el("details", {}, el("summary", {}, "As a table"), el("div", region, table)),
  );
}

/** @param {string} title
 *  @param {[Axis, Axis]} axes
 *  @param {Chart["draw"]} draw */
function drawPlot(title, axes, draw) {
  const [x, y] = axes;
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  /** @type {Plot} */
  const plot = {
    x: (value) => LEFT + ((value - x.min) / (x.max - x.min)) * (right - LEFT),
    y: (value) => bottom - ((value - y.min) / (y.max - y.min)) * (bottom - TOP),
    axes,
  };
  const rows = ticksOf(y.min, y.max).flatMap((tick) => {
    const at = px(plot.y(tick));
    return [
      svg("line", { class: "grid", x1: LEFT, x2: right, y1: at, y2: at }),
      svg("text", { x: LEFT - 7, y: at, dy: ".35em", "text-anchor": "end" }, y.show(tick)),
    ];
  });
  const columns = ticksOf(x.min, x.max).map((tick) => {
    const place = { x: px(plot.x(tick)), y: bottom + 18, "text-anchor": "middle" };
    return svg("text", place, x.show(tick));
  });
  const middle = { x: (LEFT + right) / 2, y: HEIGHT - 8, "text-anchor": "middle" };
  const turned = `translate(13 ${(TOP + bottom) / 2}) rotate(-90)`;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title },
    ...rows,
    ...columns,
    svg("line", { class: "axis", x1: LEFT, x2: right, y1: bottom, y2: bottom }),
    svg("text", middle, x.label),
    svg("text", { transform: turned, "text-anchor": "middle" }, y.label),
    ...draw(plot).filter((mark) => mark !== null),
  );
}

/** @param {Plot} plot
 *  @param {Point[]} points
 *  @param {string} kind a class */
export function line({ x, y }, points, kind) {
  const path = points.map((point) => `${px(x(point.x))} ${px(y(point.y))}`).join(" L");
  return points.length < 2 ? null : svg("path", { class: `line ${kind}`, d: `M${path}` });
}

/** The area between two lines over the same x.
 * @param {Plot} plot
 * @param {{ x: number, low: number, high: number }[]} points
 * @param {string} kind */
export function band({ x, y }, points, kind) {
  const upper = points.map((point) => `${px(x(point.x))} ${px(y(point.high))}`);
  const lower = points.map((point) => `${px(x(point.x))} ${px(y(point.low))}`).reverse();
  if (points.length < 2) return null;
  return svg("path", { class: `band ${kind}`, d: `M${[...upper, ...lower].join(" L")}Z` });
}

/** A dot, whose bar is its interval where it has one.
 * @param {Plot} plot
 * @param {Point & { low?: number, high?: number }} point
 * @param {string} kind */
export function dot({ x, y }, point, kind) {
  const at = px(x(point.x));
  const circle = svg("circle", { class: `dot ${kind}`, cx: at, cy: px(y(point.y)), r: 4.5 });
  if (point.low === undefined || point.high === undefined) return circle;
  const ends = { x1: at, x2: at, y1: px(y(point.low)), y2: px(y(point.high)) };
  return svg("g", {}, svg("line", { class: `line ${kind}`, ...ends }), circle);
}

/** A column from one x to another and one y to another.
 * @param {Plot} plot
 * @param {{ from: number, to: number, low: number, high: number }} column
 * @param {string} kind */
export function column({ x, y }, { from, to, low, high }, kind) {
  const [left, right] = [x(from) + 0.7, x(to) - 0.7];
  return svg("rect", {
    class: `column ${kind}`,
    x: px(left),
    y: px(y(high)),
    width: px(Math.max(0, right - left)),
    height: px(Math.max(0, y(low) - y(high))),
  });
}

/** A line across the plot at one x, with its name at the top, on the side where there is room.
 * @param {Plot} plot
 * @param {number} at
 * @param {string} name
 * @param {string} kind
 * @param {number} [row] names below each other do not meet */
export function upright({ x, y, axes }, at, name, kind, row = 0) {
  const [{ min, max }, vertical] = axes;
  const place = px(x(at));
  const left = at < (min + max) / 2;
  const text = {
    class: "mark-name",
    x: place + (left ? 5 : -5),
    y: px(y(vertical.max)) + 11 + 15 * row,
    "text-anchor": left ? "start" : "end",
  };
  const ends = { x1: place, x2: place, y1: px(y(vertical.max)), y2: px(y(vertical.min)) };
  return svg("g", {}, svg("line", { class: `mark ${kind}`, ...ends }), svg("text", text, name));
}

/** A line across the plot at one y.
 * @param {Plot} plot
 * @param {number} at
 * @param {string} kind */
export function across({ x, y, axes }, at, kind) {
  const ends = { x1: px(x(axes[0].min)), x2: px(x(axes[0].max)), y1: px(y(at)), y2: px(y(at)) };
  return svg("line", { class: `mark ${kind}`, ...ends });
}

/** @param {number} value */
function px(value) {
  return Math.round(value * 10) / 10;
}

/** About five round numbers from `min` to `max`.
 * @param {number} min
 * @param {number} max */
export function ticksOf(min, max) {
  const rough = (max - min) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((unit) => unit * power >= rough * (1 - 1e-9)) ?? 10) * power;
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}
