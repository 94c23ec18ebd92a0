/** Open addressing over a typed array: a Map of 150,000 strings takes many times the heap. */
import { HASH_PROBES_MAX } from "../limits.ts";
import { invalidModel } from "./gguf.ts";

/** Slots that hold integers, found by hash; the caller knows what each integer's key is. */
export class HashSlots {
  /** A power of two of them, at most two thirds filled; -1 is empty. */
  private readonly slots: Int32Array;
  private readonly mask: number;

  /** For at most `entries` integers. */
  constructor(entries: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, entries * 1.5)));
    this.slots = new Int32Array(size).fill(-1);
    this.mask = size - 1;
  }

  get byteLength(): number {
    return this.slots.byteLength;
  }

  /** The first integer under `hash` that `matches`; -1 if there is none. */
  find(hash: number, matches: (value: number) => boolean): number {
    let at = hash & this.mask;
    for (let probes = 0; probes <= HASH_PROBES_MAX; probes++) {
      const value = this.slots[at]!;
      if (value === -1 || matches(value)) return value;
      at = (at + 1) & this.mask;
    }
    return -1;
  }

  /** Puts `value` there, unless one that `matches` is there. Errors: invalid_model_file when so
   *  many keys share a hash that only a file made for it has them. */
  add(hash: number, value: number, matches: (value: number) => boolean): void {
    let at = hash & this.mask;
    for (let probes = 0; this.slots[at] !== -1; probes++) {
      if (matches(this.slots[at]!)) return;
      if (probes === HASH_PROBES_MAX)
        throw invalidModel(`more than ${HASH_PROBES_MAX} tokens or merges have one hash`);
      at = (at + 1) & this.mask;
    }
    this.slots[at] = value;
  }
}

/** Spreads what `hash` has in any bit over all 32 (the finalizer of MurmurHash3). */
export function spread(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A hash of bytes [from, to). */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5; // FNV-1a
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return spread(h);
}
