/** How much there was of something within the last minute. */
import { RATE_SLOTS } from "../limits.ts";

/** Counts by the second, RATE_SLOTS of them: what is at most `limit` here was at most `limit` in
 *  any 60 seconds. Whole numbers only, so that sums stay exact. O(1) an addition. */
export class MinuteWindow {
  readonly #slots = new Float64Array(RATE_SLOTS);
  /** The second, Unix time, of the newest slot. */
  #second = 0;
  #sum = 0;

  /** What was added within the minute before. Time never goes back here by less than a minute; by
   *  more, the clock was wrong, and the minute begins anew: nobody is to wait until it is right. */
  sum(nowMs: number): number {
    const second = Math.floor(nowMs / 1_000);
    if (second < this.#second - RATE_SLOTS) this.#clear(second);
    const passed = Math.min(Math.max(0, second - this.#second), RATE_SLOTS);
    this.#second = Math.max(second, this.#second);
    for (let i = 0; i < passed; i++) {
      const slot = (this.#second - i) % RATE_SLOTS;
      this.#sum -= this.#slots[slot]!;
      this.#slots[slot] = 0;
    }
    return this.#sum;
  }

  /** Adds, and gives the second to `correct` it by. */
  add(nowMs: number, count: number): number {
    this.sum(nowMs);
    this.#put(this.#second, count);
    return this.#second;
  }

  /** Makes what was added in that second more or, down to nothing, less. What is over already stays
   *  as it was, unless it is more: that counts as of now, so that a long answer is paid for. */
  correct(nowMs: number, second: number, delta: number): void {
    this.sum(nowMs);
    if (second > this.#second - RATE_SLOTS) this.#put(Math.min(second, this.#second), delta);
    else if (delta > 0) this.#put(this.#second, delta);
  }

  /** Milliseconds until no more than `most` is left, if nothing comes meanwhile. */
  waitMs(nowMs: number, most: number): number {
    let left = this.sum(nowMs);
    for (let age = RATE_SLOTS - 1; age >= 0; age--) {
      if (left <= most) return Math.max(0, (this.#second - age + RATE_SLOTS - 1) * 1_000 - nowMs);
      left -= this.#slots[(this.#second - age + RATE_SLOTS) % RATE_SLOTS]!;
    }
    return left <= most ? Math.max(0, (this.#second + RATE_SLOTS) * 1_000 - nowMs) : 0;
  }

  #clear(second: number): void {
    this.#slots.fill(0);
    this.#second = second;
    this.#sum = 0;
  }

  #put(second: number, delta: number): void {
    const slot = second % RATE_SLOTS;
    const before = this.#slots[slot]!;
    this.#slots[slot] = Math.max(0, before + delta);
    this.#sum += this.#slots[slot]! - before;
  }
}
