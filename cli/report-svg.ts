/** Plots as SVG, small enough to be read on a phone; colours are the page's classes. */

const WIDTH = 460;
const HEIGHT = 300;
const LEFT = 64;
const RIGHT = 24;
const TOP = 14;
const BOTTOM = 46;

export interface Axis {
  label: string;
  min: number;
  max: number;
  ticks: readonly number[];
  show: (value: number) => string;
}

export interface Point {
  x: number;
  y: number;
}

/** Where values are on the drawing. */
export interface Scales {
  x: (value: number) => number;
  y: (value: number) => number;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** A drawing of `marks` within two axes. `title` and `desc` are what a screen reader says. */
export function plot(
  id: string,
  { title, desc }: { title: string; desc: string },
  [x, y]: [Axis, Axis],
  marks: (scales: Scales) => string[],
): string {
  const scales: Scales = {
    x: (value) => LEFT + ((value - x.min) / (x.max - x.min)) * (WIDTH - LEFT - RIGHT),
    y: (value) => HEIGHT - BOTTOM - ((value - y.min) / (y.max - y.min)) * (HEIGHT - TOP - BOTTOM),
  };
  const [left, right, bottom] = [LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM];
  const grid = [
    ...y.ticks.map((tick) => {
      const at = px(scales.y(tick));
      return (
        `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>` +
        `<text class="tick" x="${left - 7}" y="${at}" dy=".35em" text-anchor="end">` +
        `${escapeHtml(y.show(tick))}</text>`
      );
    }),
    ...x.ticks.map((tick) => {
      const at = px(scales.x(tick));
      return (
        `<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/>` +
        `<text class="tick" x="${at}" y="${bottom + 17}" text-anchor="middle">` +
        `${escapeHtml(x.show(tick))}</text>`
      );
    }),
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text class="name" x="${(left + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">` +
      `${escapeHtml(x.label)}</text>`,
    `<text class="name" transform="translate(13 ${(TOP + bottom) / 2}) rotate(-90)" ` +
      `text-anchor="middle">${escapeHtml(y.label)}</text>`,
  ];
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `aria-labelledby="${id}-title ${id}-desc">` +
    `<title id="${id}-title">${escapeHtml(title)}</title>` +
    `<desc id="${id}-desc">${escapeHtml(desc)}</desc>` +
    `${[...grid, ...marks(scales)].join("\n")}</svg>`
  );
}

/** `kind` is a class of the page: a, b, c or muted, with dash or without. */
export function line({ x, y }: Scales, points: readonly Point[], kind: string): string {
  const path = points.map((point) => `${px(x(point.x))} ${px(y(point.y))}`).join(" L");
  return `<path class="line ${kind}" d="M${path}"/>`;
}

/** The area between two lines over the same x. */
export function band(
  { x, y }: Scales,
  points: readonly { x: number; low: number; high: number }[],
  kind: string,
): string {
  const upper = points.map((point) => `${px(x(point.x))} ${px(y(point.high))}`);
  const lower = points.map((point) => `${px(x(point.x))} ${px(y(point.low))}`).reverse();
  return `<path class="band ${kind}" d="M${[...upper, ...lower].join(" L")}Z"/>`;
}

/** A dot whose bar is its interval. */
export function dot(
  { x, y }: Scales,
  point: Point & { low: number; high: number },
  kind: string,
  radius = 4,
): string {
  const at = px(x(point.x));
  const [low, high] = [px(y(point.low)), px(y(point.high))];
  return (
    `<line class="whisker ${kind}" x1="${at}" x2="${at}" y1="${low}" y2="${high}"/>` +
    `<circle class="dot ${kind}" cx="${at}" cy="${px(y(point.y))}" r="${radius}"/>`
  );
}

export function box({ x, y }: Scales, from: Point, to: Point, kind: string): string {
  const [left, right] = [x(Math.min(from.x, to.x)), x(Math.max(from.x, to.x))];
  const [top, bottom] = [y(Math.max(from.y, to.y)), y(Math.min(from.y, to.y))];
  return (
    `<rect class="box ${kind}" x="${px(left)}" y="${px(top)}" ` +
    `width="${px(Math.max(0, right - left))}" height="${px(Math.max(0, bottom - top))}"/>`
  );
}

/** A line across the plot at one x, with its name beside it, at the top or at the foot, on the side
 *  where there is room. */
export function upright(
  { x, y }: Scales,
  at: number,
  axes: [Axis, Axis],
  name: string,
  foot = false,
): string {
  const [xAxis, yAxis] = axes;
  const place = px(x(at));
  const leftHalf = at < (xAxis.min + xAxis.max) / 2;
  const [top, bottom] = [px(y(yAxis.max)), px(y(yAxis.min))];
  return (
    `<line class="mark" x1="${place}" x2="${place}" y1="${top}" y2="${bottom}"/>` +
    text(
      place + (leftHalf ? 6 : -6),
      foot ? bottom - 9 : top + 11,
      name,
      leftHalf ? "start" : "end",
    )
  );
}

/** A line across the plot at one y, with its name above it at the left. */
export function across({ x, y }: Scales, at: number, axes: [Axis, Axis], name: string): string {
  const [{ min, max }] = axes;
  const place = px(y(at));
  return (
    `<line class="mark" x1="${px(x(min))}" x2="${px(x(max))}" y1="${place}" y2="${place}"/>` +
    text(px(x(min)) + 6, place - 6, name, "start")
  );
}

function text(x: number, y: number, words: string, anchor: "start" | "end"): string {
  const place = `x="${x}" y="${y}" text-anchor="${anchor}"`;
  return `<text class="label" ${place}>${escapeHtml(words)}</text>`;
}

function px(value: number): number {
  return Math.round(value * 10) / 10;
}

/** About `count` round numbers from `min` to `max`. */
export function ticksOf(min: number, max: number, count: number): number[] {
  const rough = (max - min) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((unit) => unit * power).find((unit) => unit >= rough)!;
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}
