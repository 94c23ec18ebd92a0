import { expect, it } from "vitest";
import {
  apgr,
  callShare,
  compareRankings,
  curveOf,
  figuresOf,
  type Labelled,
  rankByScore,
} from "../../eval/routing-curve.ts";

const gains = (n: number): Labelled[] =>
  Array.from({ length: n }, () => ({ weakRight: false, strongRight: true }));
const same = (n: number, right: boolean): Labelled[] =>
  Array.from({ length: n }, () => ({ weakRight: right, strongRight: right }));

it("the curve runs from the weak engine's accuracy to the strong one's", () => {
  const curve = curveOf([...gains(5), ...same(5, true)]);
  const wanted = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1, 1, 1];
  expect(curve).toHaveLength(11);
  for (const [i, y] of wanted.entries()) expect(curve[i]).toBeCloseTo(y, 12);
});

it("APGR of a perfect order is the area by hand", () => {
  // Rises from 0 to 1 over the first half, then stays: 1/4 + 1/2.
  expect(apgr(curveOf([...gains(5), ...same(5, true)]))).toBeCloseTo(0.75, 12);
  expect(apgr(curveOf([...same(5, true), ...gains(5)]))).toBeCloseTo(0.25, 12);
});

it("APGR of an order that says nothing is one half", () => {
  const items = Array.from({ length: 100 }, (_, i) => (i % 2 ? gains(1) : same(1, false))).flat();
  expect(apgr(curveOf(items))).toBeCloseTo(0.5, 12);
});

it("CPT interpolates between deciles", () => {
  const best = curveOf([...gains(5), ...same(5, true)]);
  expect(callShare(best, 0.5)).toBeCloseTo(25, 12);
  expect(callShare(best, 0.8)).toBeCloseTo(40, 12);
  const worst = curveOf([...same(5, true), ...gains(5)]);
  expect(callShare(worst, 0.5)).toBeCloseTo(75, 12);
});

it("CPT is where the curve first gets there, of a half and of four fifths of the way", () => {
  const curve = [0, 0.25, 0.5, 0.5, 0.5, 0.6, 0.85, 0.9, 0.95, 0.98, 1];
  expect(figuresOf(curve)).toEqual({
    apgr: apgr(curve),
    cpt50: 20,
    cpt80: expect.closeTo(50 + (10 * (0.8 - 0.6)) / 0.25, 9),
  });
});

it("deciles of a number that ten does not divide are at the nearest prompt", () => {
  // 1.4 2.8 4.2 5.6 7 8.4 9.8 11.2 12.6 14 of fourteen, of which each adds as much.
  const wanted = [0, 1, 3, 4, 6, 7, 8, 10, 11, 13, 14].map((n) => n / 14);
  for (const [i, y] of curveOf(gains(14)).entries()) expect(y).toBeCloseTo(wanted[i]!, 12);
});

it("prompts that the strong engine alone gets wrong bend the curve down", () => {
  const harmed = { weakRight: true, strongRight: false };
  const curve = curveOf([...gains(4), ...same(4, true), harmed, harmed]);
  expect(curve[4]).toBeCloseTo(1, 12);
  expect(curve[10]).toBeCloseTo(0.8, 12);
  expect(apgr(curve)).toBeGreaterThan(1);
});

it("how often an item counts is as if it stood there so often", () => {
  const items = [...gains(3), ...same(2, true), ...gains(2), ...same(3, false)];
  const times = [2, 0, 1, 3, 1, 1, 0, 4, 1, 2];
  const spelled = items.flatMap((item, i) => Array.from({ length: times[i]! }, () => item));
  expect(curveOf(items, times)).toEqual(curveOf(spelled));
});

it("ties are broken by the prompt's hash and not by the order of the file", () => {
  const prompts = ["a", "b", "c", "d", "e"];
  const ranked = rankByScore([0, 0, 1, 0, 0], prompts).map((i) => prompts[i]);
  expect(ranked[0]).toBe("c");
  const back = prompts.toReversed();
  expect(rankByScore([0, 0, 1, 0, 0], back).map((i) => back[i])).toEqual(ranked);
  const many = Array.from({ length: 200 }, (_, i) => `prompt ${i}`);
  const scores = many.map(() => 0);
  const order = rankByScore(scores, many).map((i) => many[i]!);
  expect(rankByScore(scores, order).map((i) => order[i])).toEqual(order);
  const reversed = order.toReversed();
  expect(rankByScore(scores, reversed).map((i) => reversed[i])).toEqual(order);
});

it("a comparison with itself differs by nothing, and one with the reverse excludes zero", () => {
  const items = [...gains(40), ...same(60, true)];
  const order = items.map((_, i) => i);
  const itself = compareRankings(items, order, order);
  expect(itself.difference.apgr).toEqual({ value: 0, low: 0, high: 0 });
  const { first, difference } = compareRankings(items, order, order.toReversed());
  expect(difference.apgr.low).toBeGreaterThan(0);
  expect(first.apgr.value).toBe(figuresOf(curveOf(items)).apgr);
  // 20 % against 80 %, and 32 % against 92 %: the lower the better.
  expect(difference.cpt50.value).toBeCloseTo(-60, 9);
  expect(difference.cpt80.value).toBeCloseTo(-60, 9);
  for (const name of ["cpt50", "cpt80"] as const) {
    const { low, high } = difference[name];
    expect(low).toBeLessThan(-59);
    expect(high).toBeGreaterThan(-61);
    expect(high).toBeLessThan(-40);
  }
  expect(first.apgr.low).toBeLessThanOrEqual(first.apgr.value);
});

it("drawing whole groups widens what groups decide", () => {
  const items = Array.from({ length: 200 }, (_, i) => (i < 100 ? gains(1) : same(1, true))).flat();
  const order = items.map((_, i) => i);
  const groups = items.map((_, i) => `g${Math.floor(i / 50)}`);
  const alone = compareRankings(items, order, order.toReversed()).first.apgr;
  const grouped = compareRankings(items, order, order.toReversed(), groups).first.apgr;
  expect(grouped.high - grouped.low).toBeGreaterThan(alone.high - alone.low);
});
