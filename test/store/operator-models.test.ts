/** Uploads and models on a real bucket and a real ledger, in workerd. */

import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import { OnnxModels } from "../../src/engine/onnx.ts";
import { codeOf } from "../../src/errors.ts";
import { MODEL_PART_BYTES, MODELS_MAX, UPLOADS_MAX } from "../../src/limits.ts";
import { OperatorModels } from "../../src/pipeline/model-admin.ts";
import { listModels } from "../../src/pipeline/model-list.ts";
import type { Caller } from "../../src/pipeline/types.ts";
import { ModelStore } from "../../src/store/model-store.ts";
import { ggufFile } from "../model/gguf-file.ts";
import { decoderFile } from "../model/tiny-decoder.ts";

const CONTEXT = 64;
const operator: Caller = {
  tenant: "default",
  scopes: ["admin"],
  namespaces: null,
  default_namespace: null,
};
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const describe = (file: Uint8Array) => ({ bytes: file.length, sha256: sha256(file), onnx: null });
const noOnnx = new OnnxModels(null);
const code = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error) => codeOf(error),
  );

/** A decoder of two parts. */
const big = decoderFile({ vocabFiller: 95_000 });
const parts = [big.subarray(0, MODEL_PART_BYTES), big.subarray(MODEL_PART_BYTES)];

let ledgers = 0;
let models: OperatorModels;
let store: ModelStore;
beforeEach(async () => {
  store = new ModelStore(env.MODELS);
  for (let more = true; more; ) {
    const { objects, truncated } = await env.MODELS.list();
    await env.MODELS.delete(objects.map(({ key }) => key));
    more = truncated;
  }
  models = new OperatorModels(store, env.LEDGER.getByName(`models-${ledgers++}`), CONTEXT, noOnnx);
});

async function upload(name: string, file: Uint8Array): Promise<string> {
  const { upload_id } = await models.createUpload(operator, name, describe(file));
  for (let i = 0; i * MODEL_PART_BYTES < file.length; i++) {
    const bytes = file.subarray(i * MODEL_PART_BYTES, (i + 1) * MODEL_PART_BYTES);
    await models.putPart(operator, name, upload_id, i + 1, bytes);
  }
  return upload_id;
}

it("a file sent in parts, in any order and twice, becomes a model byte for byte", async () => {
  expect(parts[1]!.length).toBeGreaterThan(0);
  const { upload_id, part_bytes } = await models.createUpload(operator, "tiny", describe(big));
  expect(part_bytes).toBe(MODEL_PART_BYTES);
  await models.putPart(operator, "tiny", upload_id, 2, parts[1]!);
  await models.putPart(operator, "tiny", upload_id, 2, parts[1]!);
  expect(await code(models.complete(operator, "tiny", upload_id))).toBe("conflict");
  await models.putPart(operator, "tiny", upload_id, 1, parts[0]!);
  expect(await models.list(operator)).toEqual([]);
  const model = await models.complete(operator, "tiny", upload_id);
  expect(model).toMatchObject({
    name: "tiny",
    kind: "generator",
    architecture: "llama",
    bytes: big.length,
    sha256: sha256(big),
  });
  expect(await models.list(operator)).toEqual([model]);
  const stored = new Uint8Array(await new Response(await store.open(model)).arrayBuffer());
  expect(sha256(stored)).toBe(sha256(big));
  expect(await code(models.getUpload(operator, "tiny", upload_id))).toBe("not_found");
});

it("an upload begun again is the one that is open, with its parts", async () => {
  const first = await models.createUpload(operator, "tiny", describe(big));
  await models.putPart(operator, "tiny", first.upload_id, 1, parts[0]!);
  const again = await models.createUpload(operator, "tiny", describe(big));
  expect(again).toMatchObject({ upload_id: first.upload_id, parts: [1] });
  const other = await models.createUpload(operator, "other", describe(big));
  expect(other).toMatchObject({ parts: [] });
  expect(other.upload_id).not.toBe(first.upload_id);
});

it("a model is replaced in one step, and the old file goes", async () => {
  const small = decoderFile({});
  await models.complete(operator, "tiny", await upload("tiny", small));
  const model = await models.complete(operator, "tiny", await upload("tiny", big));
  expect(await models.list(operator)).toEqual([model]);
  expect((await env.MODELS.list({ prefix: "files/" })).objects.length).toBe(1);
  await models.remove(operator, "tiny");
  expect((await env.MODELS.list()).objects).toEqual([]);
  expect(await code(models.remove(operator, "tiny"))).toBe("model_not_found");
});

