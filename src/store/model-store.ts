/** The operator's models in R2: a file each under `files/`, and under `models/` a small object by
 *  the model's name that says which file it is. The latter is written last, so a model is visible
 *  only when it is whole and checked, and is replaced in one step. An ONNX model's file is its
 *  tokenizer.json with its model.onnx right behind; its manifest is the small object's body. */
import { ServiceError } from "../errors.ts";
import { MODEL_BYTES_MAX, MODEL_NAME_PATTERN, MODELS_MAX } from "../limits.ts";
import { type GgufHeader, HeaderIncomplete, invalidModel, parseHeader } from "../model/gguf.ts";
import { sha256 } from "../model/sha256.ts";
import type { OnnxKind } from "../onnx/manifest.ts";

/** A model that can be asked. */
export interface StoredModel {
  name: string;
  /** generator: a decoder. */
  kind: "generator" | OnnxKind;
  /** Names its bytes: another file under the same name has another. */
  file: string;
  bytes: number;
  /** In hex. */
  sha256: string;
  /** general.architecture of a decoder's header; null for an ONNX model. */
  architecture: string | null;
  /** How many of an ONNX model's bytes, the first, are its tokenizer.json; 0 for a decoder. */
  tokenizer_bytes: number;
  /** Unix time in ms. */
  created_at: number;
}

const HEADER_READ_BYTES = 1024 * 1024;

