/** How a snapshot lies in R2. `memory/NAME/parts/ID/NNNNN` are gzipped lines of JSON, a page of a
 *  copy each; `memory/NAME/manifests/ID.json` lists them with their checksums and is written last:
 *  a snapshot exists only when its manifest does. NAME is `tenant/namespace`, percent-encoded to
 *  one segment, so that no tenant's prefix is part of another's. */
import { joined } from "../../index/bytes.ts";
import { ServiceError } from "../errors.ts";
import { SNAPSHOT_PART_BYTES_MAX, SNAPSHOT_PARTS_MAX } from "../limits.ts";
import { assertWhole } from "./shard-map.ts";
import type { CopiedDocument, CopyPage, ShardRange } from "./shard-types.ts";
import type { NamespaceOptions, PreparedDocument } from "./types.ts";

export const SNAPSHOT_FORMAT = 1;

export interface SnapshotPart {
  /** Index into the manifest's `ranges`: the shard that the page is of. Parts of one shard replayed
   *  in order give its documents. */
  shard: number;
  bytes: number;
  /** Of the stored bytes, lower-case hexadecimal. */
  sha256: string;
  documents: number;
  removed: number;
}

export interface SnapshotManifest {
  format: typeof SNAPSHOT_FORMAT;
  id: string;
  /** `tenant/namespace` of which it was made. */
  name: string;
  /** Unix ms; the documents are those of `completed_at`. */
  started_at: number;
  completed_at: number;
  options: NamespaceOptions;
  dim: number | null;
  next_row: number;
  documents: number;
  passages: number;
  /** Of hashes of ids, one a shard. */
  ranges: { lo: number; hi: number }[];
  parts: SnapshotPart[];
}

/** What a listing shows of a snapshot. */
export interface SnapshotInfo {
  id: string;
  started_at: number;
  completed_at: number;
  documents: number;
  passages: number;
  parts: number;
  bytes: number;
}

export function snapshotPrefix(name: string): string {
  return `memory/${encodeURIComponent(name)}/`;
}

export function manifestKey(name: string, id: string): string {
  return `${snapshotPrefix(name)}manifests/${id}.json`;
}

export function partsPrefix(name: string, id: string): string {
  return `${snapshotPrefix(name)}parts/${id}/`;
}

export function partKey(name: string, id: string, part: number): string {
  return `${partsPrefix(name, id)}${String(part).padStart(5, "0")}`;
}

export function damaged(what: string, cause?: unknown): ServiceError {
  return new ServiceError("snapshot_damaged", `the snapshot is damaged: ${what}`, { cause });
}

export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A page's documents, removals and codebooks, one a line, gzipped. */
export async function encodePart({ documents, removed, codebooks }: CopyPage): Promise<Uint8Array> {
  const lines = [
    ...documents.map((copied) => JSON.stringify({ copied: plain(copied) })),
    ...removed.map((one) => JSON.stringify({ removed: one })),
    ...codebooks.map((bytes) => JSON.stringify({ codebook: base64(bytes) })),
  ];
  const text = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  return piped(text, new CompressionStream("gzip"), Number.POSITIVE_INFINITY);
}

/** The inverse of `encodePart`, of bytes that the manifest's part describes. Throws
 *  `snapshot_damaged` where they are others. */
export async function decodePart(bytes: Uint8Array, part: SnapshotPart): Promise<CopyPage> {
  if (bytes.length !== part.bytes) throw damaged(`a part has ${bytes.length} bytes`);
  if ((await sha256(bytes)) !== part.sha256) throw damaged("a part's checksum is another");
  let text: string;
  try {
    const unpacked = await piped(bytes, new DecompressionStream("gzip"), SNAPSHOT_PART_BYTES_MAX);
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(unpacked);
  } catch (error) {
    throw damaged("a part cannot be unpacked", error);
  }
  const page: CopyPage = {
    ...{ documents: [], removed: [], codebooks: [] },
    ...{ row: 0, removal: 0, end: false },
  };
  try {
    for (const line of linesOf(text)) {
      const { copied, removed, codebook } = JSON.parse(line);
      if (copied) page.documents.push(prepared(copied));
      else if (codebook) page.codebooks.push(fromBase64(codebook));
      else page.removed.push(removed);
    }
  } catch (error) {
    throw damaged("a part's lines cannot be read", error);
  }
  if (page.documents.length !== part.documents || page.removed.length !== part.removed)
    throw damaged("a part holds another number of documents");
  return page;
}

