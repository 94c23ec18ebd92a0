/** One attempt's clocks and its end. */
import { BackendFailure } from "./backend-failure.ts";

/** What must come by when, by `performance.now()`, and what is said where it does not. */
interface Bound {
  at: number;
  ms: number;
  what: string;
}

/** One for all: an error's stack costs more than an answer's other objects. */
const ENDED = new Error("the attempt has ended");

/** Ends at whichever comes first of the caller's abort, a bound on the next step and a bound on
 *  the whole. Both run from the first step on. One timer serves both bounds, and a step that is
 *  done leaves it running: when it rings early it is set again. A stream has a step a token, which
 *  costs less than a timer. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #onCallerAbort: () => void;
  readonly #whole: Bound;
  #step: Bound | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;
  #timeout: BackendFailure | null = null;
  /** Ends what is raced against the watch. */
  #lose: ((reason: unknown) => void) | null = null;

  constructor(caller: AbortSignal, wholeMs: number) {
    this.#caller = caller;
    this.#onCallerAbort = () => this.#abort(caller.reason);
    if (caller.aborted) this.#onCallerAbort();
    caller.addEventListener("abort", this.#onCallerAbort, { once: true });
    this.#whole = boundIn(wholeMs, "no end");
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the step's clock anew; past `ms` everything raced against the watch fails with
   *  `backend_timeout`. */
  expect(ms: number, what: string): void {
    this.#step = boundIn(ms, what);
    if (this.#step.at < this.#ringsAt) this.#set();
  }

  /** Stops the step's clock until the next `expect`. */
  rest(): void {
    this.#step = null;
  }

  /** The promise, or a rejection when the watch ends first: not every runtime's body reads heed
   *  the signal of their fetch. One at a time. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((done, fail) => {
      promise.then(done, fail);
      if (this.signal.aborted) fail(this.signal.reason);
      this.#lose = fail;
    });
  }

  /** Why the watch ended early: the bound, or what the caller gave; null if it did not. */
  reason(): unknown {
    if (this.#timeout !== null) return this.#timeout;
    return this.#caller.aborted ? this.#caller.reason : null;
  }

  /** Stops the clocks and, unless the answer has ended, what is still under way. */
  end(ended: boolean): void {
    clearTimeout(this.#timer);
    this.#ringsAt = Number.NEGATIVE_INFINITY; // and it is never set again
    this.#caller.removeEventListener("abort", this.#onCallerAbort);
    if (!ended) this.#abort(ENDED); // which takes a twentieth of a short answer's whole time
  }

  #abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#lose?.(reason);
  }

  #next(): Bound {
    const { at } = this.#whole;
    return this.#step !== null && this.#step.at < at ? this.#step : this.#whole;
  }

  #set(): void {
    clearTimeout(this.#timer);
    this.#ringsAt = this.#next().at;
    const ms = Math.ceil(this.#ringsAt - performance.now());
    this.#timer = setTimeout(() => this.#ring(), Math.max(1, ms));
  }

  #ring(): void {
    const { at, ms, what } = this.#next();
    if (performance.now() < at) {
      this.#set(); // never early: what is left would be spent on another backend
      return;
    }
    const message = `the backend gave ${what} in ${Math.round(ms)} ms`;
    this.#timeout = new BackendFailure("timed_out", message);
    this.#abort(this.#timeout);
  }
}

function boundIn(ms: number, what: string): Bound {
  return { at: performance.now() + ms, ms, what };
}
