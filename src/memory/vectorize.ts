/** Cloudflare Vectorize as a vector tier. Its documented contract (developers.cloudflare.com/
 *  vectorize: platform/limits, reference/client-api, best-practices/insert-vectors): mutations are
 *  written to a log at once, answered by an id, and seen by queries seconds later, in their order;
 *  `describe` names the last mutation processed, and its time; the limits are in src/limits.ts. */
import { dequantizeVector, type QuantizedVector } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import {
  TIER_CLOCK_SKEW_MS,
  TIER_DELETE_MAX,
  TIER_DIM_MAX,
  TIER_PENDING_MAX,
  TIER_RESEND_MS,
  TIER_TOP_K_MAX,
  TIER_UPSERT_MAX,
} from "../limits.ts";
import { PendingVectors } from "./pending-vectors.ts";
import type { PendingWrite, TierJournal, TierResult, VectorTier } from "./vector-tier.ts";

/** What of the binding is used. */
export type VectorizeBinding = Pick<Vectorize, "upsert" | "deleteByIds" | "query" | "describe">;

/** One namespace of the memory within an index that it may share with others. The index has the
 *  metric `cosine`. Filters do not reach it: a query with one is for the memory's own codes. */
export class VectorizeTier implements VectorTier {
  readonly #index: VectorizeBinding;
  readonly #namespace: string;
  readonly #dim: number;
  readonly #pending: PendingVectors;
  readonly #now: () => number;
  #sequence: number;
  #syncing: Promise<number> | null = null;

  /** `namespace` is of `tierNamespace`. Errors: invalid_request for a dimension that Vectorize does
   *  not take. */
  constructor(
    index: VectorizeBinding,
    namespace: string,
    dim: number,
    kernels: WebAssembly.Module,
    journal: TierJournal,
    now: () => number = Date.now,
  ) {
    if (dim > TIER_DIM_MAX)
      throw new ServiceError(
        "invalid_request",
        `vectors of ${dim} dimensions, Vectorize takes ${TIER_DIM_MAX}`,
      );
    this.#index = index;
    this.#namespace = namespace;
    this.#dim = dim;
    this.#pending = new PendingVectors(kernels, dim, journal);
    this.#sequence = this.#pending.sequence;
    this.#now = now;
  }

  /** Writes that the index may not show yet. */
  get pending(): number {
    return this.#pending.size;
  }

  upsert(id: string, vector: QuantizedVector): void {
    this.#pending.add(id, vector);
  }

  remove(id: string): void {
    this.#pending.add(id, null);
  }

  transaction<T>(run: () => T): T {
    return this.#pending.transaction(run);
  }

  async query(
    query: Float32Array,
    k: number,
    living: (id: string) => boolean,
    sure = k,
  ): Promise<TierResult> {
    if (k > TIER_TOP_K_MAX)
      throw new ServiceError("invalid_request", `k is ${k}, the limit is ${TIER_TOP_K_MAX}`);
    if (query.length !== this.#dim)
      throw new ServiceError(
        "invalid_request",
        `a query has ${query.length} dimensions, the vectors ${this.#dim}`,
      );
    // What waits now may be taken up before the answer comes, which yet may not show it.
    const hidden = new Set(this.#pending.ids());
    const found = new Map(this.#pending.best(query, k).map(({ id, score }) => [id, score]));
    const topK = Math.min(TIER_TOP_K_MAX, k + hidden.size);
    const reply = await this.#call("query", () =>
      this.#index.query(query, { topK, namespace: this.#namespace }),
    );
    // What was written meanwhile replaces what was found before.
    for (const id of this.#pending.ids()) {
      hidden.add(id);
      found.delete(id);
    }
    for (const { id, score } of this.#pending.best(query, k)) found.set(id, score);
    for (const { id, score } of reply.matches) if (!hidden.has(id)) found.set(id, score);
    const shown = reply.matches.filter(({ id }) => !hidden.has(id) && living(id));
    const matches = Array.from(found, ([id, score]) => ({ id, score }))
      .filter(({ id }) => living(id))
      .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
      .slice(0, k);
    return { matches, complete: reply.matches.length < topK || shown.length >= sure };
  }

  /** One at a time: the order of calls is the order of mutations. */
  sync(): Promise<number> {
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = null;
    });
    return this.#syncing;
  }

  async #sync(): Promise<number> {
    // So many turns send all that may wait; endless writing meanwhile does not hold it here.
    for (let turns = TIER_PENDING_MAX / TIER_DELETE_MAX; turns > 0; turns--) {
      const sent = (await this.#sendUpserts()) + (await this.#sendRemovals());
      if (sent === 0) break;
    }
    if (this.#pending.size > 0) await this.#settle();
    return this.#pending.size;
  }

  async #sendUpserts(): Promise<number> {
    const writes = this.#pending.unsent("upsert", TIER_UPSERT_MAX);
    if (writes.length === 0) return 0;
    const vectors = writes.map(({ id, vector }) => {
      return { id, values: dequantizeVector(vector!), namespace: this.#namespace };
    });
    const reply = await this.#call("upsert", () => this.#index.upsert(vectors));
    this.#accept(writes, reply.mutationId);
    return writes.length;
  }

  async #sendRemovals(): Promise<number> {
    const writes = this.#pending.unsent("remove", TIER_DELETE_MAX);
    if (writes.length === 0) return 0;
    const ids = writes.map(({ id }) => id);
    const reply = await this.#call("deletion", () => this.#index.deleteByIds(ids));
    this.#accept(writes, reply.mutationId);
    return writes.length;
  }

  #accept(writes: readonly PendingWrite[], mutation: string): void {
    this.#sequence++;
    this.#pending.accepted(writes, { mutation, sequence: this.#sequence, at: this.#now() });
  }

  /** Forgets what the index shows. Where it names a mutation of ours, all up to that; where it is
   *  shared and names another's, all that was accepted clearly before. What is not seen for long
   *  is sent again: that changes nothing, and its mutation is newer than any other's. */
  async #settle(): Promise<void> {
    const info = await this.#call("description", () => this.#index.describe());
    const mutation = String(info.processedUpToMutation);
    const processedMs = new Date(info.processedUpToDatetime).getTime();
    const upTo = this.#pending.sequenceOf(mutation);
    this.#pending.settle(
      ({ sequence, at }) => sequence <= upTo || at + TIER_CLOCK_SKEW_MS < processedMs,
    );
    this.#pending.resend(this.#now() - TIER_RESEND_MS);
  }

  async #call<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      const message = `the vector tier failed at a ${what}`;
      throw new ServiceError("backend_unavailable", message, { cause });
    }
  }
}
