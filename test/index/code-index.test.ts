import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bitmap } from "../../index/bitmap.ts";
import { CodeIndex } from "../../index/code-index.ts";
import { codeBytes, encodeCode } from "../../index/codes.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf as errorCodeOf } from "../../src/errors.ts";
import { CODE_DEPTH_MAX } from "../../src/limits.ts";
import { linearMemoryBytes } from "../../src/model/linear-memory.ts";
import { estimatesOf, readCode } from "../oracle/codes.ts";
import { floats, kernelsModule, random } from "../wasm-kernels/arena.ts";

const seed = 20261124;

/** `n` codes of seeded vectors; every third repeats one before it, so that ties abound. */
function makeCodes(n: number, dim: number, next: () => number): Uint8Array[] {
  const codes: Uint8Array[] = [];
  for (let i = 0; i < n; i++)
    codes.push(
      i % 3 === 2 ? codes[Math.floor(next() * i)]! : encodeCode(quantizeVector(floats(next, dim))),
    );
  return codes;
}

/** The best of all estimates, sorted whole. */
function bestOf(estimates: ArrayLike<number>, depth: number, allowed: Bitmap | null) {
  const slots = Array.from(estimates, (_, i) => i).filter((i) => allowed?.has(i) ?? true);
  slots.sort((a, b) => estimates[b]! - estimates[a]! || a - b);
  const best = slots.slice(0, depth);
  return { slots: best, estimates: best.map((i) => estimates[i]!) };
}

function plain({ slots, estimates }: { slots: Uint32Array; estimates: Float32Array }) {
  return { slots: Array.from(slots), estimates: Array.from(estimates) };
}

function thirdOf(size: number): Bitmap {
  const bitmap = new Bitmap(size);
  for (let i = 1; i < size; i += 3) bitmap.add(i);
  return bitmap;
}

