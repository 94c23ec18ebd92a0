/** One at a time: a decoder has one KV cache, so its requests take turns. */
import { ServiceError } from "../errors.ts";
import { GENERATOR_QUEUE_MAX } from "../limits.ts";

/** A queue of GENERATOR_QUEUE_MAX waiting at most. */
export class Turns {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all that came before is done, whatever became of it. One whose caller has
   *  gone meanwhile does not begin. Throws `generator_busy` at once when too many wait. */
  async take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#waiting > GENERATOR_QUEUE_MAX)
      throw new ServiceError(
        "generator_busy",
        `${GENERATOR_QUEUE_MAX} requests wait for the generator already: try again later`,
      );
    this.#waiting++;
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return work();
    });
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}