export class ModelStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  /** By name; MODELS_MAX at most. R2 may make a page with metadata shorter than was asked. */
  async list(): Promise<StoredModel[]> {
    const models: StoredModel[] = [];
    for (let cursor: string | null = ""; cursor !== null && models.length < MODELS_MAX; ) {
      const page: R2Objects = await this.#bucket.list({
        prefix: "models/",
        include: ["customMetadata"],
        limit: MODELS_MAX - models.length,
        ...(cursor === "" ? {} : { cursor }),
      });
      for (const { key, customMetadata } of page.objects) models.push(entryOf(key, customMetadata));
      cursor = page.truncated ? page.cursor : null;
    }
    return models;
  }

  /** Null where there is none of that name. */
  async find(name: string): Promise<StoredModel | null> {
    const object = await this.#bucket.head(`models/${name}`);
    return object === null ? null : entryOf(object.key, object.customMetadata);
  }

  /** An ONNX model with its manifest as JSON; null where no model or a decoder has that name. */
  async findOnnx(name: string): Promise<{ model: StoredModel; manifest: string } | null> {
    if (!MODEL_NAME_PATTERN.test(name)) return null;
    const object = await this.#bucket.get(`models/${name}`);
    if (object === null) return null;
    const model = entryOf(object.key, object.customMetadata);
    if (model.kind === "generator") return null;
    return { model, manifest: await object.text() };
  }

  /** The file's bytes as they arrive, `length` of them from `offset` on, or all. Errors:
   *  model_not_found where it was removed meanwhile. */
  async open(
    { name, file }: Pick<StoredModel, "name" | "file">,
    range?: { offset: number; length: number },
  ): Promise<ReadableStream<Uint8Array>> {
    const object = await this.#bucket.get(`files/${file}`, range === undefined ? {} : { range });
    if (object === null)
      throw new ServiceError("model_not_found", `the file of model "${name}" is gone`);
    return object.body;
  }

  /** Makes the file visible under its name and removes the one it replaces. `manifest` is an ONNX
   *  model's, checked, as JSON, and null for a decoder. */
  async publish(model: StoredModel, manifest: string | null): Promise<void> {
    const { name, ...rest } = model;
    const before = await this.find(name);
    const customMetadata = { entry: JSON.stringify(rest) };
    await this.#bucket.put(`models/${name}`, manifest ?? "", { customMetadata });
    if (before !== null && before.file !== model.file) await this.removeFile(before.file);
  }

  /** Whether there was one. */
  async remove(name: string): Promise<boolean> {
    const model = await this.find(name);
    if (model === null) return false;
    await this.#bucket.delete(`models/${name}`);
    await this.removeFile(model.file);
    return true;
  }

  removeFile(file: string): Promise<void> {
    return this.#bucket.delete(`files/${file}`);
  }

  /** R2's id of a multipart upload that will be `file`. */
  async begin(file: string): Promise<string> {
    return (await this.#bucket.createMultipartUpload(`files/${file}`)).uploadId;
  }

  /** R2's tag of the part, which `finish` wants back. */
  async putPart(file: string, multipart: string, part: number, bytes: Uint8Array): Promise<string> {
    const upload = this.#bucket.resumeMultipartUpload(`files/${file}`, multipart);
    return (await upload.uploadPart(part, bytes)).etag;
  }

  /** Joins the parts; again does nothing. */
  async finish(
    file: string,
    multipart: string,
    parts: readonly { part: number; etag: string }[],
  ): Promise<void> {
    if ((await this.#bucket.head(`files/${file}`)) !== null) return;
    const upload = this.#bucket.resumeMultipartUpload(`files/${file}`, multipart);
    await upload.complete(parts.map(({ part, etag }) => ({ partNumber: part, etag })));
  }

  /** Gives up an upload and removes what it made. */
  async abort(file: string, multipart: string): Promise<void> {
    const upload = this.#bucket.resumeMultipartUpload(`files/${file}`, multipart);
    await upload.abort().catch(() => {}); // R2 has forgotten it already, or it is complete
    await this.removeFile(file);
  }

  /** Reads the whole file once; its header and digest. Errors: invalid_model_file. */
  async inspect(file: string): Promise<{ header: GgufHeader; bytes: number; sha256: string }> {
    return inspectStream(await this.#openUpload(file));
  }

  /** Reads the whole file once; its size and digest. */
  async measure(file: string): Promise<{ bytes: number; sha256: string }> {
    const hash = sha256();
    let bytes = 0;
    for await (const chunk of await this.#openUpload(file)) {
      bytes += chunk.byteLength;
      await hash.update(chunk);
    }
    return { bytes, sha256: await hash.digest() };
  }

  async #openUpload(file: string): Promise<ReadableStream<Uint8Array>> {
    const object = await this.#bucket.get(`files/${file}`);
    if (object === null) throw new ServiceError("not_found", "the uploaded file is gone");
    return object.body;
  }
}

/** As `ModelStore.inspect`, of any stream. Holds the header's bytes and one chunk. */
export async function inspectStream(
  stream: ReadableStream<Uint8Array>,
): Promise<{ header: GgufHeader; bytes: number; sha256: string }> {
  const hash = sha256();
  let header: GgufHeader | null = null;
  let start = new Uint8Array(HEADER_READ_BYTES);
  let bytes = 0;
  for await (const chunk of stream) {
    if (bytes + chunk.byteLength > MODEL_BYTES_MAX)
      throw invalidModel(`a model file has ${MODEL_BYTES_MAX} bytes at most`);
    for (let at = 0; header === null && at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + start.length - bytes - at);
      start.set(part, bytes + at);
      at += part.length;
      if (bytes + at < start.length) continue;
      header = tryParse(start);
      const grown = new Uint8Array(header === null ? 2 * start.length : 0);
      if (header === null) grown.set(start);
      start = grown;
    }
    bytes += chunk.byteLength;
    await hash.update(chunk);
  }
  header ??= tryParse(start.subarray(0, bytes));
  if (header === null) throw invalidModel(`the file ends inside its header, at byte ${bytes}`);
  const { alignment, endOffset } = header;
  if (bytes < endOffset || bytes > Math.ceil(endOffset / alignment) * alignment)
    throw invalidModel(`the file has ${bytes} bytes, its tensors end at ${endOffset}`);
  return { header, bytes, sha256: await hash.digest() };
}

function tryParse(bytes: Uint8Array): GgufHeader | null {
  try {
    return parseHeader(bytes);
  } catch (error) {
    if (error instanceof HeaderIncomplete) return null;
    throw error;
  }
}

function entryOf(key: string, metadata: Record<string, string> | undefined): StoredModel {
  const entry = JSON.parse(metadata?.entry ?? "null") as Omit<StoredModel, "name"> | null;
  if (entry === null)
    throw new ServiceError("misconfigured", `the bucket's object ${key} is not one of Brink's`);
  return { name: key.slice("models/".length), ...entry };
}
