/** Bombs: little that would take much. Nesting of everything that nests, bodies that are packed,
 *  and bodies without an end; each is refused or read in work that is counted. */
import { BODY_BYTES_MAX, BODY_DRAIN_BYTES_MAX, DOCUMENT_LINE_BYTES_MAX } from "../../src/limits.ts";
import { startApi } from "../api/fake-service.ts";
import type { Random } from "./random.ts";
import { must, mustEqual, type Target } from "./target.ts";

const PATHS = [
  ...["/v1/chat/completions", "/v1/responses", "/v1/memory/search", "/v1/memory/remember"],
  ...["/v1/rerank", "/v1/embeddings", "/admin/namespaces/docs/documents", "/admin/keys"],
];
const OPEN = ["[", '{"a":', '[{"a":', '{"messages":[', '{"filter":{"not":', '{"input":['];

/** The fields in which a deep value stands. */
function placed(deep: string, random: Random): string {
  return random.pick([
    deep,
    `{"messages":[{"role":"user","content":${deep}}]}`,
    `{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema",` +
      `"json_schema":{"name":"a","schema":${deep}}}}`,
    `{"query":"a","filter":${deep}}`,
    `{"documents":[{"text":"a","metadata":${deep}}]}`,
    `{"documents":[{"text":"a","embedding":${deep}}]}`,
    `{"input":${deep}}`,
  ]);
}

/** A body that is made as it is read; counts how much was asked for. */
function endless(piece: Uint8Array, bytesMax: number) {
  const source = { bytes: 0 };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (source.bytes >= bytesMax) return controller.close();
        source.bytes += piece.length;
        controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  return { source, stream };
}

async function codeOf(response: Response): Promise<string> {
  const text = await response.text();
  if (response.status < 400) return "answered";
  const { error } = JSON.parse(text) as { error: { code: string } };
  must(response.status < 500, `${response.status}: ${text}`);
  return error.code;
}

async function checkNesting(random: Random, show: (input: unknown) => void): Promise<string> {
  const levels = random.pick([65, 1_000, 100_000, 1_000_000]);
  const open = random.pick(OPEN);
  const closed = open.replace(/[^[{]/g, "").replace(/[[{]/g, (one) => (one === "[" ? "]" : "}"));
  const back = [...closed].reverse().join("");
  const whole = random.once(2);
  const deep = `${open.repeat(levels)}1${whole ? back.repeat(levels) : ""}`;
  const path = random.pick(PATHS);
  show(`${path}: ${levels} of ${open}`);
  const raw = placed(deep.slice(0, BODY_BYTES_MAX - 1_000), random);
  const code = await codeOf(await startApi().call(path, { raw }));
  must(
    code === "invalid_json" || code === "invalid_request" || code === "unsupported_parameter",
    code,
  );
  return whole ? "nested" : "broken off";
}

/** What is packed is not looked at. */
async function checkPacked(random: Random): Promise<string> {
  const { source, stream } = endless(new Uint8Array(65_536), 2 ** 31);
  const encoding = random.pick(["gzip", "br", "deflate", "zstd", "gzip, gzip", "GZIP", "x-gzip"]);
  const headers = { "content-encoding": encoding };
  const types = ["application/json", "application/x-ndjson", "application/octet-stream"];
  const type = random.pick(types);
  const path = type.endsWith("json") ? random.pick(PATHS) : "/admin/models/m/uploads/u/parts/1";
  const method = type.endsWith("json") ? "POST" : "PUT";
  const options = { method, raw: stream, headers: { ...headers, "content-type": type } };
  mustEqual(await codeOf(await startApi().call(path, options)), "unsupported_media_type", path);
  must(source.bytes <= BODY_DRAIN_BYTES_MAX + 65_536, `${source.bytes} bytes were read`);
  return "packed";
}

/** Bodies of JSON and lines without an end: what is kept is bounded, and so is what is read. */
async function checkEndless(random: Random): Promise<string> {
  const piece = new Uint8Array(1 << 20).fill(97);
  const lines = random.once(2);
  const bytesMax = lines ? 3 * DOCUMENT_LINE_BYTES_MAX : 2 ** 31;
  const { source, stream } = endless(piece, bytesMax);
  const headers = { "content-type": lines ? "application/x-ndjson" : "application/json" };
  const path = "/admin/namespaces/docs/documents";
  const response = await startApi().call(path, { raw: stream, headers });
  mustEqual(await codeOf(response), "body_too_large", "what is without an end");
  must(source.bytes <= BODY_DRAIN_BYTES_MAX + 2 * piece.length, `${source.bytes} bytes read`);
  return "endless";
}

export const bombs: Target = {
  name: "bombs",
  about: "nesting, packed bodies and bodies without an end: refused, in bounded reading",
  cases: 1_000,
  short: 25,
  ends: ["nested", "broken off", "packed", "endless"],
  prepare: () => (random, show) => {
    const kind = random.below(8);
    if (kind === 0) return checkEndless(random);
    return kind < 3 ? checkPacked(random) : checkNesting(random, show);
  },
};
