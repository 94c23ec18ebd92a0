/** The archive: vectors of segments that nothing changed for long are stored as codes of a product
 *  quantization, a quarter of the bytes. What it takes is done in steps, between which the shard
 *  serves: training a codebook, part by part, then the rows, some hundreds at a time. An archived
 *  passage's vector is from then on what its codebook decodes, for every reader. Its code of one
 *  bit a dimension, which only chooses candidates, stays that of the vector before until it is made
 *  anew. Vectors that callers brought are not archived: nobody could make them again. */
import { CodebookTraining } from "../../index/pq.ts";
import {
  ARCHIVE_PART_WIDTH,
  ARCHIVE_ROWS_STEP,
  ARCHIVE_VECTORS_MIN,
  PQ_SAMPLE_MAX,
} from "../limits.ts";
import { NO_CODEBOOK } from "./codebook-table.ts";
import type { Tables } from "./index-store.ts";
import type { ShardStorage } from "./sql.ts";
import type { ShardNumbers } from "./store.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The next segment that has vectors to archive, and when it is cold. */
interface NextSegment {
  hi: number;
  coldAt: number;
}

export class Archive {
  readonly #storage: ShardStorage;
  /** Begun anew when the object wakes: the same vectors give the same codebook. */
  #training: CodebookTraining | null = null;

  constructor(storage: ShardStorage) {
    this.#storage = storage;
  }

  /** When `step` has something to do, Unix ms; null: not before the next seal, or never. */
  dueAt(tables: Tables): number | null {
    return this.#next(tables)?.coldAt ?? null;
  }

  /** One piece of what is due; to be called when something is. */
  step(tables: Tables, now: number): void {
    const { store, passages } = tables;
    const hi = this.#coldTo(tables, now);
    const numbers = store.numbers();
    const to = store.passagesEnd(hi);
    if (numbers.codebook === NO_CODEBOOK) {
      this.#train(tables, hi, to);
      return;
    }
    this.#training = null;
    const bytes = this.#whole(tables, numbers.codebook);
    if (bytes === null) return;
    this.#storage.transactionSync(() => {
      const range = { from: numbers.archived_passage, to };
      const archived_passage = passages.archive(range, ARCHIVE_ROWS_STEP, numbers.codebook, bytes);
      store.setNumbers({ archived_passage });
    });
  }

  /** The codebook's bytes. A damaged one is not used again: another will be trained. */
  #whole({ store, codebooks }: Tables, id: number): Uint8Array | null {
    try {
      return codebooks.bytes(id);
    } catch (error) {
      console.error(JSON.stringify({ event: "codebook_damaged", message: String(error) }));
      store.setNumbers({ codebook: NO_CODEBOOK });
      return null;
    }
  }

  /** Gives up a training that has begun. */
  forget(): void {
    this.#training = null;
  }

  /** Rows ascend in the order of changes, so a segment's last document is its last changed. */
  #next({ store, passages, segments }: Tables): NextSegment | null {
    const days = store.options()!.archive_after_days;
    if (days === null) return null;
    const numbers = store.numbers();
    if (numbers.dim % ARCHIVE_PART_WIDTH !== 0) return null;
    const document = passages.documentFrom(firstOf(numbers));
    if (document === null) return null;
    const segment = segments.list().find(({ hi }) => hi >= document);
    if (segment === undefined) return null;
    return { hi: segment.hi, coldAt: store.changedAt(segment.hi) + days * DAY_MS };
  }

  /** The row of the last document of those segments, from the next one on, that are all cold. */
  #coldTo(tables: Tables, now: number): number {
    const { store, segments } = tables;
    let { hi } = this.#next(tables)!;
    const cutoff = now - store.options()!.archive_after_days! * DAY_MS;
    for (const segment of segments.list()) {
      if (segment.hi <= hi) continue;
      if (store.changedAt(segment.hi) > cutoff) break;
      hi = segment.hi;
    }
    return hi;
  }

  /** One part of the training. Where vectors are too few it waits for the next segment to cool. */
  #train({ store, passages, codebooks }: Tables, hi: number, to: number): void {
    if (this.#training === null) {
      const { dim, archived_passage } = store.numbers();
      const rows = store.sampleOfMade(archived_passage, hi, PQ_SAMPLE_MAX);
      const sample = passages.unarchived(rows);
      if (sample.length < ARCHIVE_VECTORS_MIN) store.setNumbers({ archive_tried: to });
      else this.#training = new CodebookTraining(sample, dim / ARCHIVE_PART_WIDTH);
      return;
    }
    if (!this.#training.step()) return;
    const bytes = this.#training.codebook().bytes();
    this.#training = null;
    this.#storage.transactionSync(() => store.setNumbers({ codebook: codebooks.put(bytes) }));
  }
}

/** The passage from which on there may be something to do. */
function firstOf({ codebook, archived_passage, archive_tried }: ShardNumbers): number {
  return codebook === NO_CODEBOOK ? Math.max(archived_passage, archive_tried) : archived_passage;
}
