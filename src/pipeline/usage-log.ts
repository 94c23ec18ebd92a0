/** What this isolate's requests used and has not been recorded yet, and what it counted in all. */
import { dayOf } from "../ledger/periods.ts";
import type { UsageCounts, UsageEntry } from "../ledger/usage-object.ts";
import { USAGE_FLUSH_MS, USAGE_PENDING_MAX } from "../limits.ts";

/** Where counts go. */
export interface UsageSink {
  /** A tenant's recorder. */
  recorder: (tenant: string) => { record(entries: UsageEntry[]): Promise<unknown> };
  /** Lets work go on after the reply. */
  keepAlive: (work: Promise<unknown>) => void;
}

/** Counts since the isolate began. */
export interface UsageTotals extends UsageCounts {
  /** Calls of the ledger that failed or took too long, and requests let through all the same. */
  ledger_failures: number;
  ledger_allowed: number;
}

const NOTHING: UsageCounts = {
  requests: 0,
  refused: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  nanos: 0,
};

const COUNTED = Object.keys(NOTHING) as (keyof UsageCounts)[];

/** Gathers counts by tenant, key and day. They are sent on together: USAGE_FLUSH_MS after the first
 *  of them, in the time of the request that it belongs to, so that traffic costs no call a request.
 *  Counts of an isolate that ends within that time are lost; budgets do not rest on them. */
export class UsageLog {
  readonly totals: UsageTotals = { ...NOTHING, ledger_failures: 0, ledger_allowed: 0 };
  #pending = new Map<string, Pending>();
  /** When the next flush is due; past that, another must be begun: its request may be gone. */
  #flushAt = Number.NEGATIVE_INFINITY;

  note(tenant: string, key: string, counts: Partial<UsageCounts>, sink: UsageSink): void {
    const now = Date.now();
    addTo(this.#of(tenant, key, dayOf(now)), counts);
    addTo(this.totals, counts);
    if (this.#pending.size > USAGE_PENDING_MAX) sink.keepAlive(this.flush(sink.recorder));
    else if (now > this.#flushAt + USAGE_FLUSH_MS) {
      this.#flushAt = now + USAGE_FLUSH_MS;
      sink.keepAlive(this.#flushLater(sink.recorder));
    }
  }

  /** Sends what there is on. What a recorder did not take is kept for the next time. */
  async flush(recorder: UsageSink["recorder"]): Promise<void> {
    const pending = this.#pending;
    this.#pending = new Map();
    const tenants = Map.groupBy(pending.values(), ({ tenant }) => tenant);
    const sent = Array.from(tenants, async ([tenant, list]) => {
      try {
        await recorder(tenant).record(list.map(({ tenant: _, ...entry }) => entry));
      } catch (error) {
        console.error(JSON.stringify({ event: "usage not recorded", detail: String(error) }));
        if (this.#pending.size <= USAGE_PENDING_MAX)
          for (const entry of list) addTo(this.#of(tenant, entry.key, entry.day), entry);
      }
    });
    await Promise.all(sent);
  }

  async #flushLater(recorder: UsageSink["recorder"]): Promise<void> {
    await new Promise((done) => setTimeout(done, USAGE_FLUSH_MS));
    this.#flushAt = Number.NEGATIVE_INFINITY;
    await this.flush(recorder);
  }

  #of(tenant: string, key: string, day: number): Pending {
    const name = `${tenant}/${key}/${day}`;
    const known = this.#pending.get(name);
    if (known !== undefined) return known;
    const fresh = { ...NOTHING, tenant, key, day };
    this.#pending.set(name, fresh);
    return fresh;
  }
}

type Pending = UsageEntry & { tenant: string };

function addTo(sums: UsageCounts, counts: Partial<UsageCounts>): void {
  for (const name of COUNTED) sums[name] += counts[name] ?? 0;
}

/** This isolate's. */
export const usageLog = new UsageLog();
