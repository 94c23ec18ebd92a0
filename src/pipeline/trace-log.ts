/** Requests that this isolate has served and not told of yet. */
import type { TraceBatch, TraceRecord } from "../ledger/trace-types.ts";
import { TRACE_FLUSH_MS, TRACE_TENANTS_MAX, TRACES_BATCH, TRACES_PENDING_MAX } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { Flushes } from "./flushes.ts";

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

/** Gathers what is told and sends it on together, TRACE_FLUSH_MS after the first. What an isolate
 *  that ends within that time has gathered is lost. */
export class TraceLog {
  readonly totals: TraceTotals = {
    traces: { kept: 0, sampled_out: 0, dropped: 0, failed: 0 },
    spans: { exported: 0, dropped: 0, failed: 0 },
  };
  #pending = new Map<string, Pending>();
  #exports: TenantTrace[] = [];
  #waiting = 0;
  readonly #flushes = new Flushes(TRACE_FLUSH_MS);

  note({ tenant, record, kept, exported, tellGrowth }: Told, sink: TraceSink): void {
    const pending = this.#of(tenant);
    if (pending === null) {
      this.#drop(record);
      return;
    }
    const { traces, series } = pending;
    tellGrowth((key, by) => grow(series, key, by));
    if (!kept && !exported) this.totals.traces.sampled_out++;
    else if (this.#waiting >= TRACES_PENDING_MAX) this.#drop(record);
    else {
      this.#waiting++;
      if (kept) traces.push(record);
      if (exported && sink.exporter !== null) this.#exports.push({ ...record, tenant });
    }
    const enough = this.#waiting >= TRACES_BATCH;
    this.#flushes.gathered(enough, () => this.#send(sink), sink.keepAlive);
  }

  async #send(sink: TraceSink): Promise<void> {
    const [pending, exports] = [this.#pending, this.#exports];
    [this.#pending, this.#exports, this.#waiting] = [new Map(), [], 0];
    const kept = Array.from(pending, (one) => this.#keep(sink, ...one));
    await Promise.all([...kept, this.#export(sink, exports)]);
  }

  async #keep(sink: TraceSink, tenant: string, { traces, series }: Pending): Promise<void> {
    try {
      await sink.ring(tenant).record({ traces, series: [...series] });
      this.totals.traces.kept += traces.length;
    } catch (error) {
      this.totals.traces.failed += traces.length;
      logEvent("traces not kept", String(error));
      const later = this.#of(tenant);
      // They are few, whatever they count.
      if (later !== null) for (const one of series) grow(later.series, ...one);
    }
  }

  async #export({ exporter }: TraceSink, traces: TenantTrace[]): Promise<void> {
    if (traces.length === 0 || exporter === null) return;
    const { exported, failed } = await exporter(traces);
    this.totals.spans.exported += exported;
    this.totals.spans.failed += failed;
  }

  #drop(record: TraceRecord): void {
    this.totals.traces.dropped++;
    this.totals.spans.dropped += record.spans.length + 1;
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
