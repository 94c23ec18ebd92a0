/** Answers that this isolate gave and that their tenants' routers have not been told of yet. */
import { OUTCOME_FLUSH_MS, OUTCOMES_BATCH, OUTCOMES_PENDING_MAX } from "../limits.ts";
import type { Recording } from "../router/router-types.ts";

/** A tenant's router. */
export type OutcomeTaker = (tenant: string) => {
  record(...recordings: Recording[]): Promise<unknown>;
};

export interface OutcomeSink {
  router: OutcomeTaker;
  /** Lets work go on after the reply. */
  keepAlive: (work: Promise<unknown>) => void;
}

/** Gathers recordings by tenant and sends them on together, OUTCOME_FLUSH_MS after the first of
 *  them or once an OUTCOMES_BATCH has come: each call of a router is a write to disk, and one for
 *  every answer would bound how many answers a tenant may get. Those of an isolate that ends within
 *  that time are lost: drift and labels rest on samples, and an answer that cannot be rated is
 *  rare. */
export class OutcomeLog {
  #pending = new Map<string, Recording[]>();
  #waiting = 0;
  /** Those that came since the last flush. */
  #fresh = 0;
  /** When the next flush is due; past that, another must be begun: its request may be gone. */
  #flushAt = Number.NEGATIVE_INFINITY;

  note(tenant: string, recording: Recording, { router, keepAlive }: OutcomeSink): void {
    this.#add(tenant, [recording]);
    this.#fresh += 1;
    const now = Date.now();
    if (this.#fresh >= OUTCOMES_BATCH) keepAlive(this.flush(router));
    else if (now > this.#flushAt + OUTCOME_FLUSH_MS) {
      this.#flushAt = now + OUTCOME_FLUSH_MS;
      keepAlive(this.#flushLater(router));
    }
  }

  async #flushLater(router: OutcomeTaker): Promise<void> {
    await new Promise((done) => setTimeout(done, OUTCOME_FLUSH_MS));
    this.#flushAt = Number.NEGATIVE_INFINITY;
    await this.flush(router);
  }

  /** Sends what there is, of all tenants. What a router did not take is kept for the next time,
   *  while there is room. Never throws. */
  async flush(router: OutcomeTaker): Promise<void> {
    this.#fresh = 0;
    if (this.#waiting === 0) return;
    const pending = this.#pending;
    this.#pending = new Map();
    this.#waiting = 0;
    const sent = Array.from(pending, async ([tenant, recordings]) => {
      try {
        await router(tenant).record(...recordings);
      } catch (error) {
        console.error(JSON.stringify({ event: "outcomes not recorded", detail: String(error) }));
        if (this.#waiting + recordings.length <= OUTCOMES_PENDING_MAX)
          this.#add(tenant, recordings);
      }
    });
    await Promise.all(sent);
  }

  #add(tenant: string, recordings: readonly Recording[]): void {
    const known = this.#pending.get(tenant);
    if (known === undefined) this.#pending.set(tenant, [...recordings]);
    else known.push(...recordings);
    this.#waiting += recordings.length;
  }
}

/** This isolate's. */
export const outcomeLog = new OutcomeLog();
