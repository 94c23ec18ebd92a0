/** Requests that this isolate has served and not told of yet. */
import type { TraceBatch, TraceRecord } from "../ledger/trace-types.ts";
import {
  TRACE_FLUSH_MS,
  TRACE_TENANTS_MAX,
  TRACES_BATCH,
  TRACES_HELD_MAX,
  TRACES_PENDING_MAX,
} from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { Flushes } from "./flushes.ts";
import { TenantCalls } from "./tenant-calls.ts";

/** Where a finished request goes. */
export interface TraceSink {
  /** A tenant's memory of requests. */
  ring: (tenant: string) => { record(batch: TraceBatch): Promise<unknown> };
  /** The collector; null where none is configured. Must not throw. */
  exporter: ((traces: readonly TenantTrace[]) => Promise<ExportResult>) | null;
  /** Lets work go on after the reply. */
  keepAlive: (work: Promise<unknown>) => void;
}

export type TenantTrace = TraceRecord & { tenant: string };

/** Spans that a collector took, and that it did not. */
export interface ExportResult {
  exported: number;
  failed: number;
}

/** What is told of one request. */
export interface Told {
  tenant: string;
  record: TraceRecord;
  /** Whether it is for the tenant's memory, and whether for the collector. */
  kept: boolean;
  exported: boolean;
  /** Tells how much the tenant's series grew. */
  tellGrowth: (grow: Grow) => void;
}

/** Counts since the isolate began. `dropped` are those for which there was no room, `failed` those
 *  that their object or the collector did not take. */
export interface TraceTotals {
  traces: { kept: number; sampled_out: number; dropped: number; failed: number };
  spans: { exported: number; dropped: number; failed: number };
}

/** A series' key, and by how much it grew. */
export type Grow = (key: string, by: number) => void;

interface Pending {
  traces: TraceRecord[];
  series: Map<string, number>;
}

/** The name of the collector's calls: no tenant has it. */
const COLLECTOR = "";

/** Gathers what is told and sends it on together, TRACE_FLUSH_MS after the first. A tenant's memory
 *  has one call under way and so has the collector: one that does not answer is no other's matter.
 *  What an isolate that ends within that time has gathered is lost, and so are traces beyond
 *  TRACES_PENDING_MAX of a tenant or of the collector and TRACES_HELD_MAX in all. */
export class TraceLog {
  readonly totals: TraceTotals = {
    traces: { kept: 0, sampled_out: 0, dropped: 0, failed: 0 },
    spans: { exported: 0, dropped: 0, failed: 0 },
  };
  readonly #pending = new Map<string, Pending>();
  #exports: TenantTrace[] = [];
  readonly #calls = new TenantCalls();
  /** Of the tenants together, those that have not been sent. */
  #waiting = 0;
  /** Those that came since the last flush. */
  #fresh = 0;
  readonly #flushes = new Flushes(TRACE_FLUSH_MS);

  note({ tenant, record, kept, exported, tellGrowth }: Told, sink: TraceSink): void {
    const pending = this.#of(tenant);
    if (pending !== null) tellGrowth((key, by) => grow(pending.series, key, by));
    if (pending === null || kept) this.#keep(pending, record);
    if (exported && sink.exporter !== null) this.#export({ ...record, tenant });
    if (!kept && !exported) this.totals.traces.sampled_out++;
    else this.#fresh++;
    const begin = () => this.#begin(sink);
    this.#flushes.gathered(this.#fresh >= TRACES_BATCH, begin, sink.keepAlive);
  }

  #keep(pending: Pending | null, record: TraceRecord): void {
    const full = this.#waiting + this.#calls.carried >= TRACES_HELD_MAX;
    if (pending === null || full || pending.traces.length >= TRACES_PENDING_MAX) {
      this.totals.traces.dropped++;
      return;
    }
    this.#waiting++;
    pending.traces.push(record);
  }

  #export(trace: TenantTrace): void {
    if (this.#exports.length < TRACES_PENDING_MAX) this.#exports.push(trace);
    else this.totals.spans.dropped += trace.spans.length + 1;
  }

  #begin({ ring, exporter, keepAlive }: TraceSink): void {
    this.#fresh = 0;
    for (const tenant of this.#calls.free(this.#pending.keys()))
      keepAlive(this.#send(tenant, ring));
    if (this.#exports.length === 0 || exporter === null) return;
    if (this.#calls.free([COLLECTOR]).length > 0) keepAlive(this.#sendExports(exporter));
  }

  async #send(tenant: string, ring: TraceSink["ring"]): Promise<void> {
    const { traces, series } = this.#pending.get(tenant)!;
    this.#pending.delete(tenant);
    this.#waiting -= traces.length;
    const batch = { traces, series: [...series] };
    try {
      await this.#calls.run(tenant, traces.length, () => ring(tenant).record(batch));
      this.totals.traces.kept += traces.length;
    } catch (error) {
      this.totals.traces.failed += traces.length;
      logEvent("traces not kept", String(error));
      const later = this.#of(tenant);
      // They are few, whatever they count.
      if (later !== null) for (const one of series) grow(later.series, ...one);
    }
  }

  async #sendExports(exporter: NonNullable<TraceSink["exporter"]>): Promise<void> {
    const traces = this.#exports;
    this.#exports = [];
    const { exported, failed } = await this.#calls.run(COLLECTOR, 0, () => exporter(traces));
    this.totals.spans.exported += exported;
    this.totals.spans.failed += failed;
  }

  /** Null where there are too many tenants. */
  #of(tenant: string): Pending | null {
    const known = this.#pending.get(tenant);
    if (known !== undefined) return known;
    if (this.#pending.size >= TRACE_TENANTS_MAX) return null;
    const fresh: Pending = { traces: [], series: new Map() };
    this.#pending.set(tenant, fresh);
    return fresh;
  }
}

function grow(series: Map<string, number>, key: string, by: number): void {
  series.set(key, (series.get(key) ?? 0) + by);
}

/** This isolate's. */
export const traceLog = new TraceLog();
