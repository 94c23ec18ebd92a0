import { expect, it } from "vitest";
import { encodeSegment } from "../../index/segment.ts";
import { readLayout, SEGMENT_DEAD } from "../../index/segment-format.ts";
import type { TermCounts } from "../../index/term-counts.ts";
import { topOracle } from "../oracle/bm25.ts";
import { kernelsModule, random } from "./arena.ts";

interface Exports {
  memory: WebAssembly.Memory;
  bm25_top_f64(...args: number[]): number;
  bm25_df(segment: number, term: number): number;
}

const WINDOW_BYTES = 16_384 * 8 + 2_048;
const RUN_BYTES = 32;
const GUARD = 64;

type Unit = Map<number, number>;

function countsOf(unit: Unit): TermCounts {
  const sorted = [...unit].sort((a, b) => a[0] - b[0]);
  return {
    ids: Uint32Array.from(sorted, ([id]) => id),
    tfs: Uint32Array.from(sorted, ([, tf]) => tf),
    length: sorted.reduce((sum, [, tf]) => sum + tf, 0),
  };
}

/** A segment placed in linear memory with `tables` tables, and room for everything else, each part
 *  between guards. */
function place(units: readonly (Unit | null)[], tables: number, runsMax: number, k: number) {
  const { memory, ...kernel } = new WebAssembly.Instance(kernelsModule)
    .exports as unknown as Exports;
  const bytes = encodeSegment(units.map((unit) => (unit === null ? null : countsOf(unit))));
  const layout = readLayout(bytes);
  let end = memory.buffer.byteLength;
  memory.grow(Math.ceil(bytes.length / 65_536) + 40);
  const put = (size: number) => {
    const at = end + GUARD;
    end = (at + size + GUARD + 15) & ~15;
    return at;
  };
  const at = put(bytes.length);
  const sizes = { record: 44, lengths: 8 * layout.lengths, terms: 16 * 64 };
  const parts = {
    record: put(sizes.record),
    lengths: put(sizes.lengths),
    tables: put(tables * sizes.lengths),
    terms: put(sizes.terms),
    runs: put(runsMax * RUN_BYTES),
    window: put(WINDOW_BYTES),
    alive: put(4 * Math.ceil((units.length + 7) / 32)),
    heap: put(8 + 12 * k),
  };
  const { buffer } = memory;
  new Uint8Array(buffer, at).set(bytes);
  const places = [layout.firstTermAt, layout.blockOffsetAt, layout.lengthOfAt, layout.streamAt];
  new Uint32Array(buffer, parts.record, 11).set([
    layout.slots,
    layout.terms,
    layout.blocks,
    ...places.map((offset) => at + offset),
    parts.lengths,
    parts.tables,
    tables,
    sizes.lengths,
  ]);
  const lengthTerms = new Float64Array(buffer, parts.lengths, layout.lengths);
  const dls = new Uint32Array(buffer.slice(at + layout.lengthsAt), 0, layout.lengths);
  for (const [i, dl] of dls.entries()) lengthTerms[i] = 0.4 + dl / 37;
  for (let tf = 1; tf <= tables; tf++)
    new Float64Array(buffer, parts.tables + (tf - 1) * sizes.lengths, layout.lengths).set(
      lengthTerms.map((length) => tf / (length + tf)),
    );
  return { ...kernel, memory, parts, layout, at };
}

interface Case {
  units: readonly (Unit | null)[];
  terms: readonly { id: number; weight: number }[];
  tables: number;
  base: number;
  k: number;
  /** One in so many slots may be found. */
  alive: number;
  firstSlot: number;
}

/** Runs the kernel and the oracle; fails where they differ by a bit, or where memory changed that
 *  is neither scratch nor heap. */
function agree({ units, terms, tables, base, k, alive, firstSlot }: Case): void {
  const runsMax = 4_096;
  const { memory, parts, bm25_top_f64 } = place(units, tables, runsMax, k);
  const { buffer } = memory;
  for (const [i, { id, weight }] of terms.entries()) {
    new Uint32Array(buffer, parts.terms + 16 * i, 1)[0] = id;
    new Float64Array(buffer, parts.terms + 16 * i + 8, 1)[0] = weight;
  }
  const bits = new Uint32Array(buffer, parts.alive, Math.ceil((firstSlot + units.length) / 32));
  for (let slot = 0; slot < units.length; slot += alive)
    bits[(firstSlot + slot) >> 5]! |= 1 << ((firstSlot + slot) & 31);
  new Uint32Array(buffer, parts.heap, 2).set([0, k]);
  const before = new Uint8Array(buffer.slice());
  const { record, runs, window, heap } = parts;
  const args = [record, parts.terms, terms.length, base, runs, runsMax, window, parts.alive];
  expect(bm25_top_f64(...args, firstSlot, heap)).toBe(0);
  const after = new Uint8Array(buffer.slice());
  for (const [at, size] of [
    [runs, runsMax * RUN_BYTES],
    [window, WINDOW_BYTES],
    [heap, 8 + 12 * k],
  ] as const) {
    before.fill(0, at, at + size);
    after.fill(0, at, at + size);
  }
  expect(Buffer.from(before).equals(after)).toBe(true);
  const count = new Uint32Array(buffer, heap, 1)[0]!;
  const scores = new Float64Array(buffer, heap + 8, count);
  const slots = new Uint32Array(buffer, heap + 8 + 8 * k, count);
  const found = Array.from(scores, (score, i) => ({ slot: slots[i]! - firstSlot, score }));
  const expected = topOracle(
    terms,
    units.map((unit, slot) => ({
      tfs: unit ?? new Map(),
      lengthTerm: 0.4 + (unit === null ? 0 : countsOf(unit).length) / 37,
      alive: unit !== null && slot % alive === 0,
    })),
    base,
    k,
  );
  expect(found.sort((a, b) => b.score - a.score || a.slot - b.slot)).toEqual(expected);
}

