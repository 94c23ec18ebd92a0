/** Uploads of ONNX models on a real bucket and a real ledger, in workerd. The Worker that tries
 *  them out is scripted here; test/service/onnx.test.ts has the real one. */
import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import { type OnnxBinding, OnnxModels } from "../../src/engine/onnx.ts";
import { codeOf, ServiceError } from "../../src/errors.ts";
import { MODEL_PART_BYTES, ONNX_MANIFEST_CHARS_MAX } from "../../src/limits.ts";
import { OperatorModels } from "../../src/pipeline/model-admin.ts";
import type { Caller } from "../../src/pipeline/types.ts";
import { ModelStore } from "../../src/store/model-store.ts";
import { decoderFile } from "../model/tiny-decoder.ts";

const operator: Caller = {
  tenant: "default",
  scopes: ["admin"],
  namespaces: null,
  default_namespace: null,
};
const MANIFEST = { kind: "encoder", max_tokens: 16, pooling: "cls" };
const TOKENIZER = Buffer.from('{"a tokenizer": true}');
const GRAPH = Buffer.alloc(MODEL_PART_BYTES + 99, 7);
const FILE = Buffer.concat([TOKENIZER, GRAPH]);

const announce = (file: Uint8Array, manifest: object = MANIFEST) => ({
  bytes: file.length,
  sha256: createHash("sha256").update(file).digest("hex"),
  onnx: { manifest, tokenizer_bytes: TOKENIZER.length },
});
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error) => ({ code: codeOf(error), message: error.message, param: error.param }),
  );
const code = async (work: Promise<unknown>) => (await refusal(work))?.code ?? null;

let ledgers = 0;
let store: ModelStore;
/** What the scripted Worker was asked to try out, and what it then does. */
let tried: unknown[];
let verdict: () => Promise<void>;
let models: OperatorModels;
beforeEach(async () => {
  store = new ModelStore(env.MODELS);
  for (const { key } of (await env.MODELS.list()).objects) await env.MODELS.delete(key);
  tried = [];
  verdict = async () => {};
  const binding = {
    check: (...args: unknown[]) => {
      tried.push(args);
      return verdict();
    },
  } as unknown as OnnxBinding;
  models = newModels(new OnnxModels(binding));
});

function newModels(onnx: OnnxModels): OperatorModels {
  return new OperatorModels(store, env.LEDGER.getByName(`onnx-${ledgers++}`), 64, onnx);
}

async function send(name: string, file: Uint8Array, announced: ReturnType<typeof announce>) {
  const { upload_id } = await models.createUpload(operator, name, announced);
  for (let i = 0; i * MODEL_PART_BYTES < file.length; i++) {
    const bytes = file.subarray(i * MODEL_PART_BYTES, (i + 1) * MODEL_PART_BYTES);
    await models.putPart(operator, name, upload_id, i + 1, bytes);
  }
  return upload_id;
}

it("an upload becomes a model once its Worker has run it, and is read in its parts", async () => {
  const id = await send("bge", FILE, announce(FILE));
  expect(await models.list(operator)).toEqual([]);
  expect(await store.findOnnx("bge")).toBeNull();
  const model = await models.complete(operator, "bge", id);
  expect(model).toMatchObject({ name: "bge", kind: "encoder", architecture: null });
  const { file, bytes, tokenizer_bytes } = model;
  expect(tried).toEqual([
    [{ name: "bge", file, bytes, tokenizer_bytes }, expect.objectContaining(MANIFEST)],
  ]);
  expect(await models.list(operator)).toEqual([model]);
  const found = await store.findOnnx("bge");
  expect(found?.model).toEqual(model);
  expect(JSON.parse(found!.manifest)).toMatchObject({ ...MANIFEST, normalize: true });
  const read = async (offset: number, length: number) =>
    new Uint8Array(await new Response(await store.open(model, { offset, length })).arrayBuffer());
  expect(Buffer.from(await read(0, tokenizer_bytes)).equals(TOKENIZER)).toBe(true);
  const graph = await read(tokenizer_bytes, bytes - tokenizer_bytes);
  expect(GRAPH.equals(graph)).toBe(true);
});

