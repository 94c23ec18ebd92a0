/** From the tables to the index in memory and back: loading, sealing, and making segments anew. */
import { encodeCode } from "../../index/codes.ts";
import { encodeSegment } from "../../index/segment.ts";
import type { TermCounts } from "../../index/term-counts.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import type { IndexedPassage, PassageStore } from "./passage-store.ts";
import { Resident, type Spare } from "./resident.ts";
import { encodeMap } from "./segment-map.ts";
import type { SegmentRow, SegmentTable } from "./segment-table.ts";
import { Slots } from "./slots.ts";
import type { MemoryStore } from "./store.ts";
import type { NamespaceOptions } from "./types.ts";

export interface Tables {
  store: MemoryStore;
  passages: PassageStore;
  segments: SegmentTable;
}

/** A document as the index takes it. */
interface IndexedDocument {
  row: number;
  first: number;
  vectors: QuantizedVector[];
  units: TermCounts[];
}

/** The index of what is stored; `damaged` is the first segment that cannot be loaded, which must be
 *  made anew before. 100,000 passages take under 0.3 s. */
export function loadIndex(
  tables: Tables,
  kernels: WebAssembly.Module,
  options: NamespaceOptions,
  spare: Spare | null,
): { resident: Resident } | { damaged: SegmentRow } {
  const resident = new Resident(kernels, options, spare);
  loadVocabulary(tables, resident);
  const { dim } = tables.store.numbers();
  if (dim > 0) resident.setDimension(dim);
  let sealed = 0;
  for (const segment of tables.segments.list()) {
    if (!loadSegment(tables, resident, segment)) return { damaged: segment };
    sealed = segment.hi;
  }
  for (const { row, counts } of tables.segments.tombstones(resident.byDocument))
    resident.remove(row, counts);
  const from = tables.store.firstPassageAfter(sealed);
  if (from !== null)
    for (const each of documents(tables, from, null, resident.byDocument))
      resident.append(each.row, each.first, each.vectors, each.units);
  return { resident };
}

function loadSegment({ segments }: Tables, resident: Resident, segment: SegmentRow): boolean {
  const blobs = segments.blobs(segment);
  if (blobs === null) return false;
  try {
    resident.load(blobs);
    return true;
  } catch (error) {
    console.error(JSON.stringify({ event: "segment_damaged", message: String(error) }));
    return false;
  }
}

/** Every term has its row; the blob of the last seal spares reading most of them. */
function loadVocabulary({ segments, passages }: Tables, { lexicon }: Resident): void {
  const sealed = segments.vocabulary();
  if (sealed !== null) lexicon.load(sealed);
  for (const { id, term } of passages.terms(lexicon.limit)) lexicon.restore(id, term);
}

/** The documents that have passages in the rows [from, to) of passages; `to` null: no end. */
function* documents(
  { passages }: Tables,
  from: number,
  to: number | null,
  byDocument: boolean,
): Generator<IndexedDocument> {
  const whole = byDocument ? passages.wholeCounts(from) : null;
  for (const group of grouped(passages.range(from, to))) {
    const { document, row: first } = group[0]!;
    const units = whole === null ? group.map(({ counts }) => counts) : [whole.next().value!.counts];
    yield { row: document, first, vectors: group.map(({ vector }) => vector), units };
  }
}

/** Runs of the passages of one document. */
function* grouped(passages: Iterable<IndexedPassage>): Generator<IndexedPassage[]> {
  let group: IndexedPassage[] = [];
  for (const passage of passages) {
    if (group.length > 0 && group[0]!.document !== passage.document) {
      yield group;
      group = [];
    }
    group.push(passage);
  }
  if (group.length > 0) yield group;
}

/** Seals the memtable in place and stores it, with the vocabulary; called in a transaction. */
export function sealMemtable({ segments, store }: Tables, resident: Resident): void {
  const lo = segments.list().at(-1)?.hi ?? 0;
  const { hi, passages, blobs } = resident.seal();
  segments.insert(lo, hi, passages, blobs);
  segments.putVocabulary(resident.lexicon.encode());
  store.setNumbers({ sealed_passage: store.numbers().next_passage });
}

/** Makes neighbouring segments anew as one, from the passages that are left; the index in memory
 *  must be dropped. To be called in a transaction. */
export function rebuildSegments(
  tables: Tables,
  old: readonly SegmentRow[],
  byDocument: boolean,
): void {
  const [lo, hi] = [old[0]!.lo, old.at(-1)!.hi];
  const range = tables.store.passageRange(lo, hi);
  const slots = new Slots();
  const codes: Uint8Array[] = [];
  const units = function* () {
    if (range === null) return;
    const { from, to } = range;
    for (const { row, first, vectors, units } of documents(tables, from, to, byDocument)) {
      slots.append(row, first, vectors.length);
      for (const vector of vectors) codes.push(encodeCode(vector));
      yield* units;
    }
  };
  const postings = encodeSegment(units());
  for (const segment of old) tables.segments.delete(segment);
  if (range === null) return;
  const map = encodeMap(slots, 0, slots.documents);
  const blobs = { postings, codes: concatenated(codes), map };
  tables.segments.insert(lo, hi, slots.passages, blobs);
}

function concatenated(codes: readonly Uint8Array[]): Uint8Array {
  const length = codes[0]!.length;
  const out = new Uint8Array(codes.length * length);
  for (const [i, code] of codes.entries()) out.set(code, i * length);
  return out;
}
