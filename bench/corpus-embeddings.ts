/** Embeddings by the shipped encoder, computed once: they are kept in a file in the system's
 *  folder for temporary files. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { showProgress } from "../eval/report.ts";
import type { Encoder } from "../src/model/encoder.ts";

const MODEL = join(import.meta.dirname, "../models/encoder.gguf");
const BATCH = 16;

/** Unit vectors f32 [texts.length, dim] of texts, in their order. What is known from an earlier
 *  call, for a list that begins alike, is read; the rest is computed, about 25 texts a second, and
 *  appended batch by batch, so that a broken off call goes on where it ended. `name` and all of
 *  `list` name the file; only the first `count` are embedded. */
export function embeddingsOf(
  name: string,
  list: readonly string[],
  count: number,
  encoder: Encoder,
): Float32Array {
  const hash = createHash("sha256").update(readFileSync(MODEL)).update(JSON.stringify(list));
  const path = join(tmpdir(), `brink-${name}-${hash.digest("hex").slice(0, 16)}.f32`);
  const rowBytes = encoder.dim * 4;
  const known = existsSync(path) ? Math.floor(statSync(path).size / rowBytes) : 0;
  if (known < count) append(path, list, known, count, encoder);
  const bytes = readFileSync(path).subarray(0, count * rowBytes);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function append(
  path: string,
  list: readonly string[],
  known: number,
  count: number,
  encoder: Encoder,
): void {
  const file = openSync(path, known === 0 ? "w" : "r+");
  try {
    for (let i = known; i < count; i += BATCH) {
      const vectors = encoder.embed(list.slice(i, Math.min(count, i + BATCH)));
      const bytes = Buffer.concat(vectors.map((vector) => Buffer.from(vector.buffer)));
      writeSync(file, bytes, 0, bytes.length, i * encoder.dim * 4);
      showProgress("embedding", i + vectors.length, count);
    }
  } finally {
    closeSync(file);
  }
}
