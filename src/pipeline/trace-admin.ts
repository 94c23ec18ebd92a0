/** A tenant's own traces and counters, for its administrators. */
import type { TraceObject } from "../ledger/trace-object.ts";
import type { TraceFilter, TracePage, TraceRecord } from "../ledger/trace-types.ts";
import type { Caller } from "./types.ts";

export interface TraceAdmin {
  /** Newest first. */
  page(
    caller: Caller,
    filter: TraceFilter,
    limit: number,
    cursor: number | null,
  ): Promise<TracePage>;
  /** Null where the caller's tenant has none of that id, or no longer. */
  find(caller: Caller, traceId: string): Promise<TraceRecord | null>;
  /** How many there were. */
  forget(caller: Caller): Promise<number>;
  /** The tenant's counters, by their keys (metric-families.ts). */
  series(caller: Caller): Promise<[string, number][]>;
}

export class TenantTraces implements TraceAdmin {
  readonly #object: (tenant: string) => DurableObjectStub<TraceObject>;

  constructor(object: (tenant: string) => DurableObjectStub<TraceObject>) {
    this.#object = object;
  }

  page({ tenant }: Caller, filter: TraceFilter, limit: number, cursor: number | null) {
    return this.#object(tenant).page(filter, limit, cursor);
  }

  find({ tenant }: Caller, traceId: string): Promise<TraceRecord | null> {
    return this.#object(tenant).find(traceId);
  }

  forget({ tenant }: Caller): Promise<number> {
    return this.#object(tenant).forget(null);
  }

  async series({ tenant }: Caller): Promise<[string, number][]> {
    const series = await this.#object(tenant).series();
    return series.map(([key, value]) => [key as string, value as number]); // as RPC's types widen
  }
}
