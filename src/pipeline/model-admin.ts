/** What the operator does with models: list, upload in parts, remove. */
import type { OnnxModels } from "../engine/onnx.ts";
import { READER_ID } from "../engine/reader.ts";
import { codeOf, ServiceError } from "../errors.ts";
import type { LedgerObject } from "../ledger/ledger-object.ts";
import type { UploadRecord } from "../ledger/types.ts";
import { MODEL_PART_BYTES, MODELS_MAX } from "../limits.ts";
import { RERANKER_ID } from "../model/reranker.ts";
import type { ModelStore, StoredModel } from "../store/model-store.ts";
import { checkAnnounced, checkUploaded } from "./model-check.ts";
import { ENCODER_ID } from "./models.ts";
import { NOTE_ID } from "./notes.ts";
import { OPERATOR_TENANT } from "./operator.ts";
import type { Caller, ModelAdmin, ModelFile, UploadInfo } from "./types.ts";

/** Ids that mean something else in a request's `model` or as `brink.engine`. */
const BUILT_IN = [READER_ID, NOTE_ID, RERANKER_ID, ENCODER_ID];
const RESERVED = new Set(["auto", "edge", "backend", ...BUILT_IN]);

/** `store` is null where the deployment has no bucket: every call then throws
 *  `generator_not_configured`. A decoder must fit its isolate with `context` tokens; an ONNX model
 *  is tried out by the Worker that will run it. */
export class OperatorModels implements ModelAdmin {
  readonly #store: ModelStore | null;
  readonly #ledger: DurableObjectStub<LedgerObject>;
  readonly #context: number;
  readonly #onnx: OnnxModels;

  constructor(
    store: ModelStore | null,
    ledger: DurableObjectStub<LedgerObject>,
    context: number,
    onnx: OnnxModels,
  ) {
    this.#store = store;
    this.#ledger = ledger;
    this.#context = context;
    this.#onnx = onnx;
  }

  async list(caller: Caller): Promise<StoredModel[]> {
    return this.#open(caller).list();
  }

