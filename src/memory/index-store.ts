/** From the tables to the index in memory and back: loading, sealing, and making segments anew. */
import { joined } from "../../index/bytes.ts";
import { codeBytes, encodeCode } from "../../index/codes.ts";
import { Lexicon } from "../../index/lexicon.ts";
import { encodeSegment } from "../../index/segment.ts";
import type { TermCounts } from "../../index/term-counts.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import { assert } from "../errors.ts";
import type { CodebookTable } from "./codebook-table.ts";
import type { LinkTable } from "./link-table.ts";
import type { MetadataIndex } from "./metadata-index.ts";
import type { IndexedPassage, PassageRange, PassageStore } from "./passage-store.ts";
import { Resident, type Spare } from "./resident.ts";
import { encodeMap, firstSlots } from "./segment-map.ts";
import type { SegmentRow, SegmentTable } from "./segment-table.ts";
import { Slots } from "./slots.ts";
import type { MemoryStore } from "./store.ts";
import type { NamespaceOptions } from "./types.ts";

export interface Tables {
  store: MemoryStore;
  passages: PassageStore;
  segments: SegmentTable;
  links: LinkTable;
  metadata: MetadataIndex;
  codebooks: CodebookTable;
}

/** A document as the index takes it. */
interface IndexedDocument {
  row: number;
  first: number;
  passages: number;
  /** Empty where they are not read. */
  vectors: QuantizedVector[];
  /** Null: of a linked passage. */
  units: (TermCounts | null)[];
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
    for (const each of documents(tables, { from, to: null }, resident.byDocument, true))
      resident.append(each.row, each.first, each.vectors, each.units);
  for (const link of tables.links.all()) resident.slots.link(link);
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

/** Every term has its row; the blob of the last seal spares reading most of them, unless terms came
 *  after it whose numbers lie among its own. */
function loadVocabulary({ segments, passages }: Tables, resident: Resident): void {
  const sealed = segments.vocabulary();
  try {
    if (sealed !== null) resident.lexicon.load(sealed);
  } catch (error) {
    console.error(JSON.stringify({ event: "vocabulary_damaged", message: String(error) }));
    resident.lexicon = new Lexicon();
  }
  const { lexicon } = resident;
  for (const { id, term } of passages.terms(lexicon.limit)) lexicon.restore(id, term);
  if (lexicon.terms === passages.termCount()) return;
  for (const { id, term } of passages.terms(0)) if (!lexicon.has(id)) lexicon.restore(id, term);
}

/** The numbers of terms that nothing has any more, where they are more than that share of all; else
 *  none. O(terms), and O(stored bytes) where there are some. */
export function unusedTerms(
  { passages, links }: Tables,
  { lexical, lexicon, byDocument }: Resident,
  share: number,
): number[] {
  const unused = new Set<number>();
  for (const id of lexicon.ids()) if (lexical.df(id) === 0) unused.add(id);
  if (unused.size <= share * lexicon.terms) return [];
  // The index does not count what linked passages hold, which may be found as themselves later, nor
  // a word that only the cut between two passages of a document makes.
  const uncounted = byDocument || links.any() ? passages.range({ from: 0, to: null }, false) : [];
  for (const { counts } of uncounted) for (const id of counts.ids) unused.delete(id);
  return unused.size <= share * lexicon.terms ? [] : [...unused];
}

/** The documents that have passages in a range of rows. */
function* documents(
  { passages, links }: Tables,
  range: PassageRange,
  byDocument: boolean,
  withVectors: boolean,
): Generator<IndexedDocument> {
  const linked = links.linked(range.from, range.to);
  const whole = byDocument ? passages.wholeCounts(range) : null;
  for (const group of grouped(passages.range(range, withVectors))) {
    const { document, row: first } = group[0]!;
    const units =
      whole === null
        ? group.map(({ row, counts }) => (linked.has(row) ? null : counts))
        : [whole.next().value!.counts];
    const vectors = group.flatMap(({ vector }) => vector ?? []);
    yield { row: document, first, passages: group.length, vectors, units };
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
 *  must be dropped. To be called in a transaction. `anew`: what segments hold is not looked at,
 *  which takes longer. */
export function rebuildSegments(
  tables: Tables,
  old: readonly SegmentRow[],
  byDocument: boolean,
  anew = false,
): void {
  const [lo, hi] = [old[0]!.lo, old.at(-1)!.hi];
  const range = tables.store.passageRange(lo, hi);
  const slots = new Slots();
  const codes: Uint8Array[] = [];
  // Archived vectors cannot give the codes that their int8 rows gave.
  const reuse = !anew || tables.passages.archived() > 0;
  const stored = reuse ? storedCodes(tables, old) : null;
  const units = function* () {
    if (range === null) return;
    const found = documents(tables, range, byDocument, stored === null);
    for (const { row, first, passages, vectors, units } of found) {
      slots.append(row, first, passages);
      if (stored !== null) codes.push(stored(row, passages));
      else for (const vector of vectors) codes.push(encodeCode(vector));
      yield* units;
    }
  };
  const postings = encodeSegment(units());
  for (const segment of old) tables.segments.delete(segment);
  if (range === null) return;
  const map = encodeMap(slots, 0, slots.documents);
  tables.segments.insert(lo, hi, slots.passages, { postings, codes: joined(codes), map });
}

/** The codes that segments hold, by document: making them anew takes most of a merge. Null where
 *  one is damaged. */
function storedCodes(
  { segments, store }: Tables,
  old: readonly SegmentRow[],
): ((row: number, passages: number) => Uint8Array) | null {
  const held = old.map((segment) => segments.blobs(segment));
  if (!held.every((blobs) => blobs !== null)) return null;
  const length = codeBytes(store.numbers().dim);
  const firsts = held.map(({ map }) => firstSlots(map));
  return (row, passages) => {
    const place = firsts.findIndex((first) => first.has(row));
    assert(place >= 0, `document ${row} is in the segment that covers it`);
    const from = firsts[place]!.get(row)! * length;
    return held[place]!.codes.subarray(from, from + passages * length);
  };
}
