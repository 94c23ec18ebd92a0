/** A shard's index while it is in memory: loaded when needed, dropped when another object of the
 *  isolate needs the room or a write failed half way. */
import { ServiceError } from "../errors.ts";
import { DOCUMENT_PASSAGES_MAX } from "../limits.ts";
import { isolateIndexes } from "./budget.ts";
import type { ChangePlan } from "./changes.ts";
import { LOST_CODEBOOK } from "./codebook-table.ts";
import { loadIndex, rebuildSegments, type Tables } from "./index-store.ts";
import type { Resident, Spare } from "./resident.ts";
import type { SegmentRow } from "./segment-table.ts";
import type { ShardStorage } from "./sql.ts";
import type { PreparedDocument, PreparedPassage } from "./types.ts";

export interface IndexBounds {
  /** How many passages fit. */
  passagesMax: number;
  /** Bytes that the index may take, and those that models and indexes of the isolate may. */
  indexBytesMax: number;
  isolateBytesMax: number;
}

export class IndexHolder {
  readonly #storage: ShardStorage;
  readonly #kernels: WebAssembly.Module;
  readonly #bounds: IndexBounds;
  #resident: Resident | null = null;
  #spare: Spare | null = null;

  constructor(storage: ShardStorage, kernels: WebAssembly.Module, bounds: IndexBounds) {
    this.#storage = storage;
    this.#kernels = kernels;
    this.#bounds = bounds;
  }

  /** The index, as used just now. */
  get(tables: Tables): Resident {
    this.#resident ??= this.#load(tables);
    this.#count(this.#resident.bytes + tables.metadata.bytes);
    return this.#resident;
  }

  /** Drops the index; the next use loads it again, into the same memory. */
  forget(): void {
    this.#spare = this.#resident?.spare ?? this.#spare;
    this.#resident = null;
  }

  /** Drops the index and its memory. */
  release(): void {
    isolateIndexes.release(this);
    this.#resident = null;
    this.#spare = null;
  }

  /** Makes neighbouring segments anew as one. The index is dropped: its slots are others then. */
  rebuild(tables: Tables, segments: readonly SegmentRow[], anew = false): void {
    const byDocument = tables.store.options()!.bm25_unit === "document";
    this.#storage.transactionSync(() => rebuildSegments(tables, segments, byDocument, anew));
    this.forget();
  }

  /** Checks a plan against the bounds. Throws `memory_full`, and `invalid_request` for vectors that
   *  do not fit. */
  admit(tables: Tables, { removed, added }: ChangePlan): void {
    const documents = added.map(({ document }) => document);
    const first = documents.find(({ passages }) => passages.length > 0)?.passages[0];
    if (first === undefined) return;
    const dim = first.vector.qs.length;
    for (const document of documents) checkDocument(document, dim);
    const resident = this.get(tables);
    resident.checkDimension(dim);
    const replaced = removed.reduce((sum, { passages }) => sum + passages, 0);
    const count = documents.reduce((sum, { passages }) => sum + passages.length, 0);
    const passages = resident.slots.livePassages - replaced + count;
    const { passagesMax, indexBytesMax, isolateBytesMax } = this.#bounds;
    if (passages > passagesMax)
      throw new ServiceError(
        "memory_full",
        `the memory would hold ${passages} passages, the limit is ${passagesMax}`,
      );
    const more = documents.reduce((sum, document) => sum + estimateBytes(document), 0);
    const total = resident.bytes + more;
    if (total > indexBytesMax)
      throw new ServiceError(
        "memory_full",
        `the index of the memory would take about ${megabytes(total)} MB, the limit is ` +
          `${megabytes(indexBytesMax)} MB`,
      );
    isolateIndexes.admit(this, more, isolateBytesMax);
  }

  #count(bytes: number): void {
    isolateIndexes.use(this, bytes, this.#bounds.isolateBytesMax, () => this.release());
  }

  /** Segments that are damaged are made anew, each once. */
  #load(tables: Tables): Resident {
    this.#count(tables.segments.bytes());
    for (;;) {
      const loaded = loadIndex(tables, this.#kernels, tables.store.options()!, this.#spare);
      this.#spare = null;
      if ("resident" in loaded) return loaded.resident;
      const { damaged } = loaded;
      console.error(JSON.stringify({ event: "segment_rebuilt", lo: damaged.lo, hi: damaged.hi }));
      this.rebuild(tables, [damaged]);
      tables.store.setNumbers({ rebuilt: tables.store.numbers().rebuilt + 1 });
    }
  }
}

function checkDocument({ id, passages }: PreparedDocument, dim: number): void {
  const fail = (message: string) =>
    new ServiceError("invalid_request", `document ${JSON.stringify(id)}: ${message}`);
  if (passages.length > DOCUMENT_PASSAGES_MAX)
    throw fail(`${passages.length} passages, the limit is ${DOCUMENT_PASSAGES_MAX}`);
  const isWhole = ({ vector, codebook }: PreparedPassage) =>
    vector.qs.length === dim && (vector.scale > 0 || codebook === LOST_CODEBOOK);
  if (!passages.every(isWhole))
    throw fail(`a vector is not ${dim} finite numbers of which one is not 0`);
}

/** About what the index grows by until its memtable is sealed: a code with its slots, and postings
 *  of 16 bytes each, one for about every 8 characters. Most of that is given back at the seal. */
function estimateBytes({ text, passages }: PreparedDocument): number {
  return passages.length * 256 + text.length * 2;
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
