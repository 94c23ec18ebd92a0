/** Bodies of NDJSON: cut anywhere on the way, they are the same lines, and each line is a document
 *  or told of by its number. */
import { type LineCounts, loadLines } from "../../src/api/load-lines.ts";
import { type Line, linesOf } from "../../src/api/ndjson.ts";
import {
  DOCUMENT_LINE_BYTES_MAX,
  DOCUMENTS_PER_CALL_MAX,
  LINE_ERROR_CHARS_MAX,
} from "../../src/limits.ts";
import type { SubmittedDocument } from "../../src/pipeline/types.ts";
import { mutatedText, ODD_TEXTS, type Random } from "./random.ts";
import { must, mustEqual, type Target } from "./target.ts";

const LINES = [
  '{"id":"d1","text":"The ferry leaves at noon."}',
  '{"text":"# Tides","content_type":"text/markdown","metadata":{"n":1,"tags":["a"]}}',
  '{"id":"d2","text":"old","expires_at":1900000000000,"time":"2026-11-29T00:00:00Z"}',
  '{"id":"d3","text":"x","title":"t","if_version":3,"embedding":[0.6,0.8,0,0]}',
  '{"id":"d4","text":"x","embedding":"AACAPwAAAAAAAAAAAAAAAA=="}',
];
const PIECES = ['"', "{", "}", "[", "]", ":", ",", '"text"', '"id"', "\\u0000", "\\ud800", "1e999"];
const INVALID = [[0xff], [0xc3], [0xed, 0xa0, 0x80]].map((bytes) => Buffer.from(bytes));

function someLine(random: Random): Buffer {
  const kind = random.below(12);
  if (kind === 0) return Buffer.from(random.pick(["", " ", "\t  ", "\r"]));
  if (kind === 1) return Buffer.concat([Buffer.from(random.pick(LINES)), random.pick(INVALID)]);
  if (kind === 2) return Buffer.from(`${"[".repeat(random.below(5_000))}1`);
  const line = random.pick(LINES);
  const end = random.once(4) ? "\r" : "";
  return Buffer.from(
    (kind < 8 ? line : mutatedText(line, random, [...PIECES, ...ODD_TEXTS])) + end,
  );
}

/** The body in parts that end anywhere; of one with a line without an end, in few. */
function parts(body: Buffer, random: Random): ReadableStream<Uint8Array> {
  const longest = random.pick(body.length > 1 << 20 ? [512, 1 << 20] : [1, 7, 64, 4_096, 1 << 20]);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= body.length) return controller.close();
      const end = Math.min(body.length, at + 1 + random.below(longest));
      controller.enqueue(new Uint8Array(body.subarray(at, end)));
      at = end;
    },
  });
}

/** The same lines, from the whole body. */
function naively(body: Buffer): [text: string | null, code: string | null, bytes: number][] {
  const lines: [string | null, string | null, number][] = [];
  for (let at = 0; at < body.length; ) {
    const found = body.indexOf(10, at);
    const [stop, next] = found < 0 ? [body.length, body.length] : [found, found + 1];
    const bytes = body.subarray(at, stop);
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
    const line = [null, "body_too_large", next - at] as [string | null, string | null, number];
    if (bytes.length <= DOCUMENT_LINE_BYTES_MAX)
      try {
        line[0] = text.decode(bytes);
        line[1] = null;
      } catch {
        line[1] = "invalid_json";
      }
    lines.push(line);
    at = next;
  }
  return lines;
}

async function* grouped(lines: Line[], random: Random): AsyncGenerator<Line[]> {
  for (let at = 0; at < lines.length; ) {
    const end = at + 1 + random.below(20);
    yield lines.slice(at, end);
    at = end;
  }
}

/** Loads the lines and adds up what was told of them. */
async function loaded(lines: Line[], random: Random) {
  const stored: SubmittedDocument[] = [];
  const told: LineCounts[] = [];
  const store = async (documents: SubmittedDocument[]) => {
    must(documents.length <= DOCUMENTS_PER_CALL_MAX, "a batch above its bound");
    stored.push(...documents);
    return { upserted: documents.length, unchanged: 0, passages: 0, documents: [], errors: [] };
  };
  const numbering = { from: 0, blanks: true };
  await loadLines(grouped(lines, random), numbering, store, (counts) => void told.push(counts));
  const sum = (of: (counts: LineCounts) => number) => told.reduce((n, one) => n + of(one), 0);
  return { stored, errors: told.flatMap(({ errors }) => errors), sum };
}

export const ndjsonBodies: Target = {
  name: "ndjson",
  about: "lines cut anywhere on the way: the same lines, each stored or told of by its number",
  cases: 20_000,
  short: 250,
  ends: ["stored", "partly stored", "refused", "blank"],
  prepare: () => async (random, show) => {
    const lines = random.some(40, () => someLine(random));
    if (random.once(500)) lines.push(Buffer.alloc(DOCUMENT_LINE_BYTES_MAX + random.below(3), 97));
    const body = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")])).subarray(
      0,
      random.once(2) ? undefined : -1,
    );
    show(body.subarray(0, 4_000).toString("latin1"));
    const read: Line[] = [];
    for await (const group of linesOf(parts(body, random))) read.push(...group);
    const seen = read.map(({ text, fault, bytes }) => [text, fault?.code ?? null, bytes]);
    mustEqual(seen, naively(body), "the lines");
    const { stored, errors, sum } = await loaded(read, random);
    const blank = read.filter(({ text }) => text?.trim() === "").length;
    mustEqual(stored.length + errors.length + blank, read.length, "what was told of");
    const counts = [sum((one) => one.lines), sum((one) => one.bytes), sum((one) => one.upserted)];
    mustEqual(counts, [read.length, body.length, stored.length], "lines, bytes and documents");
    for (const { index, code, message } of errors) {
      must(message.length <= LINE_ERROR_CHARS_MAX, "a line's fault of any length");
      must(code !== "internal", "a bug was called a line's fault");
      must(
        read[index]!.fault === null || read[index]!.fault!.code === code,
        "another line's fault",
      );
    }
    if (errors.length === 0) return stored.length > 0 ? "stored" : "blank";
    return stored.length > 0 ? "partly stored" : "refused";
  },
};
