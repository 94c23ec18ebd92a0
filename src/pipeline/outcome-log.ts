/** Answers that this isolate gave and that their tenants' routers have not been told of yet. */
import { OUTCOME_FLUSH_MS, OUTCOMES_BATCH, OUTCOMES_PENDING_MAX } from "../limits.ts";
import type { Recording } from "../router/router-types.ts";
import { Flushes } from "./flushes.ts";

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
 *  that time are lost, and so are those beyond OUTCOMES_PENDING_MAX: drift and labels rest on
 *  samples, and an answer that cannot be rated is rare. */
export class OutcomeLog {
  #pending = new Map<string, Recording[]>();
  #waiting = 0;
  /** Those that came since the last flush. */
  #fresh = 0;
  /** Those that there was no room for since then. */
  #dropped = 0;
  readonly #flushes = new Flushes(OUTCOME_FLUSH_MS);

  note(tenant: string, recording: Recording, { router, keepAlive }: OutcomeSink): void {
    this.#add(tenant, [recording]);
    this.#fresh += 1;
    const enough = this.#fresh >= OUTCOMES_BATCH;
    this.#flushes.gathered(enough, () => this.#send(router), keepAlive);
  }

  /** Sends what there is, of all tenants. Never throws. */
  async flush(router: OutcomeTaker): Promise<void> {
    await this.#flushes.flush(() => this.#send(router));
  }

  /** What a router did not take is kept for the next time, while there is room. */
  async #send(router: OutcomeTaker): Promise<void> {
    if (this.#dropped > 0) tell("outcomes dropped", `${this.#dropped} for which there was no room`);
    const pending = this.#pending;
    this.#pending = new Map();
    [this.#waiting, this.#fresh, this.#dropped] = [0, 0, 0];
    const sent = Array.from(pending, async ([tenant, recordings]) => {
      try {
        await router(tenant).record(...recordings);
      } catch (error) {
        tell("outcomes not recorded", String(error));
        this.#add(tenant, recordings);
      }
    });
    await Promise.all(sent);
  }

  #add(tenant: string, recordings: readonly Recording[]): void {
    if (this.#waiting + recordings.length > OUTCOMES_PENDING_MAX) {
      this.#dropped += recordings.length;
      return;
    }
    const known = this.#pending.get(tenant);
    if (known === undefined) this.#pending.set(tenant, [...recordings]);
    else known.push(...recordings);
    this.#waiting += recordings.length;
  }
}

function tell(event: string, detail: string): void {
  console.error(JSON.stringify({ event, detail }));
}

/** This isolate's. */
export const outcomeLog = new OutcomeLog();
