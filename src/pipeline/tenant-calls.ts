/** Calls that an isolate has under way of objects of which each tenant has its own. */
import { FLUSH_MS_MAX } from "../limits.ts";

/** One call a tenant, so that an object that does not answer is no other tenant's matter. A call
 *  that takes longer than FLUSH_MS_MAX is given up: the request in whose time it ran may be gone,
 *  and then it never ends. */
export class TenantCalls {
  readonly #begun = new Map<string, { at: number; load: number }>();
  #carried = 0;

  /** What the calls under way carry together, as `run` was told. */
  get carried(): number {
    return this.#carried;
  }

  /** Those of the tenants that have no call under way. */
  free(tenants: Iterable<string>): string[] {
    const givenUp = Date.now() - FLUSH_MS_MAX;
    for (const [tenant, { at }] of this.#begun) if (at <= givenUp) this.#end(tenant);
    return [...tenants].filter((tenant) => !this.#begun.has(tenant));
  }

  /** Makes the call of a tenant that is free. `load` is how much it carries. */
  async run<T>(tenant: string, load: number, call: () => Promise<T>): Promise<T> {
    const own = { at: Date.now(), load };
    this.#begun.set(tenant, own);
    this.#carried += load;
    try {
      return await call();
    } finally {
      if (this.#begun.get(tenant) === own) this.#end(tenant); // unless it was given up
    }
  }

  #end(tenant: string): void {
    this.#carried -= this.#begun.get(tenant)!.load;
    this.#begun.delete(tenant);
  }
}
