/** One writer at a time, with a bounded line. */
import { ServiceError } from "../errors.ts";

export class WriteLock {
  readonly #waitingMax: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #closed: ServiceError | null = null;

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** How many hold the lock or wait for it. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Has all that waits, and all that is still to come, refused with an error. */
  close(error: ServiceError): void {
    this.#closed = error;
  }

  /** Runs `work` once all that came before it is over, failed or not. Throws `memory_busy` where
   *  too many wait already, unless the work is the memory's `own`. */
  async run<T>(work: () => Promise<T> | T, own = false): Promise<T> {
    if (!own && this.#waiting > this.#waitingMax)
      throw new ServiceError(
        "memory_busy",
        `${this.#waiting} writes wait for this namespace, the limit is ${this.#waitingMax}`,
      );
    this.#waiting += 1;
    const turn = this.#last.then(() => {
      if (this.#closed !== null) throw this.#closed;
      return work();
    });
    this.#last = turn.catch(() => undefined); // its caller hears of it; the next goes on
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }
}
