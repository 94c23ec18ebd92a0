/** Whether an upload may become a model: what can be told when it is announced, and what its bytes
 *  show when they are there. */
import type { OnnxModels } from "../engine/onnx.ts";
import { codeOf, ServiceError } from "../errors.ts";
import type { UploadRecord } from "../ledger/types.ts";
import { ONNX_MANIFEST_CHARS_MAX } from "../limits.ts";
import { checkDecoder } from "../model/check-decoder.ts";
import { checkManifest, type OnnxManifest } from "../onnx/manifest.ts";
import { refuseTooLarge } from "../onnx/memory-need.ts";
import type { ModelStore, StoredModel } from "../store/model-store.ts";
import type { ModelFile } from "./types.ts";

/** What the ledger keeps of an announced ONNX model; null for a decoder. Throws `invalid_request`
 *  for its manifest and `model_too_large` with the arithmetic. */
export function checkAnnounced(name: string, { bytes, onnx }: ModelFile): UploadRecord["onnx"] {
  if (onnx === null) return null;
  const { tokenizer_bytes } = onnx;
  if (tokenizer_bytes >= bytes)
    throw new ServiceError("invalid_request", "no bytes are left for model.onnx", {
      param: "onnx.tokenizer_bytes",
    });
  const checked = asRequest(() => checkManifest(onnx.manifest), "onnx.manifest");
  const model = bytes - tokenizer_bytes;
  refuseTooLarge(name, { model, tokenizer: tokenizer_bytes, maxTokens: checked.max_tokens });
  const manifest = JSON.stringify(checked);
  if (manifest.length > ONNX_MANIFEST_CHARS_MAX)
    throw new ServiceError(
      "invalid_request",
      `the manifest has ${manifest.length} characters, the limit is ${ONNX_MANIFEST_CHARS_MAX}`,
      { param: "onnx.manifest" },
    );
  return { manifest, tokenizer_bytes };
}

/** The model that the uploaded file makes. Throws `invalid_request` with the reason where the file
 *  is not what was announced or cannot be loaded; `model_too_large` with the arithmetic, for a
 *  decoder with `context` tokens; `model_unavailable` where the ONNX Worker failed. */
export async function checkUploaded(
  store: ModelStore,
  upload: UploadRecord,
  context: number,
  onnx: OnnxModels,
): Promise<StoredModel> {
  try {
    if (upload.onnx === null) return await checkGguf(store, upload, context);
    return await checkOnnx(store, upload, upload.onnx, onnx);
  } catch (error) {
    if (codeOf(error) !== "invalid_model_file") throw error;
    throw new ServiceError("invalid_request", (error as Error).message, { cause: error });
  }
}

async function checkGguf(
  store: ModelStore,
  upload: UploadRecord,
  context: number,
): Promise<StoredModel> {
  const { header, ...found } = await store.inspect(upload.id);
  refuseOthers(found, upload);
  const { architecture } = checkDecoder(header, context);
  return { ...modelOf(upload), kind: "generator", architecture, tokenizer_bytes: 0 };
}

async function checkOnnx(
  store: ModelStore,
  upload: UploadRecord,
  announced: NonNullable<UploadRecord["onnx"]>,
  onnx: OnnxModels,
): Promise<StoredModel> {
  refuseOthers(await store.measure(upload.id), upload);
  const { tokenizer_bytes } = announced;
  const manifest = JSON.parse(announced.manifest) as OnnxManifest;
  const { kind } = manifest;
  const model = { ...modelOf(upload), kind, architecture: null, tokenizer_bytes };
  const { name, file, bytes } = model;
  await onnx.check({ name, file, bytes, tokenizer_bytes }, manifest);
  return model;
}

function modelOf({ name, id, bytes, sha256 }: UploadRecord) {
  return { name, file: id, bytes, sha256, created_at: Date.now() };
}

function refuseOthers(found: { bytes: number; sha256: string }, announced: UploadRecord): void {
  const { bytes, sha256 } = found;
  if (bytes !== announced.bytes || sha256 !== announced.sha256)
    throw new ServiceError(
      "invalid_request",
      `the parts make ${bytes} bytes with SHA-256 ${sha256}, which is not what was announced`,
    );
}

/** A bad file is the service's failure when it is read from the store, the caller's here. */
function asRequest<T>(check: () => T, param: string): T {
  try {
    return check();
  } catch (error) {
    if (codeOf(error) !== "invalid_model_file") throw error;
    throw new ServiceError("invalid_request", (error as Error).message, { param, cause: error });
  }
}
