/** The writes that a vector tier may not show yet, searched by their codes. */
import { Bitmap } from "../../index/bitmap.ts";
import { CodeIndex } from "../../index/code-index.ts";
import { encodeCode } from "../../index/codes.ts";
import { cosineOf, type QuantizedVector, quantizeQuery } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import { TIER_PENDING_MAX } from "../limits.ts";
import type { PendingWrite, TierJournal, TierMatch } from "./vector-tier.ts";

/** Best by estimate, of which the best by cosine are taken: as many times as asked for. */
const RESCORED = 4;

export class PendingVectors {
  readonly #kernels: WebAssembly.Module;
  readonly #dim: number;
  readonly #journal: TierJournal;
  /** By id, in the order of writes. */
  readonly #writes = new Map<string, PendingWrite>();
  #codes: CodeIndex;
  /** By slot; null where what was there is gone. */
  #slots: (PendingWrite | null)[] = [];
  readonly #slotOf = new Map<string, number>();
  #order = 0;
  /** What the writes of the transaction under way met, in order; null outside of one. */
  #before: [string, PendingWrite | null][] | null = null;

  constructor(kernels: WebAssembly.Module, dim: number, journal: TierJournal) {
    this.#kernels = kernels;
    this.#dim = dim;
    this.#journal = journal;
    this.#codes = new CodeIndex(kernels, dim);
    for (const write of journal.all().sort((a, b) => a.order - b.order)) {
      this.#order = write.order;
      this.#put(write);
    }
  }

  get size(): number {
    return this.#writes.size;
  }

  has(id: string): boolean {
    return this.#writes.has(id);
  }

  ids(): Iterable<string> {
    return this.#writes.keys();
  }

  /** The last place among mutations; 0 where none is known. */
  get sequence(): number {
    let last = 0;
    for (const { sent } of this.#writes.values()) last = Math.max(last, sent?.sequence ?? 0);
    return last;
  }

  /** The place of a mutation of ours; 0 where it is none that is waited for. */
  sequenceOf(mutation: string): number {
    for (const { sent } of this.#writes.values())
      if (sent?.mutation === mutation) return sent.sequence;
    return 0;
  }

  /** Errors: memory_busy for a vector where TIER_PENDING_MAX others wait. Removals are never
   *  refused, since expiry cannot wait; they are few bytes, and at most one a passage. */
  add(id: string, vector: QuantizedVector | null): void {
    if (vector !== null && !this.#slotOf.has(id) && this.#slotOf.size >= TIER_PENDING_MAX)
      throw new ServiceError(
        "memory_busy",
        `${TIER_PENDING_MAX} vectors wait for the vector tier, which is the limit`,
      );
    this.#order++;
    this.#before?.push([id, this.#writes.get(id) ?? null]);
    const write = { id, vector, order: this.#order, sent: null };
    this.#journal.put(write);
    this.#put(write);
  }

  /** Runs a transaction of the journal; where it throws, what was added in it is forgotten, as the
   *  journal itself does. */
  transaction<T>(run: () => T): T {
    const before: [string, PendingWrite | null][] = [];
    this.#before = before;
    try {
      return run();
    } catch (error) {
      for (const [id, write] of before.reverse())
        if (write !== null) this.#put(write);
        else this.#drop(id);
      throw error;
    } finally {
      this.#before = null;
    }
  }

  /** The oldest writes that were not sent, of vectors or of removals, at most `limit`. */
  unsent(kind: "upsert" | "remove", limit: number): PendingWrite[] {
    const found: PendingWrite[] = [];
    for (const write of this.#writes.values()) {
      if (found.length === limit) break;
      if (write.sent === null && (write.vector === null) === (kind === "remove")) found.push(write);
    }
    return found;
  }

  /** Notes that the tier has accepted these; those that were replaced meanwhile stay unsent. */
  accepted(writes: readonly PendingWrite[], sent: PendingWrite["sent"]): void {
    for (const write of writes) {
      const now = this.#writes.get(write.id);
      if (now?.order !== write.order) continue;
      now.sent = sent;
      this.#journal.put(now);
    }
  }

  /** Forgets what the tier shows: `shown` tells, by how a write was sent. */
  settle(shown: (sent: NonNullable<PendingWrite["sent"]>) => boolean): void {
    for (const { id, sent } of [...this.#writes.values()]) {
      if (sent === null || !shown(sent)) continue;
      this.#journal.delete(id);
      this.#drop(id);
    }
    if (this.#slots.length > 2 * this.#slotOf.size + 1_024) this.#rebuild();
  }

  /** Takes what was accepted before this time, Unix ms, for not sent. */
  resend(beforeMs: number): void {
    for (const write of this.#writes.values()) {
      if (write.sent === null || write.sent.at >= beforeMs) continue;
      write.sent = null;
      this.#journal.put(write);
    }
  }

  /** The best k vectors by cosine, in no order. */
  best(query: Float32Array, k: number): TierMatch[] {
    const present = new Bitmap(this.#slots.length);
    for (const slot of this.#slotOf.values()) present.add(slot);
    const { slots } = this.#codes.best(query, k * RESCORED, present);
    const quantized = quantizeQuery(query);
    return Array.from(slots, (slot) => {
      const { id, vector } = this.#slots[slot]!;
      return { id, score: cosineOf(quantized, vector!) };
    });
  }

  #put(write: PendingWrite): void {
    this.#writes.delete(write.id); // to the end of the order
    this.#writes.set(write.id, write);
    this.#vacate(write.id);
    if (write.vector === null) return;
    this.#slotOf.set(write.id, this.#codes.append(encodeCode(write.vector)));
    this.#slots.push(write);
  }

  #drop(id: string): void {
    this.#writes.delete(id);
    this.#vacate(id);
  }

  #vacate(id: string): void {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return;
    this.#slots[slot] = null;
    this.#slotOf.delete(id);
  }

  /** Codes are only appended: slots that are gone are left behind with their linear memory. */
  #rebuild(): void {
    this.#codes = new CodeIndex(this.#kernels, this.#dim);
    this.#slots = [];
    this.#slotOf.clear();
    for (const write of [...this.#writes.values()]) this.#put(write);
  }
}
