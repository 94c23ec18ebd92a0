/** The ONNX models of an isolate: read from R2 on first use, kept while there is room, the least
 *  recently used going first. What cannot fit is refused before it is read. */
import { ServiceError } from "../errors.ts";
import {
  ONNX_ISOLATE_BYTES_MAX,
  ONNX_MANIFEST_BYTES_MAX,
  ONNX_RECHECK_MS_MAX,
  ONNX_TOKENIZER_BYTES_MAX,
} from "../limits.ts";
import {
  ONNX_FILES,
  ONNX_ID_PATTERN,
  type OnnxManifest,
  onnxKey,
  parseManifest,
} from "./manifest.ts";
import { fitTogether, type ModelSize, memoryNeed } from "./memory-need.ts";
import { OnnxModel } from "./model.ts";

interface Entry {
  model: OnnxModel;
  size: ModelSize;
  /** The files' etags, which change when one is replaced. */
  etags: string;
  checkedMs: number;
  usedAt: number;
}

/** Evicting needs no count of users: between `open` and the last run of a request nothing waits for
 *  I/O, so no other request's load can come in between. */
export class ModelCache {
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<Entry>>();
  /** Loads go one after another: two at once would each see room that there is only once. */
  #last: Promise<unknown> = Promise.resolve();
  #uses = 0;

  /** The model, loaded if need be. `keepAlive` is the request's waitUntil: a load belongs to every
   *  request that waits for it, so it must outlive the one that began it. Throws
   *  `model_not_found`, `invalid_model_file`, `model_too_large`. */
  async open(
    bucket: R2Bucket,
    id: string,
    keepAlive: (work: Promise<unknown>) => void,
  ): Promise<OnnxModel> {
    const entry = await this.#current(bucket, id);
    if (entry !== null) return this.#use(entry).model;
    let loading = this.#loading.get(id);
    if (loading === undefined) {
      loading = this.#last.then(() => this.#load(bucket, id));
      this.#loading.set(id, loading);
      this.#last = loading
        .catch(() => {})
        .finally(() => {
          this.#loading.delete(id);
        });
      keepAlive(this.#last);
    }
    return this.#use(await loading).model;
  }

  #use(entry: Entry): Entry {
    entry.usedAt = ++this.#uses;
    return entry;
  }

  /** The entry if its files are still those in the bucket. */
  async #current(bucket: R2Bucket, id: string): Promise<Entry | null> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    if (Date.now() - entry.checkedMs < ONNX_RECHECK_MS_MAX) return entry;
    const etags = await readEtags(bucket, id);
    if (this.#entries.get(id) !== entry) return null; // replaced or evicted while R2 was asked
    if (etags === entry.etags) {
      entry.checkedMs = Date.now();
      return entry;
    }
    await this.#evict(id);
    return null;
  }

  async #load(bucket: R2Bucket, id: string): Promise<Entry> {
    const manifest = await readManifest(bucket, id);
    const object = await open(bucket, id, "model");
    const vocabulary = await open(bucket, id, "tokenizer");
    if (vocabulary.size > ONNX_TOKENIZER_BYTES_MAX)
      throw tooLarge(
        `${ONNX_FILES.tokenizer} has ${vocabulary.size} bytes`,
        ONNX_TOKENIZER_BYTES_MAX,
      );
    const etags = await readEtags(bucket, id);
    const size = {
      model: object.size,
      tokenizer: vocabulary.size,
      maxTokens: manifest.max_tokens,
    };
    await this.#makeRoom(id, size);
    const tokenizer = await vocabulary.text();
    const model = await OnnxModel.open(manifest, tokenizer, await readWhole(object));
    const entry = { model, size, etags, checkedMs: Date.now(), usedAt: 0 };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Evicts until the model fits beside what stays. Where a large model left linear memory so large
   *  that even alone it might not, it is loaded all the same: the platform ends an isolate that
   *  goes over its limit, and the next one starts afresh, while a refusal would last. */
  async #makeRoom(id: string, size: ModelSize): Promise<void> {
    const { bytes, arithmetic } = memoryNeed(size);
    if (bytes > ONNX_ISOLATE_BYTES_MAX)
      throw new ServiceError(
        "model_too_large",
        `model "${id}" cannot fit: ${arithmetic}, of ${ONNX_ISOLATE_BYTES_MAX / 1e6} MB`,
        { param: "model" },
      );
    const kept = () => [...this.#entries.values()].map((entry) => entry.size);
    while (this.#entries.size > 0 && !fitTogether([...kept(), size])) {
      const [oldest] = [...this.#entries].sort(([, a], [, b]) => a.usedAt - b.usedAt);
      await this.#evict(oldest![0]);
    }
  }

  async #evict(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    await entry?.model.release();
  }
}

const tooLarge = (fact: string, bytesMax: number) =>
  new ServiceError("model_too_large", `${fact}, the limit is ${bytesMax}`, { param: "model" });

/** Throws `model_not_found` for an id that the bucket has no folder of. */
export async function readManifest(bucket: R2Bucket, id: string): Promise<OnnxManifest> {
  const object = ONNX_ID_PATTERN.test(id) ? await bucket.get(onnxKey(id, "manifest")) : null;
  if (object === null)
    throw new ServiceError("model_not_found", `no model ${JSON.stringify(id.slice(0, 100))}`, {
      param: "model",
    });
  if (object.size > ONNX_MANIFEST_BYTES_MAX)
    throw tooLarge(`${ONNX_FILES.manifest} has ${object.size} bytes`, ONNX_MANIFEST_BYTES_MAX);
  return parseManifest(await object.text());
}

async function open(
  bucket: R2Bucket,
  id: string,
  file: "model" | "tokenizer",
): Promise<R2ObjectBody> {
  const object = await bucket.get(onnxKey(id, file));
  if (object === null)
    throw new ServiceError("invalid_model_file", `model "${id}" has no ${ONNX_FILES[file]}`);
  return object;
}

/** The body in one buffer of its own size, so that it is never held twice. */
async function readWhole(object: R2ObjectBody): Promise<Uint8Array> {
  const out = new Uint8Array(object.size);
  let at = 0;
  for await (const chunk of object.body as unknown as AsyncIterable<Uint8Array>) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

async function readEtags(bucket: R2Bucket, id: string): Promise<string> {
  const files = ["manifest", "model", "tokenizer"] as const;
  const heads = await Promise.all(files.map((file) => bucket.head(onnxKey(id, file))));
  return heads.map((head) => head?.etag ?? "none").join(" ");
}
