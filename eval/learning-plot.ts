/** The plot of docs/learning.md. */
import type { Figure } from "./report.ts";

export interface QuarterFigures {
  /** The backend share needed for the fixed quality. */
  needed: Figure;
  /** The share of questions that a note answered. */
  byNote: number;
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 60;
const TOP = 50;
const BOTTOM = 270;

/** An SVG: for each quarter a bar with its 95 % interval, and a line of the share of notes. */
export function drawLearning(quarters: readonly QuarterFigures[], quality: number): string {
  const step = (WIDTH - LEFT - 20) / quarters.length;
  const most = Math.max(0.1, ...quarters.flatMap(({ needed, byNote }) => [needed.high, byNote]));
  const top = Math.ceil(most * 10) / 10;
  const y = (share: number) => BOTTOM - (share / top) * (BOTTOM - TOP);
  const x = (quarter: number) => LEFT + step * (quarter + 0.5);
  const ticks = Array.from({ length: Math.round(top * 10) + 1 }, (_, i) => i / 10);
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const points = quarters.map(({ byNote }, i) => `${round(x(i))},${round(y(byNote))}`).join(" ");
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
      `font-family="sans-serif" font-size="12" role="img">`,
    `<title>Backend share needed for ${percent(quality)} right answers, by quarter</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="24" font-size="14">Backend share needed for ${percent(quality)} ` +
      `right answers (bars), share answered by notes (line)</text>`,
    ...ticks.flatMap((tick) => [
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${round(y(tick))}" y2="${round(y(tick))}" ` +
        `stroke="#ddd"/>`,
      `<text x="${LEFT - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${percent(tick)}</text>`,
    ]),
    ...quarters.flatMap(({ needed }, i) => [
      `<rect x="${round(x(i) - 30)}" y="${round(y(needed.value))}" width="60" ` +
        `height="${round(BOTTOM - y(needed.value))}" fill="#7a9cc6"/>`,
      `<line x1="${round(x(i))}" x2="${round(x(i))}" y1="${round(y(needed.low))}" ` +
        `y2="${round(y(needed.high))}" stroke="#223"/>`,
      `<text x="${round(x(i) + 34)}" y="${round(y(needed.value) + 4)}">` +
        `${percent(needed.value)}</text>`,
      `<text x="${round(x(i))}" y="${BOTTOM + 20}" text-anchor="middle">quarter ${i + 1}</text>`,
    ]),
    `<polyline points="${points}" fill="none" stroke="#c0562c" stroke-width="2"/>`,
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