/** `n` units, some dead, of terms 0 to 19, of which term t is in one of t + 1. */
function randomUnits(n: number, next: () => number): (Unit | null)[] {
  return Array.from({ length: n }, () => {
    if (next() < 0.05) return null;
    const unit: Unit = new Map();
    for (let term = 0; term < 20; term++)
      if (next() * (term + 1) < 1) unit.set(term, 1 + Math.floor(next() ** 6 * 9));
    return unit;
  });
}

const QUERY = [
  { id: 3, weight: 1.7 },
  { id: 0, weight: 0.1 },
  { id: 19, weight: 4.2 },
  { id: 77, weight: 5 },
  { id: 8, weight: 2.5 },
];

it.each([
  [1, 4, 10],
  [7, 4, 3],
  [9, 0, 10],
  [2_047, 4, 10],
  [16_384, 2, 128],
  [16_385, 4, 1],
  [40_001, 0, 10],
])("keeps the best of %i slots with %i tables as the oracle does, k %i", (n, tables, k) => {
  const units = randomUnits(n, random(n));
  for (const [base, alive, firstSlot] of [
    [0, 1, 0],
    [0.3, 3, 5],
  ] as const)
    agree({ units, terms: QUERY, tables, base, k, alive, firstSlot });
});

it("goes through the marked groups alone where postings are few", () => {
  const units: (Unit | null)[] = Array.from({ length: 40_000 }, (_, slot) =>
    slot % 3_001 === 7 ? new Map([[1, 1 + (slot % 5)]]) : new Map([[2, 1]]),
  );
  const terms = [{ id: 1, weight: 2 }];
  agree({ units, terms, tables: 4, base: 0, k: 5, alive: 1, firstSlot: 0 });
  agree({ units, terms, tables: 4, base: 1e9, k: 50, alive: 1, firstSlot: 0 });
});

it("keeps the lowest slots where all score the same", () => {
  const units = Array.from({ length: 20_000 }, () => new Map([[0, 1]]));
  const terms = [{ id: 0, weight: 1 }];
  agree({ units, terms, tables: 4, base: 0, k: 16, alive: 1, firstSlot: 1 });
});

it("counts tfs of any size", () => {
  const units = [1, 300, 70_000, 4_000_000_000, 2].map((tf) => new Map([[6, tf]]));
  const terms = [{ id: 6, weight: 3 }];
  agree({ units, terms, tables: 4, base: 0, k: 4, alive: 1, firstSlot: 0 });
});

it("says so where the runs do not fit, and keeps the heap", () => {
  const units = Array.from({ length: 50 }, (_, i) => new Map([[0, i + 1]]));
  const { memory, parts, bm25_top_f64 } = place(units, 4, 49, 3);
  new Uint32Array(memory.buffer, parts.heap, 2).set([0, 3]);
  new Float64Array(memory.buffer, parts.terms + 8, 1)[0] = 1;
  const { record, terms, runs, window, alive, heap } = parts;
  expect(bm25_top_f64(record, terms, 1, 0, runs, 49, window, alive, 0, heap)).toBe(1);
  expect([...new Uint32Array(memory.buffer, heap, 2)]).toEqual([0, 3]);
});

it("bm25_df counts the slots of every term, and none of a term between them", () => {
  const next = random(3);
  const units = Array.from(
    { length: 300 },
    () =>
      new Map(
        Array.from({ length: 9 }, () => [3 * Math.floor(next() * 200), 1 + (next() > 0.8 ? 1 : 0)]),
      ),
  );
  const { bm25_df, parts } = place(units, 4, 1, 1);
  for (let term = 0; term < 610; term++)
    expect(bm25_df(parts.record, term)).toBe(units.filter((unit) => unit.has(term)).length);
});

it("marks dead slots as the encoder does", () => {
  const { memory, layout, at } = place([new Map([[0, 1]]), null], 0, 1, 1);
  const lengthOf = new Uint16Array(memory.buffer.slice(at + layout.lengthOfAt), 0, 2);
  expect([...lengthOf]).toEqual([0, SEGMENT_DEAD]);
});
