/** Answers that this isolate gave and that their tenants' routers have not been told of yet. */
import {
  LEDGER_MS_MAX,
  OUTCOME_FLUSH_MS,
  OUTCOMES_BATCH,
  OUTCOMES_PENDING_MAX,
  OUTCOMES_WAITING_MAX,
} from "../limits.ts";
import { logEvent } from "../log-event.ts";
import type { Recording } from "../router/router-types.ts";
import { Flushes } from "./flushes.ts";
import { TenantCalls } from "./tenant-calls.ts";
import { within } from "./within.ts";

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
 *  every answer would bound how many answers a tenant may get. A router has one call under way, so
 *  that one that does not answer is no other tenant's matter. Recordings of an isolate that ends
 *  within that time are lost, and so are those beyond OUTCOMES_PENDING_MAX of a tenant and
 *  OUTCOMES_WAITING_MAX in all: drift and labels rest on samples, and an answer that cannot be
 *  rated is rare. */
export class OutcomeLog {
  readonly #pending = new Map<string, Recording[]>();
  readonly #calls = new TenantCalls();
  #waiting = 0;
  /** Those that came since the last flush. */
  #fresh = 0;
  /** Those that there was no room for since then. */
  #dropped = 0;
  readonly #flushes = new Flushes(OUTCOME_FLUSH_MS);

  note(tenant: string, recording: Recording, { router, keepAlive }: OutcomeSink): void {
    this.#add(tenant, [recording]);
    this.#fresh += 1;
    const send = () => {
      for (const call of this.#begin(router)) keepAlive(call);
    };
    this.#flushes.gathered(this.#fresh >= OUTCOMES_BATCH, send, keepAlive);
  }

  /** Sends what there is of the tenant, and waits for that LEDGER_MS_MAX at most. Never throws. */
  async flush(tenant: string, router: OutcomeTaker): Promise<void> {
    this.#tellDropped();
    if (!this.#free().includes(tenant)) return;
    const sent = this.#send(tenant, router);
    await within(LEDGER_MS_MAX, () => sent).catch(() => {}); // it may come yet
  }

  #begin(router: OutcomeTaker): Promise<void>[] {
    this.#tellDropped();
    this.#fresh = 0;
    return this.#free().map((tenant) => this.#send(tenant, router));
  }

  #tellDropped(): void {
    if (this.#dropped > 0)
      logEvent("outcomes dropped", `${this.#dropped} for which there was no room`);
    this.#dropped = 0;
  }

  /** Tenants of which something waits and that have no call under way. */
  #free(): string[] {
    return this.#calls.free(this.#pending.keys());
  }

  /** What a router did not take is kept for the next time, while there is room. */
  async #send(tenant: string, router: OutcomeTaker): Promise<void> {
    const recordings = this.#pending.get(tenant)!;
    this.#pending.delete(tenant);
    this.#waiting -= recordings.length;
    const record = () => router(tenant).record(...recordings);
    try {
      await this.#calls.run(tenant, 0, record);
    } catch (error) {
      logEvent("outcomes not recorded", String(error));
      this.#add(tenant, recordings);
    }
  }

  #add(tenant: string, recordings: readonly Recording[]): void {
    const known = this.#pending.get(tenant) ?? [];
    const own = OUTCOMES_PENDING_MAX - known.length;
    const room = Math.max(0, Math.min(own, OUTCOMES_WAITING_MAX - this.#waiting));
    const taken = recordings.slice(0, room);
    this.#dropped += recordings.length - taken.length;
    if (taken.length === 0) return;
    this.#pending.set(tenant, [...known, ...taken]);
    this.#waiting += taken.length;
  }
}

/** This isolate's. */
export const outcomeLog = new OutcomeLog();
