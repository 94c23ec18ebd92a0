/** Answers that this isolate gave and that their tenants' routers have not been told of yet. */
import { OUTCOME_FLUSH_MS, OUTCOMES_PENDING_MAX } from "../limits.ts";
import type { Recording } from "../router/router-types.ts";

/** A tenant's router. */
export type OutcomeTaker = (tenant: string) => {
  record(...recordings: Recording[]): Promise<unknown>;
};

/** Gathers recordings by tenant and sends them on together, OUTCOME_FLUSH_MS after the first of
 *  them or once OUTCOMES_PENDING_MAX wait: each call of a router is a write to disk, and one for
 *  every answer would bound how many answers a tenant may get. Those of an isolate that ends within
 *  that time are lost: drift and labels rest on samples, and an answer that cannot be rated is
 *  rare. */
export class OutcomeLog {
  #pending = new Map<string, Recording[]>();
  #waiting = 0;
  /** When the next flush is due; past that, another must be begun: its request may be gone. */
  #flushAt = Number.NEGATIVE_INFINITY;

  /** Takes one. What is returned must be kept alive: with some, it resolves after a flush. */
  async note(tenant: string, recording: Recording, router: OutcomeTaker): Promise<void> {
    this.#add(tenant, [recording]);
    if (this.#waiting >= OUTCOMES_PENDING_MAX) return this.flush(router);
    if (Date.now() <= this.#flushAt + OUTCOME_FLUSH_MS) return;
    this.#flushAt = Date.now() + OUTCOME_FLUSH_MS;
    await new Promise((done) => setTimeout(done, OUTCOME_FLUSH_MS));
    this.#flushAt = Number.NEGATIVE_INFINITY;
    await this.flush(router);
  }

  /** Sends what there is, of all tenants. What a router did not take is kept for the next time,
   *  while there is room. Never throws. */
  async flush(router: OutcomeTaker): Promise<void> {
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