it("a part of the wrong size or number is refused", async () => {
  const { upload_id } = await models.createUpload(operator, "tiny", describe(big));
  const put = (part: number, bytes: Uint8Array) =>
    code(models.putPart(operator, "tiny", upload_id, part, bytes));
  expect(await put(1, parts[1]!)).toBe("invalid_request");
  expect(await put(2, parts[0]!)).toBe("invalid_request");
  expect(await put(3, parts[1]!)).toBe("invalid_request");
  expect(await code(models.putPart(operator, "other", upload_id, 1, parts[0]!))).toBe("not_found");
});

it("bytes that are not what was announced, or no decoder, are refused and forgotten", async () => {
  const bert = ggufFile({ "general.architecture": ["string", "bert"] }, []);
  const noise = new Uint8Array(5000).fill(7);
  const changed = decoderFile({});
  for (const [file, announced] of [
    [bert, bert],
    [noise, noise],
    [changed, changed.slice().fill(1, 0, 4)],
  ] as const) {
    const { upload_id } = await models.createUpload(operator, "bad", describe(announced));
    await models.putPart(operator, "bad", upload_id, 1, file);
    expect(await code(models.complete(operator, "bad", upload_id))).toBe("invalid_request");
    expect(await code(models.getUpload(operator, "bad", upload_id))).toBe("not_found");
  }
  expect((await env.MODELS.list()).objects).toEqual([]);
});

it("uploads are few, those left alone for a day make room, and one can be given up", async () => {
  const file = (i: number) => ({ bytes: 10 + i, sha256: "0".repeat(64), onnx: null });
  const ids: string[] = [];
  for (let i = 0; i < UPLOADS_MAX; i++)
    ids.push((await models.createUpload(operator, "m", file(i))).upload_id);
  const next = () => code(models.createUpload(operator, "m", file(99)));
  expect(await next()).toBe("conflict");
  await models.removeUpload(operator, "m", ids[0]!);
  expect(await next()).toBeNull();
  const past = new OperatorModels(store, env.PAST_LEDGER.getByName("uploads"), CONTEXT, noOnnx);
  for (let i = 0; i < UPLOADS_MAX + 2; i++) await past.createUpload(operator, "m", file(i));
});

it("the store holds so many models, lists them all, and takes no other name", async () => {
  const file = describe(big);
  const facts = { file: "f", architecture: "llama", tokenizer_bytes: 0, created_at: 0, ...file };
  const name = (i: number) => `m${`${i}`.padStart(4, "0")}`;
  const publish = (i: number) =>
    store.publish({ name: name(i), kind: "generator", ...facts }, null);
  const next = (model: string) => code(models.createUpload(operator, model, file));
  for (let i = 0; i < MODELS_MAX - 1; i++) await publish(i);
  expect(await next("other")).toBeNull();
  await publish(MODELS_MAX - 1);
  const names = async () => (await models.list(operator)).map((model) => model.name);
  const all = Array.from({ length: MODELS_MAX }, (_, i) => name(i));
  expect(await names()).toEqual(all);
  expect(await next("another")).toBe("conflict");
  expect(await next(name(7))).toBeNull(); // which takes the other's place
  await publish(MODELS_MAX); // as where two were under way for the last place
  expect(await names()).toEqual(all);
});

it("giving up an upload that is a model already leaves the model whole", async () => {
  // As a request leaves it that broke off after publishing and before the upload was forgotten.
  const { upload_id } = await models.createUpload(operator, "tiny", describe(big));
  await env.MODELS.put(`files/${upload_id}`, big);
  const facts = { architecture: "llama", tokenizer_bytes: 0, created_at: 0, ...describe(big) };
  await store.publish({ name: "tiny", kind: "generator", file: upload_id, ...facts }, null);
  await models.removeUpload(operator, "tiny", upload_id);
  const [model] = await models.list(operator);
  const stored = new Uint8Array(await new Response(await store.open(model!)).arrayBuffer());
  expect(sha256(stored)).toBe(sha256(big));
  expect(await code(models.getUpload(operator, "tiny", upload_id))).toBe("not_found");
});

it("no model takes a name that is listed without any, or that an answer may say", async () => {
  const deps = { kernels: {}, onnx: noOnnx, backend: null, decoders: null };
  const names = (await listModels(deps)).models.map(({ id }) => id);
  for (const name of [...names, "backend", "brink-note"])
    expect(await code(models.createUpload(operator, name, describe(big))), name).toBe("conflict");
});

it("only the operator may, and no bucket says so", async () => {
  const tenant = { ...operator, tenant: "other" };
  expect(await code(models.list(tenant))).toBe("forbidden");
  expect(await code(models.createUpload(tenant, "m", describe(big)))).toBe("forbidden");
  const none = new OperatorModels(null, env.LEDGER.getByName("none"), CONTEXT, noOnnx);
  expect(await code(none.list(operator))).toBe("generator_not_configured");
});
