/** Snapshots as they lie in a bucket, spoilt under a checksum that fits: damaged, or read. */
import { gzipSync } from "node:zlib";
import { SNAPSHOT_PART_BYTES_MAX, SNAPSHOT_PARTS_MAX } from "../../src/limits.ts";
import type { CopyPage } from "../../src/memory/shard-types.ts";
import {
  decodeManifest,
  decodePart,
  encodeManifest,
  encodePart,
  type SnapshotManifest,
  sha256,
} from "../../src/memory/snapshot-format.ts";
import { mutatedText, type Random } from "./random.ts";
import { must, mustEqual, refusalOf, type Target } from "./target.ts";

const PIECES = [
  ...[
    '{"copied":',
    '{"removed":',
    '{"codebook":"',
    "}",
    "null",
    "[]",
    "1",
    '"qs":"',
    "\n",
    "\n\n",
    "{}",
  ],
  ...[
    '"passages":1',
    '"document":null',
    '"ranges":null',
    '"parts":7',
    '"format":2',
    '"hi":0',
    "====",
  ],
];

function somePage(random: Random): CopyPage {
  const documents = random.some(4, () => {
    const qs = Int8Array.from({ length: 4 }, () => random.below(255) - 127);
    const vector = { scale: 0.1, qs };
    const passage = { start: 0, end: 4, heading_path: [], anchor: null, vector };
    const document = { id: `d${random.below(99)}`, text: "text", title: null, passages: [passage] };
    return { row: random.below(99), version: 1, updated_at: 5, document };
  });
  const removed = random.some(3, () => ({ id: "gone", row: random.below(99) }));
  const codebooks = random.some(2, () => Uint8Array.of(1, 2, 3, random.below(256)));
  const page = { documents, removed, codebooks, row: 0, removal: 0, end: false };
  return page as unknown as CopyPage;
}

async function checkPart(random: Random, show: (input: unknown) => void): Promise<string> {
  const page = somePage(random);
  let bytes = await encodePart(page);
  const counts = { shard: 0, documents: page.documents.length, removed: page.removed.length };
  const part = async () => ({ ...counts, bytes: bytes.length, sha256: await sha256(bytes) });
  mustEqual(await decodePart(bytes, await part()), page, "a part read back");
  const text = new Response(
    new Response(bytes as Uint8Array<ArrayBuffer>).body!.pipeThrough(
      new DecompressionStream("gzip"),
    ),
  );
  const spoilt = mutatedText(await text.text(), random, PIECES);
  show(spoilt);
  if (random.once(4)) bytes = bytes.slice(0, random.below(bytes.length));
  else bytes = new Uint8Array(gzipSync(spoilt));
  await decodePart(bytes, await part());
  return "read";
}

async function checkManifest(random: Random, show: (input: unknown) => void): Promise<string> {
  const half = 2 ** (1 + random.below(31));
  const manifest = {
    ...{ format: 1, id: "s1", name: "default/docs", started_at: 1, completed_at: 2, options: {} },
    ...{ dim: 4, next_row: 9, documents: 1, passages: 1 },
    ranges: [
      { lo: 0, hi: half },
      { lo: half, hi: 2 ** 32 },
    ],
    parts: random.some(3, () => ({ shard: 0, bytes: 9, sha256: "0", documents: 1, removed: 0 })),
  } as unknown as SnapshotManifest;
  if (random.once(9)) manifest.parts = Array(SNAPSHOT_PARTS_MAX + 1).fill(manifest.parts[0] ?? {});
  const { body } = JSON.parse(await encodeManifest(manifest)) as { body: string };
  const spoilt = mutatedText(body, random, PIECES);
  show(spoilt);
  const checksum = await sha256(new TextEncoder().encode(spoilt));
  await decodeManifest(JSON.stringify({ sha256: checksum, body: spoilt }));
  return "read";
}

/** Much in little: it is unpacked to the bound and no further. */
async function checkBomb(random: Random): Promise<string> {
  const over = random.once(2);
  const blank = Buffer.alloc(SNAPSHOT_PART_BYTES_MAX + (over ? 1 + random.below(2 ** 26) : 0), 10);
  const bytes = new Uint8Array(gzipSync(blank, { level: 1 }));
  const part = {
    shard: 0,
    documents: 0,
    removed: 0,
    bytes: bytes.length,
    sha256: await sha256(bytes),
  };
  try {
    await decodePart(bytes, part);
  } catch (error) {
    const cause = String((error as Error).cause);
    must(!over || cause.includes(`more than ${SNAPSHOT_PART_BYTES_MAX} bytes`), cause);
    refusalOf(error);
    return "bomb";
  }
  throw new Error("a bomb was read");
}

export const snapshots: Target = {
  name: "snapshots",
  about:
    "parts and manifests under a checksum that fits, and decompression bombs: damaged, or read",
  cases: 5_000,
  short: 400,
  ends: ["read", "bomb", "snapshot_damaged"],
  prepare: () => async (random, show) => {
    try {
      if (random.once(80)) return await checkBomb(random);
      return await (random.once(3) ? checkManifest(random, show) : checkPart(random, show));
    } catch (error) {
      return refusalOf(error);
    }
  },
};
