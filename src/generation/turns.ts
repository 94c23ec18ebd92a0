/** One generation at a time: an isolate has one thread and a model one KV cache. */
import { ServiceError } from "../errors.ts";
import { GENERATION_WAIT_MS_MAX, GENERATIONS_WAITING_MAX } from "../limits.ts";

/** First come, first served; a bounded number waits, each for a bounded time. */
export class Turns {
  private busy = false;
  private readonly waiting: (() => void)[] = [];

  /** Waits for a turn and gives the function that ends it, which may be called more than once.
   *  Errors: generator_busy where the list is full or GENERATION_WAIT_MS_MAX have passed; the
   *  signal's reason where the caller left. */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.busy) await this.wait(signal);
    this.busy = true;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      // The turn passes on without a moment in which a newcomer could take it.
      const next = this.waiting.shift();
      if (next) next();
      else this.busy = false;
    };
  }

  private wait(signal?: AbortSignal): Promise<void> {
    if (this.waiting.length >= GENERATIONS_WAITING_MAX)
      throw new ServiceError(
        "generator_busy",
        `${GENERATIONS_WAITING_MAX} requests wait for the generator already; try again later`,
      );
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", leave);
      };
      const giveUp = (reason: unknown) => {
        end();
        const at = this.waiting.indexOf(start);
        // Its turn came, begun by the request before: workerd clears no timer of another request.
        if (at < 0) return;
        this.waiting.splice(at, 1);
        reject(reason);
      };
      const leave = () => giveUp(signal!.reason);
      const start = () => {
        end();
        resolve();
      };
      const timer = setTimeout(() => giveUp(tooLong()), GENERATION_WAIT_MS_MAX);
      signal?.addEventListener("abort", leave, { once: true });
      this.waiting.push(start);
    });
  }
}

function tooLong(): ServiceError {
  const seconds = GENERATION_WAIT_MS_MAX / 1_000;
  return new ServiceError(
    "generator_busy",
    `the generator gave no turn in ${seconds} s; try again later`,
  );
}

/** Lets events in: an abort, another request's bytes, this one's reply on its way out. */
export function letEventsIn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
