/** What this isolate's requests used and has not been recorded yet, and what it counted in all. */
import { dayOf } from "../ledger/periods.ts";
import type { UsageCounts, UsageEntry } from "../ledger/usage-object.ts";
import { LEDGER_MS_MAX, USAGE_FLUSH_MS, USAGE_PENDING_MAX } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { Flushes } from "./flushes.ts";
import { TenantCalls } from "./tenant-calls.ts";
import { within } from "./within.ts";

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

/** Gathers counts by tenant, key and day and sends them on together, USAGE_FLUSH_MS after the
 *  first. Those of an isolate that ends within that time are lost, and those of more keys than
 *  USAGE_PENDING_MAX while no recorder takes them; budgets do not rest on them. */
export class UsageLog {
  readonly totals: UsageTotals = { ...NOTHING, ledger_failures: 0, ledger_allowed: 0 };
  readonly #pending = new Map<string, Pending>();
  /** Counts that there was no room for since the last flush. */
  #dropped = 0;
  readonly #calls = new TenantCalls();
  readonly #flushes = new Flushes(USAGE_FLUSH_MS);

  note(tenant: string, key: string, counts: Partial<UsageCounts>, sink: UsageSink): void {
    const counted = { ...NOTHING, tenant, key, day: dayOf(Date.now()) };
    addTo(counted, counts);
    this.#add(counted);
    addTo(this.totals, counts);
    const enough = this.#pending.size >= USAGE_PENDING_MAX;
    this.#flushes.gathered(enough, () => this.#begin(sink), sink.keepAlive);
  }

  /** Sends what there is of the tenant, and waits for that LEDGER_MS_MAX at most. Never throws. */
  async flush(tenant: string, recorder: UsageSink["recorder"]): Promise<void> {
    const counted = [...this.#pending.values()].filter((one) => one.tenant === tenant);
    if (counted.length === 0) return;
    this.#tellDropped();
    const sent = this.#send(tenant, counted, recorder);
    await within(LEDGER_MS_MAX, () => sent).catch(() => {}); // it may come yet
  }

  /** A recorder has one call under way, so that one that does not answer is no other tenant's
   *  matter. */
  #begin({ recorder, keepAlive }: UsageSink): void {
    const tenants = Map.groupBy(this.#pending.values(), ({ tenant }) => tenant);
    const free = this.#calls.free(tenants.keys());
    if (free.length > 0) this.#tellDropped(); // not with every count that finds no room
    for (const tenant of free) {
      const counted = tenants.get(tenant)!;
      const send = () => this.#send(tenant, counted, recorder);
      keepAlive(this.#calls.run(tenant, 0, send));
    }
  }

  /** What a recorder did not take is kept for the next time. */
  async #send(tenant: string, list: Pending[], recorder: UsageSink["recorder"]): Promise<void> {
    for (const one of list) this.#pending.delete(nameOf(one));
    try {
      await recorder(tenant).record(list.map(({ tenant: _, ...entry }) => entry));
    } catch (error) {
      logEvent("usage not recorded", String(error));
      for (const entry of list) this.#add(entry);
    }
  }

  #tellDropped(): void {
    if (this.#dropped > 0)
      logEvent("usage dropped", `${this.#dropped} counts, no room for more keys`);
    this.#dropped = 0;
  }

  #add(counted: Pending): void {
    const name = nameOf(counted);
    const known = this.#pending.get(name);
    if (known !== undefined) addTo(known, counted);
    else if (this.#pending.size < USAGE_PENDING_MAX) this.#pending.set(name, counted);
    else this.#dropped += 1;
  }
}

type Pending = UsageEntry & { tenant: string };

function nameOf({ tenant, key, day }: Pending): string {
  return `${tenant}/${key}/${day}`;
}

function addTo(sums: UsageCounts, counts: Partial<UsageCounts>): void {
  for (const name of COUNTED) sums[name] += counts[name] ?? 0;
}

/** This isolate's. */
export const usageLog = new UsageLog();
