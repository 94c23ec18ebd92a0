/** The Durable Object that remembers a tenant's last requests and counts all of them. An object of
 *  its own: it is written after every reply, and neither keys nor routing wait for it. */
import { DurableObject } from "cloudflare:workers";
import { migrate } from "./migrate.ts";
import { SERIES_SCHEMA, Series } from "./series.ts";
import { TRACE_BOUNDS, TRACES_SCHEMA, type TraceBounds, TraceRing } from "./trace-ring.ts";
import type { TraceBatch, TraceFilter, TracePage, TraceRecord } from "./trace-types.ts";

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one. */
export const MIGRATIONS: readonly string[] = [`${TRACES_SCHEMA}${SERIES_SCHEMA}`];

/** Object RPC; one object a tenant. */
export class TraceObject extends DurableObject {
  readonly #ring: TraceRing;
  readonly #series: Series;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    const { sql } = state.storage;
    state.storage.transactionSync(() => migrate(sql, MIGRATIONS));
    this.#ring = new TraceRing(sql, this.bounds, () => this.now());
    this.#series = new Series(sql);
  }

  /** Unix time in ms. A test sets it, and lowers the bounds. */
  protected now(): number {
    return Date.now();
  }

  protected get bounds(): TraceBounds {
    return TRACE_BOUNDS;
  }

  async record({ traces, series }: TraceBatch): Promise<void> {
    this.ctx.storage.transactionSync(() => {
      if (traces.length > 0) this.#ring.add(traces);
      this.#series.add(series);
    });
    if (traces.length > 0) await this.#wakeLater();
  }

  find(traceId: string): TraceRecord | null {
    return this.#ring.find(traceId);
  }

  page(filter: TraceFilter, limit: number, cursor: number | null): TracePage {
    return this.#ring.page(filter, limit, cursor);
  }

  /** Forgets the traces of a namespace, or all; how many there were. Counts stay. */
  forget(namespace: string | null): number {
    return this.#ring.clear(namespace);
  }

  series(): [string, number][] {
    return this.#series.all();
  }

  override async alarm(): Promise<void> {
    this.#ring.trim();
    await this.#wakeLater();
  }

  /** What is past its time goes, though nobody calls again. */
  async #wakeLater(): Promise<void> {
    const expires = this.#ring.expires();
    if (expires === null || (await this.ctx.storage.getAlarm()) !== null) return;
    await this.ctx.storage.setAlarm(expires);
  }
}
