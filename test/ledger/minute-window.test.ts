import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import { MinuteWindow } from "../../src/ledger/minute-window.ts";

/** What a window is, without its slots: all that came in this second and the 60 before it. */
class ListedWindow {
  readonly events: { second: number; count: number }[] = [];

  sum(nowMs: number): number {
    const second = Math.floor(nowMs / 1_000);
    const within = this.events.filter((event) => event.second > second - 61);
    return within.reduce((sum, { count }) => sum + count, 0);
  }
}

it("no 60 seconds hold more than a limit that is looked at before each addition", () => {
  const random = mulberry32(7);
  const window = new MinuteWindow();
  const admitted: number[] = [];
  for (let now = 1e12; now < 1e12 + 600_000; now += Math.floor(random() * 400))
    if (window.sum(now) < 50) {
      window.add(now, 1);
      admitted.push(now);
    }
  for (const [i, from] of admitted.entries()) {
    const within = admitted.slice(i).filter((at) => at < from + 60_000);
    expect(within.length).toBeLessThanOrEqual(50);
  }
  expect(admitted.length).toBeGreaterThan(440);
});

it("sums, corrections and waits are those of a list of all that came", () => {
  const random = mulberry32(8);
  const window = new MinuteWindow();
  const list = new ListedWindow();
  let now = 1e12;
  for (let i = 0; i < 2_000; i++) {
    now += Math.floor(random() ** 4 * 90_000);
    const count = Math.floor(random() * 10);
    list.events.push({ second: window.add(now, count), count });
    const event = list.events[Math.floor(random() * list.events.length)]!;
    if (event.second > Math.floor(now / 1_000) - 61) {
      const delta = Math.floor(random() * 8) - 2;
      const inSecond = list.events.filter(({ second }) => second === event.second);
      const sum = inSecond.reduce((total, { count }) => total + count, 0);
      window.correct(now, event.second, delta);
      list.events.push({ second: event.second, count: Math.max(delta, -sum) });
    }
    expect(window.sum(now)).toBe(list.sum(now));
    const most = Math.floor(random() * 100);
    const wait = window.waitMs(now, most);
    expect(list.sum(now + wait)).toBeLessThanOrEqual(most);
    if (wait > 0) expect(list.sum(now + wait - 1)).toBeGreaterThan(most);
  }
});

it("what a long answer took counts, though the minute of its beginning is over", () => {
  const window = new MinuteWindow();
  const second = window.add(1e12, 10);
  window.correct(1e12 + 120_000, second, 40);
  expect(window.sum(1e12 + 120_000)).toBe(40);
  window.correct(1e12 + 240_000, second, -5);
  expect(window.sum(1e12 + 240_000)).toBe(0);
});
