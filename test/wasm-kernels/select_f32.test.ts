import { expect, it } from "vitest";
import { selectF32 } from "../oracle/codes.ts";
import { floats, putF32, random, writesOnly } from "./arena.ts";
import { BareKernels } from "./bare-kernels.ts";

interface Selection {
  room: number;
  from: number;
  first: number;
  found: number;
  threshold: number;
  allowed: Uint32Array | null;
}

function select(values: Float32Array, selection: Selection) {
  const { room, from, first, found, threshold, allowed } = selection;
  const kernels = new BareKernels();
  const at = putF32(kernels, values);
  const bits = allowed === null ? 0 : kernels.alloc(allowed.byteLength);
  if (allowed !== null) kernels.i32(bits, allowed.length).set(allowed);
  const [slots, scores] = [kernels.alloc(room * 4), kernels.alloc(room * 4)];
  const count = kernels.alloc(4);
  kernels.i32(count, 1)[0] = found;
  const left = (room - found) * 4;
  let end = 0;
  const outputs = [
    [slots + found * 4, left],
    [scores + found * 4, left],
    [count, 4],
  ] as const;
  writesOnly(kernels, outputs, () => {
    end = kernels.run(
      "select_f32",
      ...[slots, scores, count, room, at, from, values.length, first, bits, threshold],
    );
  });
  const n = kernels.i32(count, 1)[0]!;
  return {
    end,
    slots: Array.from(kernels.i32(slots, n).subarray(found)),
    scores: Array.from(kernels.f32(scores, n).subarray(found)),
  };
}

const PLAIN = { room: 200, from: 0, first: 0, found: 0, threshold: 0, allowed: null };

it.each([0, 1, 15, 16, 17, 100, 130])("selects of %i values what exceeds a threshold", (n) => {
  const next = random(n + 1);
  const values = floats(next, n);
  const allowed = Uint32Array.from({ length: Math.ceil(n / 32) }, () => next() * 2 ** 32);
  for (const threshold of [Number.NEGATIVE_INFINITY, 0, 0.9, 1])
    for (const bits of [null, allowed])
      for (const from of [0, 5, 16, n].filter((at) => at <= n)) {
        const selection = { ...PLAIN, threshold, allowed: bits, from, first: 4_096 };
        expect(select(values, selection)).toEqual(selectF32(values, selection));
      }
});

it("stops at the first that has no room, after what was found before", () => {
  const values = floats(random(8), 90);
  for (const [found, room] of [
    [0, 1],
    [3, 3],
    [3, 20],
  ] as const) {
    const selection = { ...PLAIN, found, room };
    const selected = select(values, selection);
    expect(selected).toEqual(selectF32(values, selection));
    expect(selected.end).toBeLessThan(90);
    expect(values[selected.end]).toBeGreaterThan(0);
  }
});

it("selects neither what equals the threshold nor a NaN", () => {
  const values = Float32Array.of(0.5, Number.NaN, 0.75, 0.5, ...new Array(16).fill(0.5));
  expect(select(values, { ...PLAIN, threshold: 0.5 }).slots).toEqual([2]);
});
