/** What the Worker does to a document on its way in, stage by stage: documents of one passage of
 *  about 100 words that bring their embeddings, as numbers and as base64. Storing them is the
 *  memory's and is not in here. Answers are checked before times. */
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { deserialize, serialize } from "node:v8";
import { chunk, countByWord } from "../index/chunk.ts";
import { loadLines } from "../src/api/load-lines.ts";
import { type Line, linesOf } from "../src/api/ndjson.ts";
import { z } from "../src/api/schema/common.ts";
import { parseDocumentLine } from "../src/api/schema/documents.ts";
import { toBase64 } from "../src/api/schema/vector.ts";
import { assert } from "../src/errors.ts";
import { randomOf } from "../src/generation/prng.ts";
import { documentDigest } from "../src/memory/document-digest.ts";
import type { ChangeOutcome } from "../src/memory/shard-types.ts";
import { GgufStream } from "../src/model/gguf-stream.ts";
import { WordPiece } from "../src/model/wordpiece.ts";
import {
  type IngestEncoder,
  type IngestMemory,
  ingest,
  type Upsert,
} from "../src/pipeline/ingest.ts";
import type { SubmittedDocument } from "../src/pipeline/types.ts";
import type { BenchOptions } from "./main.ts";
import { type Candidate, report, timeInterleaved } from "./report.ts";

const ROOT = join(import.meta.dirname, "..");
const DOCUMENTS = 1_000;
const WORDS = 100;
const DIM = 384;
/** What a Worker's runtime hands over at once. */
const PIECE_BYTES = 64 * 1024;

/** Words of Brink's documentation from random places on, each text with a random unit vector. */
function makeDocuments(): { id: string; text: string; vector: Float32Array }[] {
  const names = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  const prose = names.map((name) => readFileSync(join(ROOT, "docs", name), "utf8")).join("\n");
  const words = prose.split(/\s+/).filter((word) => /^[a-zA-Z]+[,.]?$/.test(word));
  const random = randomOf(7, 0);
  return Array.from({ length: DOCUMENTS }, (_, i) => {
    const at = Math.floor(random() * (words.length - WORDS));
    const vector = Float32Array.from({ length: DIM }, () => random() - 0.5);
    const norm = Math.hypot(...vector);
    return {
      id: `document-${i}`,
      text: words.slice(at, at + WORDS).join(" "),
      vector: vector.map((value) => value / norm),
    };
  });
}

async function loadTokenizer(): Promise<WordPiece> {
  const file = createReadStream(join(ROOT, "models/encoder.gguf"));
  const stream = await GgufStream.open(
    Readable.toWeb(file) as unknown as ReadableStream<Uint8Array>,
  );
  const tokenizer = new WordPiece(stream.header.metadata);
  await stream.cancel();
  return tokenizer;
}

function bodyOf(text: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + PIECE_BYTES));
      at += PIECE_BYTES;
    },
  });
}

/** A memory that does to what it gets what object RPC does, and keeps nothing. */
class Wire implements IngestMemory {
  received = 0;

  async find(ids: string[]) {
    return deserialize(serialize(ids)).map(() => null);
  }

  async upsert(changes: Upsert[]): Promise<ChangeOutcome[]> {
    const copied: Upsert[] = deserialize(serialize(changes));
    this.received += copied.length;
    return copied.map(({ document: { id, passages } }) => {
      return { id, status: "stored", version: 1, passages: passages.length, error: null };
    });
  }
}

async function collect(body: ReadableStream<Uint8Array>): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const group of linesOf(body)) lines.push(...group);
  return lines;
}

/** The whole way of one body; what the memory got. */
async function load(text: string, encoder: IngestEncoder): Promise<number> {
  const wire = new Wire();
  const store = (documents: SubmittedDocument[]) => ingest(wire, encoder, documents);
  await loadLines(linesOf(bodyOf(text)), { from: 0, blanks: false }, store, ({ error_count }) =>
    assert(error_count === 0, "no line is refused"),
  );
  return wire.received;
}

export async function run(options: BenchOptions): Promise<void> {
  z.config({ jitless: true }); // a deployed Worker may not compile validators as it runs
  const tokenizer = await loadTokenizer();
  const encoder: IngestEncoder = {
    dim: DIM,
    countTokens: (text) => tokenizer.encode(text).ids.length,
    embed: () => assert(false, "every document brings its embedding") as never,
  };
  const made = makeDocuments();
  const textOf = (embedding: (vector: Float32Array) => unknown) =>
    made
      .map(
        ({ vector, ...rest }) => `${JSON.stringify({ ...rest, embedding: embedding(vector) })}\n`,
      )
      .join("");
  const bodies = { numbers: textOf((vector) => [...vector]), base64: textOf(toBase64) };
  const candidates: Candidate[] = [];
  const stage = (name: string, run: () => unknown) =>
    candidates.push({ name, unit: "documents/s", work: DOCUMENTS * 1e9, run });
  for (const [name, text] of Object.entries(bodies)) {
    assert((await load(text, encoder)) === DOCUMENTS, "every document reaches the memory");
    const lines = await collect(bodyOf(text));
    assert(lines.map((line) => `${line.text}\n`).join("") === text, "lines come as they were sent");
    stage(`${name}: lines`, () => collect(bodyOf(text)));
    stage(`${name}: parse, check`, () => lines.map((line) => parseDocumentLine(line.text!)));
    stage(`${name}: all, to the memory's door`, () => load(text, encoder));
  }
  const lines = await collect(bodyOf(bodies.base64));
  const documents = lines.map((line) => parseDocumentLine(line.text!));
  const count = countByWord(encoder.countTokens);
  for (const { text } of documents)
    assert((await chunk(text, count)).length === 1, "a document is one passage");
  stage("chunk, count tokens", () => Promise.all(documents.map(({ text }) => chunk(text, count))));
  const brought = new Int8Array(DIM);
  stage("digest", () => documents.map((document) => documentDigest(document, brought)));
  const { rounds, sampleMs, warmUpMs } = options.quick
    ? { rounds: 3, sampleMs: 50, warmUpMs: 100 }
    : { rounds: 15, sampleMs: 300, warmUpMs: 1_000 };
  const results = await timeInterleaved(candidates, { rounds, sampleMs, warmUpMs });
  for (const result of results) result.note = `${result.msMedian.toFixed(1)} us a document`;
  report("ingest", results, options.json);
}