/** One by one: a text of nothing but line ends would make a list of 256 MB. */
function* linesOf(text: string): Generator<string> {
  let at = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
    yield text.slice(at, end);
    at = end + 1;
  }
}

type PlainPassage = Omit<PreparedDocument["passages"][number], "vector"> & {
  scale: number;
  qs: string;
};
type PlainCopied = Omit<CopiedDocument, "document"> & {
  document: Omit<PreparedDocument, "passages"> & { passages: PlainPassage[] };
};

/** Vectors as base64. */
function plain(copied: CopiedDocument): PlainCopied {
  const passages = copied.document.passages.map(({ vector, ...passage }) => {
    const { buffer, byteOffset, byteLength } = vector.qs;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    return { ...passage, scale: vector.scale, qs: base64(bytes) };
  });
  return { ...copied, document: { ...copied.document, passages } };
}

function prepared(copied: PlainCopied): CopiedDocument {
  const passages = copied.document.passages.map(({ scale, qs, ...passage }) => {
    return { ...passage, vector: { scale, qs: new Int8Array(fromBase64(qs).buffer) } };
  });
  return { ...copied, document: { ...copied.document, passages } };
}

/** Arguments of one call are bounded: a codebook has a million bytes at 4,096 dimensions. */
const CALL_BYTES = 8_192;

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CALL_BYTES)
    text += String.fromCharCode(...bytes.subarray(at, at + CALL_BYTES));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

async function piped(
  bytes: Uint8Array,
  through: CompressionStream | DecompressionStream,
  bytesMax: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(through);
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    total += chunk.length;
    if (total > bytesMax) throw new RangeError(`more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return joined(chunks);
}

/** The manifest with its own checksum, as it is stored. */
export async function encodeManifest(manifest: SnapshotManifest): Promise<string> {
  const body = JSON.stringify(manifest);
  return JSON.stringify({ sha256: await sha256(new TextEncoder().encode(body)), body });
}

/** The inverse. Throws `snapshot_damaged` for anything that `encodeManifest` does not write. */
export async function decodeManifest(text: string): Promise<SnapshotManifest> {
  let manifest: SnapshotManifest;
  let checksum: unknown;
  let body: unknown;
  try {
    ({ sha256: checksum, body } = JSON.parse(text));
    manifest = JSON.parse(String(body));
    if (!Array.isArray(manifest.parts) || !Array.isArray(manifest.ranges))
      throw new TypeError("no lists of parts and ranges");
  } catch (error) {
    throw damaged("its manifest cannot be read", error);
  }
  if ((await sha256(new TextEncoder().encode(String(body)))) !== checksum)
    throw damaged("its manifest's checksum is another");
  if (manifest.format !== SNAPSHOT_FORMAT)
    throw damaged(`its format is ${manifest.format}, this version reads ${SNAPSHOT_FORMAT}`);
  if (manifest.parts.length > SNAPSHOT_PARTS_MAX) throw damaged("it has too many parts");
  try {
    assertWhole(manifest.ranges.map((range): ShardRange => ({ ...range, object: null })));
  } catch (error) {
    throw damaged("its ranges do not hold every document", error);
  }
  return manifest;
}

export function infoOf(manifest: SnapshotManifest): SnapshotInfo {
  const { id, started_at, completed_at, documents, passages, parts } = manifest;
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { id, started_at, completed_at, documents, passages, parts: parts.length, bytes };
}