it("an upload is gone on with under the same manifest only", async () => {
  const first = await models.createUpload(operator, "bge", announce(FILE));
  const again = await models.createUpload(operator, "bge", announce(FILE));
  const other = { ...MANIFEST, pooling: "mean" };
  const changed = await models.createUpload(operator, "bge", announce(FILE, other));
  expect(again.upload_id).toBe(first.upload_id);
  expect(changed.upload_id).not.toBe(first.upload_id);
});

it("what the Worker refuses is dropped; what it could not try can be completed again", async () => {
  const id = await send("bge", FILE, announce(FILE));
  verdict = () => Promise.reject(new Error("Worker exceeded memory limit."));
  expect(await code(models.complete(operator, "bge", id))).toBe("model_unavailable");
  expect((await models.getUpload(operator, "bge", id)).parts).toEqual([1, 2]);
  verdict = () => Promise.reject(new ServiceError("invalid_model_file", "ONNX model: wrong"));
  const refused = await refusal(models.complete(operator, "bge", id));
  expect(refused).toMatchObject({ code: "invalid_request", message: "ONNX model: wrong" });
  expect(await code(models.getUpload(operator, "bge", id))).toBe("not_found");
  expect((await env.MODELS.list()).objects).toEqual([]);
});

it("a model is replaced in one step, its file goes, and all of it goes when removed", async () => {
  const first = await models.complete(operator, "bge", await send("bge", FILE, announce(FILE)));
  const small = Buffer.concat([TOKENIZER, GRAPH.subarray(0, 100)]);
  const announced = announce(small, { kind: "reranker", max_tokens: 16 });
  const second = await models.complete(operator, "bge", await send("bge", small, announced));
  expect(second.file).not.toBe(first.file);
  expect(await models.list(operator)).toEqual([second]);
  expect((await store.findOnnx("bge"))?.manifest).toContain('"kind":"reranker"');
  expect((await env.MODELS.list({ prefix: "files/" })).objects.length).toBe(1);
  await models.remove(operator, "bge");
  expect((await env.MODELS.list()).objects).toEqual([]);
});

it("a name is a decoder's or an ONNX model's, also where both were on their way", async () => {
  const gguf = decoderFile({});
  const decoder = { ...announce(gguf), onnx: null };
  const begun = await models.createUpload(operator, "same", decoder);
  await models.putPart(operator, "same", begun.upload_id, 1, gguf);
  await models.complete(operator, "same", await send("same", FILE, announce(FILE)));
  const refused = await refusal(models.complete(operator, "same", begun.upload_id));
  expect(refused).toMatchObject({ code: "conflict", param: "name" });
  expect(await code(models.createUpload(operator, "same", decoder))).toBe("conflict");
  expect((await models.list(operator))[0]).toMatchObject({ kind: "encoder" });
  expect(await code(models.createUpload(operator, "all-MiniLM-L6-v2", announce(FILE)))).toBe(
    "conflict",
  );
});

it.each<[string, object, object]>([
  ["a wrong manifest", { manifest: { kind: "encoder" } }, { param: "onnx.manifest" }],
  ["a tokenizer that is all", { tokenizer_bytes: FILE.length }, { code: "invalid_request" }],
  [
    "what cannot fit",
    { manifest: { kind: "encoder", max_tokens: 4096 } },
    { code: "model_too_large", message: expect.stringContaining("a run of 4096 tokens") },
  ],
  [
    "a manifest without end",
    {
      manifest: {
        kind: "classifier",
        max_tokens: 16,
        labels: Array.from({ length: 1 + ONNX_MANIFEST_CHARS_MAX / 200 }, () => "a".repeat(200)),
      },
    },
    { code: "invalid_request", param: "onnx.manifest" },
  ],
])("%s is refused before anything is sent", async (_, onnx, expected) => {
  const announced = announce(FILE);
  const work = models.createUpload(operator, "bge", {
    ...announced,
    onnx: { ...announced.onnx, ...onnx },
  });
  expect(await refusal(work)).toMatchObject(expected);
});

it("without a Worker to run it, an ONNX model is refused", async () => {
  models = newModels(new OnnxModels(null));
  const work = models.createUpload(operator, "bge", announce(FILE));
  expect(await code(work)).toBe("model_unavailable");
});
