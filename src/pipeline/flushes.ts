/** When an isolate sends on what its requests have left to be told. */

/** Begins to send what was gathered, as far as it can go now; must not throw. */
export type Send = () => void;

/** Of one log: `afterMs` after the first thing came, and at once where there is enough, in the time
 *  of the request that it belongs to, so that no request waits and traffic costs no call a
 *  request. */
export class Flushes {
  readonly #afterMs: number;
  /** When the next is due; past that, another must be begun: its request may be gone. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  /** Something came; `enough` where there is now too much to wait. What cannot go yet goes with the
   *  one that is due later. */
  gathered(enough: boolean, send: Send, keepAlive: (work: Promise<unknown>) => void): void {
    if (enough) send();
    const now = Date.now();
    if (now <= this.#dueAt + this.#afterMs) return;
    this.#dueAt = now + this.#afterMs;
    keepAlive(this.#later(send));
  }

  async #later(send: Send): Promise<void> {
    await new Promise((done) => setTimeout(done, this.#afterMs));
    this.#dueAt = Number.NEGATIVE_INFINITY;
    send();
  }
}
