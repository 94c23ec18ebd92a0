/** One generation at a time: an isolate has one thread and a model one KV cache. */
import { ServiceError } from "../errors.ts";
import {
  GENERATION_LEASE_MS_MAX,
  GENERATION_WAIT_MS_MAX,
  GENERATIONS_WAITING_MAX,
} from "../limits.ts";

/** A turn at the model, held for as long as it is renewed. */
export interface Turn {
  isHeld(): boolean;
  /** Says that its holder goes on. Errors: generator_busy once it was given to another, who may
   *  have the model in any state. */
  renew(): void;
  /** Passes it on, if it is held; may be called more than once. */
  end(): void;
}

interface Waiting {
  readonly sinceMs: number;
  start(turn: Turn): void;
  giveUp(reason: unknown): void;
}

/** First come, first served; a bounded number waits, each for a bounded time. */
export class Turns {
  /** How often the holder has renewed its turn; null where nobody has one. Counted and not timed:
   *  in a Worker the clock of a request that computes stands still. */
  private holder: { renewals: number } | null = null;
  /** What others saw of the holder last, and since when it has been so. */
  private seen: { holder: object; renewals: number; sinceMs: number } | null = null;
  private readonly waiting: Waiting[] = [];

  /** Waits for a turn. One that was not renewed for GENERATION_LEASE_MS_MAX while others asked is
   *  given to the next: the platform drops requests in mid-work, and nothing of theirs runs then.
   *  Errors: generator_busy where the list is full or GENERATION_WAIT_MS_MAX have passed; the
   *  signal's reason where the caller left. */
  async take(signal?: AbortSignal): Promise<Turn> {
    signal?.throwIfAborted();
    this.look();
    return this.holder === null ? this.give() : this.wait(signal);
  }

  private give(): Turn {
    const holder = { renewals: 0 };
    this.holder = holder;
    return {
      isHeld: () => this.holder === holder,
      renew: () => {
        if (this.holder !== holder) throw takenAway();
        holder.renewals++;
      },
      end: () => {
        if (this.holder === holder) this.pass();
      },
    };
  }

  /** To whoever is next, without a moment in which a newcomer could take it. */
  private pass(): void {
    this.holder = null;
    this.waiting.shift()?.start(this.give());
  }

  /** Takes the turn from a holder who is gone, and from the list who is. */
  private look(): void {
    const now = Date.now();
    for (const one of [...this.waiting])
      if (now - one.sinceMs >= GENERATION_WAIT_MS_MAX) one.giveUp(tooLong());
    const { holder, seen } = this;
    if (holder === null) return;
    const { renewals } = holder;
    if (seen?.holder !== holder || seen.renewals !== renewals)
      this.seen = { holder, renewals, sinceMs: now };
    else if (now - seen.sinceMs >= GENERATION_LEASE_MS_MAX) this.pass();
  }

  private wait(signal?: AbortSignal): Promise<Turn> {
    if (this.waiting.length >= GENERATIONS_WAITING_MAX)
      throw new ServiceError(
        "generator_busy",
        `${GENERATIONS_WAITING_MAX} requests wait for the generator already; try again later`,
      );
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        clearInterval(watch);
        signal?.removeEventListener("abort", leave);
      };
      const giveUp = (reason: unknown) => {
        end();
        const at = this.waiting.indexOf(own);
        // Its turn came, begun by the request before: workerd clears no timer of another request.
        if (at < 0) return;
        this.waiting.splice(at, 1);
        reject(reason);
      };
      const leave = () => giveUp(signal!.reason);
      const start = (turn: Turn) => {
        end();
        resolve(turn);
      };
      const own = { sinceMs: Date.now(), start, giveUp };
      const timer = setTimeout(() => giveUp(tooLong()), GENERATION_WAIT_MS_MAX);
      const watch = setInterval(() => {
        if (this.waiting.includes(own)) this.look();
        else clearInterval(watch);
      }, GENERATION_LEASE_MS_MAX / 4);
      signal?.addEventListener("abort", leave, { once: true });
      this.waiting.push(own);
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

function takenAway(): ServiceError {
  const seconds = GENERATION_LEASE_MS_MAX / 1_000;
  return new ServiceError(
    "generator_busy",
    `nothing of the answer was asked for in ${seconds} s, and another has the generator's turn`,
  );
}

/** Lets events in: an abort, another request's bytes, this one's reply on its way out. */
function letEventsIn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

/** Lets events in and renews the turn. Errors: as Turn.renew; the signal's reason where the caller
 *  left. */
export async function pause(turn: Turn, signal?: AbortSignal): Promise<void> {
  await letEventsIn();
  signal?.throwIfAborted();
  turn.renew();
}
