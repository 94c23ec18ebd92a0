/** The places that one isolate has at one backend, and the line for them. */
import { BACKEND_QUEUE_MAX, BACKEND_REPLY_MS_MAX, BACKEND_TOTAL_MS_MAX } from "../limits.ts";

/** A place taken. Giving it back twice is giving it back once. */
export interface Slot {
  release(): void;
}

/** The longest that a request can hold a place. One that the platform dropped in mid-work never
 *  gives its place back: it is taken for free after this. */
const SLOT_MS_MAX = BACKEND_REPLY_MS_MAX + BACKEND_TOTAL_MS_MAX;

/** At most `places` are taken at once; the number is given at each call, as it is configuration
 *  and this outlives it. */
export class Slots {
  /** Each place taken, with when it counts as free again, oldest first. */
  readonly #taken = new Map<Slot, number>();
  readonly #line: ((slot: Slot) => void)[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get taken(): number {
    return this.#taken.size;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Null where none is free, or others wait for one. */
  take(places: number): Slot | null {
    for (const [slot, until] of this.#taken) {
      if (until > this.#now()) break;
      slot.release();
    }
    return this.#taken.size < places && this.#line.length === 0 ? this.#give() : null;
  }

  /** A place as soon as one is free; null after `ms`, or at once where BACKEND_QUEUE_MAX wait.
   *  Rejects with the signal's reason. */
  async wait(ms: number, signal: AbortSignal): Promise<Slot | null> {
    signal.throwIfAborted();
    if (this.#line.length >= BACKEND_QUEUE_MAX) return null;
    const { promise, resolve, reject } = Promise.withResolvers<Slot | null>();
    // Whoever ends the wait leaves the line at once, or a place would go to one that has left.
    const leave = () => {
      const at = this.#line.indexOf(resolve);
      if (at >= 0) this.#line.splice(at, 1); // a place came in the same moment
    };
    const timer = setTimeout(() => {
      leave();
      resolve(null);
    }, ms);
    const abort = () => {
      leave();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#line.push(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    });
  }

  #give(): Slot {
    const slot: Slot = {
      release: () => {
        if (!this.#taken.delete(slot)) return;
        const next = this.#line.shift();
        if (next !== undefined) next(this.#give());
      },
    };
    this.#taken.set(slot, this.#now() + SLOT_MS_MAX);
    return slot;
  }
}
