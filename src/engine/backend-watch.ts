/** One attempt's clocks and its end. */
import { BackendFailure } from "./backend-failure.ts";

/** Ends at whichever comes first of the caller's abort, a bound on the next step and a bound on
 *  the whole. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #onCallerAbort: () => void;
  readonly #ended: Promise<never>;
  readonly #whole: ReturnType<typeof setTimeout>;
  #step: ReturnType<typeof setTimeout> | undefined;
  #timeout: BackendFailure | null = null;

  constructor(caller: AbortSignal, wholeMs: number) {
    this.#caller = caller;
    this.#ended = new Promise((_, reject) => {
      this.signal.addEventListener("abort", () => reject(this.signal.reason), { once: true });
    });
    this.#ended.catch(() => {}); // nobody may be waiting when it ends
    this.#onCallerAbort = () => this.#controller.abort(caller.reason);
    if (caller.aborted) this.#onCallerAbort();
    caller.addEventListener("abort", this.#onCallerAbort, { once: true });
    this.#whole = this.#after(wholeMs, "no end");
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the step's clock anew; past `ms` everything raced against the watch fails with
   *  `backend_timeout`. */
  expect(ms: number, what: string): void {
    this.rest();
    this.#step = this.#after(ms, what);
  }

  /** Stops the step's clock until the next `expect`. */
  rest(): void {
    clearTimeout(this.#step);
  }

  /** The promise, or a rejection when the watch ends first: not every runtime's body reads heed
   *  the signal of their fetch. */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#ended]);
  }

  /** Why the watch ended early: the bound, or what the caller gave; null if it did not. */
  reason(): unknown {
    if (this.#timeout !== null) return this.#timeout;
    return this.#caller.aborted ? this.#caller.reason : null;
  }

  /** Stops the clocks and whatever of the request is still under way. */
  end(): void {
    this.rest();
    clearTimeout(this.#whole);
    this.#caller.removeEventListener("abort", this.#onCallerAbort);
    this.#controller.abort();
  }

  #after(ms: number, what: string): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const message = `the backend gave ${what} in ${Math.round(ms)} ms`;
      this.#timeout = new BackendFailure("timed_out", message);
      this.#controller.abort(this.#timeout);
    }, ms);
  }
}
