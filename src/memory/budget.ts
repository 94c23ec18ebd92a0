/** What the indexes of an isolate's objects may take together. The runtime may put several objects,
 *  and the Worker with its models, into one isolate of 128 MB, and ends it where that is exceeded:
 *  so the index that was not used for longest is dropped before. It is loaded again when needed. */
import { ServiceError } from "../errors.ts";
import { linearMemoryBytes } from "../model/linear-memory.ts";

interface Held {
  bytes: number;
  drop(): void;
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

export class IndexBudget {
  /** By owner, the one used longest ago first. */
  readonly #held = new Map<object, Held>();
  readonly #otherBytes: () => number;
  #bytes = 0;

  /** `otherBytes` says what models hold beside. */
  constructor(otherBytes: () => number = () => linearMemoryBytes("model")) {
    this.#otherBytes = otherBytes;
  }

  /** Bytes of all indexes that are counted. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts an owner's index, as used just now, and drops others while more than `limit` bytes are
   *  held. `drop` must let go of the index and nothing else. */
  use(owner: object, bytes: number, limit: number, drop: () => void): void {
    this.release(owner);
    this.#held.set(owner, { bytes, drop });
    this.#bytes += bytes;
    this.#makeRoom(owner, 0, limit);
  }

  /** Makes room for `more` bytes of an owner's index. Throws `memory_full` where all that others
   *  hold and can let go of is not enough. */
  admit(owner: object, more: number, limit: number): void {
    if (this.#makeRoom(owner, more, limit)) return;
    const [held, own] = [this.#otherBytes(), this.#held.get(owner)?.bytes ?? 0];
    throw new ServiceError(
      "memory_full",
      `the index would take ${megabytes(own + more)} MB beside ${megabytes(held)} MB of models, ` +
        `the limit of an isolate is ${megabytes(limit)} MB`,
    );
  }

  /** Counts an owner's index no longer. */
  release(owner: object): void {
    this.#bytes -= this.#held.get(owner)?.bytes ?? 0;
    this.#held.delete(owner);
  }

  #makeRoom(owner: object, more: number, limit: number): boolean {
    const others = this.#otherBytes();
    for (const [other, { drop }] of this.#held) {
      if (others + this.#bytes + more <= limit) return true;
      if (other === owner) continue;
      this.release(other);
      drop();
    }
    return others + this.#bytes + more <= limit;
  }
}

/** The one of this isolate. */
export const isolateIndexes = new IndexBudget();
