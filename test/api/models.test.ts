/** /admin/models: what is read, and what is refused before the service hears of it. */
import { expect, it } from "vitest";
import { StoredModelReply, StoredModelsReply, UploadReply } from "../../src/api/schema/models.ts";
import { MODEL_BYTES_MAX, MODEL_PART_BYTES, ONNX_TOKENIZER_BYTES_MAX } from "../../src/limits.ts";
import { startApi } from "./fake-service.ts";

const UPLOADS = "/admin/models/tiny/uploads";
const file = { bytes: 9, sha256: "a".repeat(64) };

it("an upload is begun, shown, filled, completed and given up", async () => {
  const { call, service } = startApi();
  const begun = await call(UPLOADS, { json: file });
  expect(begun.status).toBe(201);
  expect(UploadReply.strict().parse(await begun.json())).toMatchObject({ parts: [1] });
  expect((await call(`${UPLOADS}/u1`)).status).toBe(200);
  const put = { method: "PUT", raw: Uint8Array.of(1, 2, 3) };
  expect(await (await call(`${UPLOADS}/u1/parts/2`, put)).json()).toEqual({ part: 2, bytes: 3 });
  const done = await call(`${UPLOADS}/u1/complete`, { method: "POST" });
  expect(StoredModelReply.strict().parse(await done.json()).name).toBe("tiny");
  expect((await call(`${UPLOADS}/u1`, { method: "DELETE" })).status).toBe(200);
  expect(service.calls.map(([name, , ...rest]) => [name, ...rest])).toEqual([
    ["createUpload", "tiny", { ...file, onnx: null }],
    ["getUpload", "tiny", "u1"],
    ["putPart", "tiny", "u1", 2, Uint8Array.of(1, 2, 3)],
    ["complete", "tiny", "u1"],
    ["removeUpload", "tiny", "u1"],
  ]);
});

it("an ONNX model is announced with its manifest and its tokenizer's length", async () => {
  const { call, service } = startApi();
  const onnx = { manifest: { kind: "reranker", max_tokens: 8 }, tokenizer_bytes: 3 };
  expect((await call(UPLOADS, { json: { ...file, onnx } })).status).toBe(201);
  expect(service.calls[0]!.slice(2)).toEqual(["tiny", { ...file, onnx }]);
});

it("null for what an ONNX model has beside is a decoder", async () => {
  const { call, service } = startApi();
  expect((await call(UPLOADS, { json: { ...file, onnx: null } })).status).toBe(201);
  expect(service.calls[0]!.slice(2)).toEqual(["tiny", { ...file, onnx: null }]);
});

it("models are listed without where their bytes lie, and removed", async () => {
  const { call } = startApi();
  const { models } = StoredModelsReply.parse(await (await call("/admin/models")).json());
  expect(StoredModelReply.strict().parse(models[0]).name).toBe("tiny");
  const gone = await call("/admin/models/tiny", { method: "DELETE" });
  expect(await gone.json()).toEqual({ id: "tiny", deleted: true });
});

it.each<[string, string, object, string]>([
  ["no size", UPLOADS, { json: { sha256: file.sha256 } }, "invalid_request"],
  [
    "too great a file",
    UPLOADS,
    { json: { ...file, bytes: MODEL_BYTES_MAX + 1 } },
    "invalid_request",
  ],
  [
    "a digest in capitals",
    UPLOADS,
    { json: { ...file, sha256: "A".repeat(64) } },
    "invalid_request",
  ],
  [
    "a manifest in text",
    UPLOADS,
    { json: { ...file, onnx: { manifest: "{}", tokenizer_bytes: 1 } } },
    "invalid_request",
  ],
  [
    "too great a tokenizer",
    UPLOADS,
    { json: { ...file, onnx: { manifest: {}, tokenizer_bytes: ONNX_TOKENIZER_BYTES_MAX + 1 } } },
    "invalid_request",
  ],
  ["a name with a slash", "/admin/models/a%2Fb/uploads", { json: file }, "invalid_request"],
  ["part 0", `${UPLOADS}/u/parts/0`, { method: "PUT", raw: "x" }, "invalid_request"],
  ["part x", `${UPLOADS}/u/parts/x`, { method: "PUT", raw: "x" }, "invalid_request"],
  [
    "a part in JSON",
    `${UPLOADS}/u/parts/1`,
    { method: "PUT", raw: "{}", headers: { "content-type": "application/json" } },
    "unsupported_media_type",
  ],
  [
    "too great a part",
    `${UPLOADS}/u/parts/1`,
    { method: "PUT", raw: new Uint8Array(MODEL_PART_BYTES + 1) },
    "body_too_large",
  ],
])("%s is refused", async (_, path, options, code) => {
  const { outcome, service } = startApi();
  const headers = { "content-type": "application/octet-stream" };
  const call = "raw" in options ? { headers, ...options } : options;
  expect((await outcome(path, call))[1]).toBe(code);
  expect(service.calls).toEqual([]);
});

it("an inference key may not", async () => {
  const outcome = await startApi().outcome("/admin/models", { key: "brink-dev" });
  expect(outcome).toEqual([403, "forbidden"]);
});
