import { expect, it } from "vitest";
import { IngestReply } from "../../src/api/schema/documents.ts";
import { DOCUMENT_LINE_BYTES_MAX, LOAD_BATCH_BYTES } from "../../src/limits.ts";
import { startApi } from "./fake-service.ts";

const DOCUMENTS = "/admin/namespaces/docs/documents";
const NDJSON = { "content-type": "application/x-ndjson" };

type Api = ReturnType<typeof startApi>;

function batches({ service }: Api): { id: string; text: string }[][] {
  const calls = service.calls.filter(([name]) => name === "ingest");
  return calls.map((args) => args[3] as { id: string; text: string }[]);
}

/** The text in pieces of `size` bytes; counts how many were taken. */
function inPieces(text: string, size: number) {
  const bytes = new TextEncoder().encode(text);
  const source = { taken: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const at = source.taken * size;
        source.taken += 1;
        if (at >= bytes.length) controller.close();
        else controller.enqueue(bytes.subarray(at, at + size));
      },
      cancel() {
        source.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, source };
}

async function post(api: Api, raw: BodyInit) {
  return api.call(DOCUMENTS, { raw, headers: NDJSON });
}

it("lines are the same however the body is cut, through characters and line ends too", async () => {
  const lines = ["a é", "", "𝔘 b", "   ", "c"].map((text, i) =>
    text.trim() === "" ? text : JSON.stringify({ id: `${i}`, text }),
  );
  for (const end of ["\n", "\r\n"])
    for (const size of [1, 2, 3, 7, 1_000]) {
      const api = startApi();
      const { stream } = inPieces(`\ufeff${lines.join(end)}`, size);
      const reply = IngestReply.parse(await (await post(api, stream)).json());
      expect(reply).toEqual({
        upserted: 3,
        unchanged: 0,
        passages: 3,
        error_count: 0,
        errors: [],
      });
      expect(batches(api).map((documents) => documents.map(({ text }) => text))).toEqual([
        ["a é", "𝔘 b", "c"],
      ]);
    }
});

it("more lines than one call of JSON may have are stored in batches, in order", async () => {
  const api = startApi();
  const lines = Array.from({ length: 2_500 }, (_, i) => JSON.stringify({ id: `${i}`, text: "x" }));
  const reply = (await (await post(api, lines.join("\n"))).json()) as { upserted: number };
  expect(reply.upserted).toBe(2_500);
  expect(batches(api).map((documents) => documents.length)).toEqual([1_000, 1_000, 500]);
  const ids = batches(api).flatMap((documents) => documents.map(({ id }) => id));
  expect(ids).toEqual(lines.map((_, i) => `${i}`));
});

it("batches are bounded in bytes, and only two of them are read before one is stored", async () => {
  const api = startApi();
  const line = `${JSON.stringify({ text: "x".repeat(99_984) })}\n`;
  const { stream, source } = inPieces(line.repeat(100), line.length);
  const takenAt: number[] = [];
  const real = api.service.memoryAdmin.ingest.bind(api.service.memoryAdmin);
  api.service.memoryAdmin.ingest = async (...args) => {
    takenAt.push(source.taken);
    return real(...args);
  };
  expect((await post(api, stream)).status).toBe(200);
  const perBatch = Math.ceil(LOAD_BATCH_BYTES / line.length);
  expect(batches(api)[0]!.length).toBe(perBatch);
  for (const [i, taken] of takenAt.slice(0, -1).entries())
    expect(taken).toBeLessThanOrEqual((i + 2) * perBatch);
});

it("a line beyond the bound, or not UTF-8, is its own error and holds up no other", async () => {
  const api = startApi();
  const long = new Uint8Array(DOCUMENT_LINE_BYTES_MAX + 1).fill(97);
  const encode = (text: string) => new TextEncoder().encode(text);
  const body = Buffer.concat([
    encode('{"text":"one"}\n'),
    long,
    encode('\n{"text":"'),
    Uint8Array.of(0xff),
    encode('"}\n{"text":"two"}'),
  ]);
  const reply = IngestReply.parse(await (await post(api, body)).json());
  expect(reply.upserted).toBe(2);
  expect(reply.errors.map(({ index, code }) => [index, code])).toEqual([
    [1, "body_too_large"],
    [2, "invalid_json"],
  ]);
});

it("a line as long as it may be is a document", async () => {
  const api = startApi();
  const around = JSON.stringify({ text: "x", metadata: {} }).length;
  const spaces = " ".repeat(DOCUMENT_LINE_BYTES_MAX - around);
  const response = await post(api, `{"text":"x",${spaces}"metadata":{}}`);
  expect(response.status).toBe(200);
});

it("all refused lines are counted and the first 1,000 told, in order", async () => {
  const api = startApi();
  const bad = Array.from({ length: 3_000 }, (_, i) => (i % 2 === 0 ? "nonsense" : "{}"));
  const lines = ['{"text":"x"}', ...bad, '{"text":"too much"}', '{"text":"y"}'];
  const reply = IngestReply.parse(await (await post(api, lines.join("\n"))).json());
  expect(reply).toMatchObject({ upserted: 2, error_count: 3_001 });
  expect(reply.errors.map(({ index }) => index)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => i + 1),
  );
  for (const { message } of reply.errors) expect(message.length).toBeLessThanOrEqual(200);
});

it("a failure while storing is the reply, and the rest of the body is read away", async () => {
  const api = startApi();
  const path = "/admin/namespaces/nowhere/documents";
  const line = `${JSON.stringify({ text: "x".repeat(99_984) })}\n`;
  const { stream, source } = inPieces(line.repeat(90), line.length);
  expect(await api.outcome(path, { raw: stream, headers: NDJSON })).toEqual([
    404,
    "namespace_not_found",
  ]);
  expect(source.taken).toBe(91);
  expect(source.cancelled).toBe(false);
});

it("a compressed body and one without a line are refused", async () => {
  const api = startApi();
  const headers = { ...NDJSON, "content-encoding": "gzip" };
  expect(await api.outcome(DOCUMENTS, { raw: "x", headers })).toEqual([
    415,
    "unsupported_media_type",
  ]);
  expect(await api.outcome(DOCUMENTS, { raw: "\n", headers: NDJSON })).toEqual([
    400,
    "invalid_request",
  ]);
});
