/** The machine's ceilings, measured in the same run as the kernels, and the figure that shows where
 *  each kernel stands against its own. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../src/errors.ts";
import { compileWasm } from "./kernels-module.ts";
import type { Candidate, Result } from "./report.ts";

const ROOT = join(import.meta.dirname, "..");
const ROUNDS = 100_000;
const BYTES = 64 * 1024 * 1024; // beyond the caches

const DOT = "ceiling dot_i16x8";
const CHAIN = "ceiling relaxed dots, chained";
const MADD = "ceiling relaxed_madd";
const MEMORY = "ceiling memory, plain sum";

type Ceiling = (...args: number[]) => number;

/** Compiles bench/wasm/ and gives its loops as candidates. */
export async function ceilings(): Promise<Candidate[]> {
  const asc = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
  execFileSync(process.execPath, [asc, "--config", "bench/wasm/asconfig.json"], { cwd: ROOT });
  const module = compileWasm(readFileSync(join(ROOT, "build/bench-kernels.wasm")));
  const { exports } = new WebAssembly.Instance(module, {});
  const loops = exports as unknown as Record<string, Ceiling>;
  const memory = exports.memory as WebAssembly.Memory;
  const from = memory.buffer.byteLength;
  memory.grow(BYTES / 65536);
  new Int32Array(memory.buffer, from).fill(3);
  assert(loops.sum_memory!(from, BYTES) === (3 * BYTES) / 4, "the sum over memory is wrong");
  const loop = (name: string, kernel: string, operations: number): Candidate => {
    return { name, unit: "GOP/s", work: operations * ROUNDS, run: () => loops[kernel]!(ROUNDS) };
  };
  return [
    loop(DOT, "ceiling_dot_i16x8", 2 * 12 * 8),
    loop(CHAIN, "ceiling_relaxed_chain", 2 * 8 * 32),
    loop(MADD, "ceiling_relaxed_madd", 2 * 12 * 4),
    { name: MEMORY, unit: "GB/s", work: BYTES, run: () => loops.sum_memory!(from, BYTES) },
  ];
}

/** Which ceiling a row stands under, by its kernel's name; null for peers and the ceilings. */
function ceilingOf({ name, unit }: Result): string | null {
  if (name.startsWith("ceiling ") || name.startsWith("onnxruntime")) return null;
  if (unit === "GB/s") return MEMORY;
  if (unit !== "GOP/s") return null;
  if (/_f32/.test(name)) return MADD;
  return /_a7|q4/.test(name) ? CHAIN : DOT;
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** Writes an SVG with a bar a row: its share of its ceiling, which is the full width. A kernel
 *  whose data fits the caches may pass the memory's ceiling; its bar ends at the edge. */
export function writeFigure(results: readonly Result[], file: string): void {
  const rates = new Map(results.map(({ name, rate }) => [name, rate]));
  const rows = results.flatMap((result) => {
    const ceiling = ceilingOf(result);
    const top = ceiling === null ? undefined : rates.get(ceiling);
    return top === undefined ? [] : [{ ...result, ceiling: ceiling!, share: result.rate / top }];
  });
  assert(rows.length > 0, "the figure needs the group roofline and another one");
  const [left, width, step] = [330, 360, 20];
  const bars = rows.map(({ name, rate, unit, ceiling, share }, i) => {
    const y = 40 + i * step;
    const bar = Math.min(1, share) * width;
    const label = `${rate.toFixed(0)} ${unit}, ${(share * 100).toFixed(0)} % of ${ceiling}`;
    return `<text x="${left - 8}" y="${y + 12}" text-anchor="end">${escaped(name)}</text>
<rect x="${left}" y="${y}" width="${bar.toFixed(1)}" height="14" fill="#2a6f97"/>
<text x="${left + width + 8}" y="${y + 12}">${escaped(label)}</text>`;
  });
  const height = 60 + rows.length * step;
  const edge = left + width;
  const line = `<line x1="${edge}" y1="32" x2="${edge}" y2="${height - 16}" stroke="#b23a48"/>`;
  const title = `<text x="${left}" y="20">Share of the ceiling measured in the same run</text>`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="1060" height="${height}"
 font-family="sans-serif" font-size="12">
<title>Each kernel's share of the ceiling measured in the same run</title>
<rect width="100%" height="100%" fill="#fff"/>`;
  writeFileSync(file, `${[head, title, ...bars, line].join("\n")}\n</svg>\n`);
}
