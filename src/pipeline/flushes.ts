/** When an isolate sends on what its requests have left to be told. */
import { FLUSH_MS_MAX, FLUSHES_MAX } from "../limits.ts";

/** Sends what was gathered, all of it, begun at once; must not throw. */
export type Send = () => Promise<void>;

/** Of one log: `afterMs` after the first thing came, or at once where there is enough, and in the
 *  time of the request that it belongs to, so that no request waits and traffic costs no call a
 *  request. At most FLUSHES_MAX are under way; what comes meanwhile goes with the next. */
export class Flushes {
  readonly #afterMs: number;
  /** Unix ms at which those under way began. */
  #underWay: { at: number }[] = [];
  /** When the next is due; past that, another must be begun: its request may be gone. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  /** Something came; `enough` where there is now too much to wait. */
  gathered(enough: boolean, send: Send, keepAlive: (work: Promise<unknown>) => void): void {
    const now = Date.now();
    if (enough && !this.#isBusy()) keepAlive(this.#send(send));
    else if (now > this.#dueAt + this.#afterMs) {
      this.#dueAt = now + this.#afterMs;
      keepAlive(this.#later(send));
    }
  }

  async #send(send: Send): Promise<void> {
    const own = { at: Date.now() };
    this.#underWay.push(own);
    try {
      await send();
    } finally {
      this.#underWay = this.#underWay.filter((one) => one !== own);
    }
  }

  async #later(send: Send): Promise<void> {
    await new Promise((done) => setTimeout(done, this.#afterMs));
    this.#dueAt = Number.NEGATIVE_INFINITY;
    if (!this.#isBusy()) await this.#send(send);
  }

  #isBusy(): boolean {
    const since = Date.now() - FLUSH_MS_MAX;
    this.#underWay = this.#underWay.filter(({ at }) => at > since);
    return this.#underWay.length >= FLUSHES_MAX;
  }
}