  async remove(caller: Caller, name: string): Promise<void> {
    if (!(await this.#open(caller).remove(name)))
      throw new ServiceError("model_not_found", `there is no model ${JSON.stringify(name)}`);
  }

  async createUpload(caller: Caller, name: string, file: ModelFile): Promise<UploadInfo> {
    const store = this.#open(caller);
    if (RESERVED.has(name))
      throw new ServiceError("conflict", `"${name}" is the name of something else in Brink`, {
        param: "name",
      });
    const onnx = checkAnnounced(name, file);
    if (onnx !== null && !this.#onnx.bound)
      throw new ServiceError(
        "model_unavailable",
        "this deployment has no Worker for ONNX models: docs/operations.md says how to add one",
      );
    await refuseOtherFormat(store, name, onnx !== null);
    await this.#dropExpired(store);
    const { bytes, sha256 } = file;
    const open = await this.#ledger.listUploads();
    const same = open.find(
      (upload) =>
        upload.name === name &&
        upload.sha256 === sha256 &&
        upload.bytes === bytes &&
        JSON.stringify(upload.onnx) === JSON.stringify(onnx),
    );
    if (same !== undefined) return infoOf(same);
    const stored = await store.list();
    if (stored.length >= MODELS_MAX && !stored.some((model) => model.name === name))
      throw new ServiceError("conflict", `the store holds ${MODELS_MAX} models at most`);
    const id = crypto.randomUUID();
    const multipart = await store.begin(id);
    try {
      return infoOf(await this.#ledger.createUpload({ id, name, bytes, sha256, onnx, multipart }));
    } catch (error) {
      await store.abort(id, multipart);
      throw error;
    }
  }

  async getUpload(caller: Caller, name: string, id: string): Promise<UploadInfo> {
    this.#open(caller);
    return infoOf(await this.#find(name, id));
  }

  async putPart(
    caller: Caller,
    name: string,
    id: string,
    part: number,
    bytes: Uint8Array,
  ): Promise<void> {
    const store = this.#open(caller);
    const upload = await this.#find(name, id);
    const count = partCount(upload);
    if (part > count)
      throw new ServiceError("invalid_request", `this upload has parts 1 to ${count}`, {
        param: "part",
      });
    const wanted = part < count ? MODEL_PART_BYTES : upload.bytes - (count - 1) * MODEL_PART_BYTES;
    if (bytes.byteLength !== wanted)
      throw new ServiceError(
        "invalid_request",
        `part ${part} has ${wanted} bytes, not ${bytes.byteLength}`,
      );
    const etag = await store.putPart(id, upload.multipart, part, bytes);
    if (!(await this.#ledger.putUploadPart(id, part, etag))) throw missingUpload(id);
  }

  /** Joins the parts, checks what they made, and makes it visible. A file that fails a check is
   *  removed with its upload. */
  async complete(caller: Caller, name: string, id: string): Promise<StoredModel> {
    const store = this.#open(caller);
    const upload = await this.#find(name, id);
    const missing = missingParts(upload);
    if (missing.length > 0)
      throw new ServiceError("conflict", `parts ${missing.join(", ")} have not been sent`);
    await store.finish(id, upload.multipart, upload.parts);
    try {
      const model = await checkUploaded(store, upload, this.#context, this.#onnx);
      await refuseOtherFormat(store, name, upload.onnx !== null);
      await store.publish(model, upload.onnx?.manifest ?? null);
      await this.#ledger.deleteUpload(id);
      return model;
    } catch (error) {
      const code = codeOf(error);
      if (code === null || code === "model_unavailable") throw error; // may pass when tried again
      await this.#drop(store, upload);
      throw error;
    }
  }

  async removeUpload(caller: Caller, name: string, id: string): Promise<void> {
    const store = this.#open(caller);
    await this.#drop(store, await this.#find(name, id));
  }

  /** The store, for the operator only: models are the deployment's, not a tenant's. */
  #open(caller: Caller): ModelStore {
    if (caller.tenant !== OPERATOR_TENANT)
      throw new ServiceError("forbidden", "only the operator may tend the models");
    if (this.#store === null)
      throw new ServiceError(
        "generator_not_configured",
        "this deployment has no store of models: docs/operations.md says how to add one",
      );
    return this.#store;
  }

  async #find(name: string, id: string): Promise<UploadRecord> {
    const upload = await this.#ledger.getUpload(id);
    if (upload === null || upload.name !== name) throw missingUpload(id);
    return upload;
  }

  async #dropExpired(store: ModelStore): Promise<void> {
    const open = await this.#ledger.listUploads();
    const now = Date.now();
    for (const upload of open) if (upload.expires_at <= now) await this.#drop(store, upload);
  }

  /** Forgets an upload and its bytes, unless they are a model already: an upload outlives its
   *  model's publishing when the request broke off between the two. */
  async #drop(store: ModelStore, upload: UploadRecord): Promise<void> {
    const model = await store.find(upload.name);
    if (model?.file !== upload.id) await store.abort(upload.id, upload.multipart);
    await this.#ledger.deleteUpload(upload.id);
  }
}

/** Throws `conflict`: a request's \`model\` names a decoder or an ONNX model, never either. */
async function refuseOtherFormat(store: ModelStore, name: string, onnx: boolean): Promise<void> {
  const stored = await store.find(name);
  if (stored === null || (stored.kind !== "generator") === onnx) return;
  throw new ServiceError(
    "conflict",
    `"${name}" is the name of a stored ${stored.kind}: remove it first, or take another name`,
    { param: "name" },
  );
}

function partCount({ bytes }: { bytes: number }): number {
  return Math.ceil(bytes / MODEL_PART_BYTES);
}

function missingParts(upload: UploadRecord): number[] {
  const there = new Set(upload.parts.map(({ part }) => part));
  const all = Array.from({ length: partCount(upload) }, (_, i) => i + 1);
  return all.filter((part) => !there.has(part));
}

function infoOf(upload: UploadRecord): UploadInfo {
  return {
    upload_id: upload.id,
    name: upload.name,
    bytes: upload.bytes,
    sha256: upload.sha256,
    part_bytes: MODEL_PART_BYTES,
    parts: upload.parts.map(({ part }) => part),
    expires_at: upload.expires_at,
  };
}

function missingUpload(id: string): ServiceError {
  return new ServiceError("not_found", `there is no open upload ${JSON.stringify(id)}`);
}