describe("CodeIndex", () => {
  it.each([8, 100, 384, 1_000, 4_096])("estimates as the definition does, at %i", (dim) => {
    const next = random(dim);
    const index = new CodeIndex(kernelsModule, dim);
    const codes = makeCodes(dim > 1_000 ? 19 : 133, dim, next);
    codes.push(encodeCode({ qs: new Int8Array(dim), scale: 0 }));
    for (const code of codes) index.append(code);
    for (const query of [floats(next, dim), new Float32Array(dim).fill(-1), new Float32Array(dim)])
      expect(Array.from(index.estimates(query))).toEqual(estimatesOf(query, codes.map(readCode)));
  });

  it("sums the greatest terms exactly, where every sign agrees with every level", () => {
    // Values of one size get the same level; the vector itself is the query.
    for (const dim of [128, 384, 4_096]) {
      const index = new CodeIndex(kernelsModule, dim);
      const vector = Float32Array.from({ length: dim }, (_, i) => (i % 5 === 0 ? 1 : -1));
      const code = encodeCode(quantizeVector(vector));
      for (let i = 0; i < 17; i++) index.append(code);
      expect(Array.from(index.estimates(vector))).toEqual(
        estimatesOf(vector, new Array(17).fill(readCode(code))),
      );
    }
  });

  it("finds the best of any number of codes at any depth, with and without a filter", () => {
    const next = random(seed);
    const dim = 24;
    const codes = makeCodes(3_100, dim, next);
    const index = new CodeIndex(kernelsModule, dim);
    let stored = 0;
    for (const n of [0, 1, 15, 16, 17, 1_023, 1_024, 1_025, 2_050, 3_100]) {
      for (; stored < n; stored++) index.append(codes[stored]!);
      const query = floats(next, dim);
      const estimates = index.estimates(query);
      for (const allowed of [null, thirdOf(n), new Bitmap(n)])
        for (const depth of [1, 2, 37, 256, 1_024, 4_096])
          expect(plain(index.best(query, depth, allowed))).toEqual(
            bestOf(estimates, depth, allowed),
          );
    }
  });

  it("goes as deep as its room is made for, past more codes than that takes, and no deeper", () => {
    const dim = 16;
    const next = random(11);
    const query = floats(next, dim);
    const probe = new CodeIndex(kernelsModule, dim);
    const codes = makeCodes(3 * CODE_DEPTH_MAX, dim, next);
    for (const code of codes) probe.append(code);
    const estimates = probe.estimates(query);
    const rising = codes.map((_, i) => i).sort((a, b) => estimates[a]! - estimates[b]!);
    const index = new CodeIndex(kernelsModule, dim);
    for (const i of rising) index.append(codes[i]!);
    expect(plain(index.best(query, CODE_DEPTH_MAX, null))).toEqual(
      bestOf(index.estimates(query), CODE_DEPTH_MAX, null),
    );
    expect(index.estimates(query)).toEqual(Float32Array.from(rising, (i) => estimates[i]!));
    expect(() => index.best(query, CODE_DEPTH_MAX + 1, null)).toThrow(/a depth of/);
  });

  it("keeps the lower slots where everything ties, and finds what comes in rising order", () => {
    const dim = 64;
    const next = random(5);
    const query = floats(next, dim);
    const all = makeCodes(4_000, dim, next);
    const probe = new CodeIndex(kernelsModule, dim);
    for (const code of all) probe.append(code);
    const estimates = probe.estimates(query);
    const rising = all.map((_, i) => i).sort((a, b) => estimates[a]! - estimates[b]!);
    const index = new CodeIndex(kernelsModule, dim);
    for (const i of rising) index.append(all[i]!);
    expect(plain(index.best(query, 10, null))).toEqual(bestOf(index.estimates(query), 10, null));
    const equal = new CodeIndex(kernelsModule, dim);
    for (let i = 0; i < 3_000; i++) equal.append(all[0]!);
    expect(Array.from(equal.best(query, 5, null).slots)).toEqual([0, 1, 2, 3, 4]);
    const odd = thirdOf(3_000);
    expect(Array.from(equal.best(query, 3, odd).slots)).toEqual([1, 4, 7]);
  });

  it("equals the naive search after any run of appends, loads and filters", () => {
    const dim = 16;
    const pool = makeCodes(60, dim, random(9));
    const step = fc.oneof(
      fc.record({ append: fc.nat(59) }),
      fc.record({ load: fc.array(fc.nat(59), { maxLength: 40 }) }),
      fc.record({ search: fc.nat(1_000), depth: fc.integer({ min: 1, max: 50 }) }),
    );
    const run = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const index = new CodeIndex(kernelsModule, dim);
      const stored: Uint8Array[] = [];
      for (const each of steps) {
        if ("append" in each) {
          expect(index.append(pool[each.append]!)).toBe(stored.length);
          stored.push(pool[each.append]!);
        } else if ("load" in each) {
          const codes = each.load.map((i) => pool[i]!);
          index.load(Uint8Array.from(codes.flatMap((code) => [...code])), codes.length);
          stored.push(...codes);
        } else {
          const query = floats(random(each.search), dim);
          const estimates = estimatesOf(query, stored.map(readCode));
          const allowed = each.search % 2 === 0 ? null : thirdOf(stored.length);
          expect(plain(index.best(query, each.depth, allowed))).toEqual(
            bestOf(estimates, each.depth, allowed),
          );
        }
      }
      expect(index.slots).toBe(stored.length);
    });
    fc.assert(run, { seed, numRuns: 60 });
  });

  it("accounts for its bytes: 52 a slot and an eighth, all in tracked linear memory", () => {
    const before = linearMemoryBytes();
    const index = new CodeIndex(kernelsModule, 384);
    const empty = index.bytes;
    const code = encodeCode(quantizeVector(floats(random(1), 384)));
    for (let i = 0; i < 20_000; i++) index.append(code);
    expect(index.bytes - empty).toBeGreaterThanOrEqual(20_000 * 52 - 65_536);
    expect(index.bytes - empty).toBeLessThan((20_000 * 52 + empty) * 1.125 + 65_536);
    expect(linearMemoryBytes() - before).toBe(index.bytes);
  });

  it("reserves ahead, and is memory_full where linear memory ends, still whole", () => {
    const index = new CodeIndex(kernelsModule, 384);
    index.reserve(100_000);
    const { bytes } = index;
    index.load(new Uint8Array(1_000 * codeBytes(384)), 1_000);
    expect(index.bytes).toBe(bytes);
    let code: string | null = null;
    try {
      index.reserve(2 ** 28);
    } catch (error) {
      code = errorCodeOf(error);
    }
    expect(code).toBe("memory_full");
    expect([index.bytes, index.slots]).toEqual([bytes, 1_000]);
  });
});
