/** The ONNX models of an isolate: read from the store on first use, kept while there is room, the
 *  least recently used going first. What cannot fit is refused before it is read. */
import { ServiceError } from "../errors.ts";
import { ONNX_RECHECK_MS_MAX } from "../limits.ts";
import type { ModelStore, StoredModel } from "../store/model-store.ts";
import { type OnnxManifest, parseManifest } from "./manifest.ts";
import { fitTogether, type ModelSize, refuseTooLarge } from "./memory-need.ts";
import { OnnxModel } from "./model.ts";

interface Entry {
  model: OnnxModel;
  size: ModelSize;
  /** The store's name of its bytes, which changes when the model is replaced. */
  file: string;
  checkedMs: number;
  usedAt: number;
}

/** What of a stored model is needed to read it: one that is not yet visible has no more. */
export type OnnxFile = Pick<StoredModel, "name" | "file" | "bytes" | "tokenizer_bytes">;

type KeepAlive = (work: Promise<unknown>) => void;

/** Evicting needs no count of users: between `open` and the last run of a request nothing waits for
 *  an event, be it I/O or a timer, and nothing is evicted but after one. */
export class ModelCache {
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<Entry>>();
  /** Loads go one after another: two at once would each see room that there is only once. */
  #last: Promise<unknown> = Promise.resolve();
  #uses = 0;

  /** The model, loaded if need be. `keepAlive` is the request's waitUntil: a load belongs to every
   *  request that waits for it, so it must outlive the one that began it. Throws
   *  `model_not_found`, `invalid_model_file`, `model_too_large`. */
  async open(store: ModelStore, id: string, keepAlive: KeepAlive): Promise<OnnxModel> {
    const entry = await this.#current(store, id);
    if (entry !== null) return this.#use(entry).model;
    let loading = this.#loading.get(id);
    if (loading === undefined) {
      loading = this.#queue(() => this.#load(store, id), keepAlive);
      this.#loading.set(id, loading);
      const done = () => this.#loading.delete(id);
      loading.then(done, done);
    }
    return this.#use(await loading).model;
  }

  /** Loads a model that is not to stay, after what is loading, and gives it to `use`, which must
   *  not wait for I/O. Throws what `use` throws, `invalid_model_file`, `model_too_large`. */
  async borrow(
    store: ModelStore,
    file: OnnxFile,
    manifest: OnnxManifest,
    use: (model: OnnxModel) => Promise<void>,
    keepAlive: KeepAlive,
  ): Promise<void> {
    const work = async () => {
      await new Promise((turn) => setTimeout(turn, 0)); // what was loaded before this may yet run
      await this.#makeRoom(file.name, sizeOf(file, manifest));
      const model = await readModel(store, file, manifest);
      await use(model).finally(() => model.release());
    };
    return this.#queue(work, keepAlive);
  }

  #queue<T>(work: () => Promise<T>, keepAlive: KeepAlive): Promise<T> {
    const queued = this.#last.then(work);
    this.#last = queued.catch(() => {});
    keepAlive(this.#last);
    return queued;
  }

  #use(entry: Entry): Entry {
    entry.usedAt = ++this.#uses;
    return entry;
  }

  /** The entry if its file is still the store's. */
  async #current(store: ModelStore, id: string): Promise<Entry | null> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    if (Date.now() - entry.checkedMs < ONNX_RECHECK_MS_MAX) return entry;
    const stored = await store.find(id);
    if (this.#entries.get(id) === entry) {
      if (stored?.file === entry.file) {
        entry.checkedMs = Date.now();
        return entry;
      }
      await this.#evict(id);
    }
    return this.#current(store, id); // another may be there by now
  }

  async #load(store: ModelStore, id: string): Promise<Entry> {
    const found = await store.findOnnx(id);
    if (found === null)
      throw new ServiceError("model_not_found", `no model ${JSON.stringify(id.slice(0, 100))}`, {
        param: "model",
      });
    const manifest = parseManifest(found.manifest);
    const size = sizeOf(found.model, manifest);
    await this.#evict(id);
    await this.#makeRoom(id, size);
    const model = await readModel(store, found.model, manifest);
    const entry = { model, size, file: found.model.file, checkedMs: Date.now(), usedAt: 0 };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Evicts until the model fits beside what stays. Where a large model left linear memory so large
   *  that even alone it might not, it is loaded all the same: the platform ends an isolate that
   *  goes over its limit, and the next one starts afresh, while a refusal would last. */
  async #makeRoom(id: string, size: ModelSize): Promise<void> {
    refuseTooLarge(id, size);
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

function sizeOf({ bytes, tokenizer_bytes }: OnnxFile, { max_tokens }: OnnxManifest): ModelSize {
  return { model: bytes - tokenizer_bytes, tokenizer: tokenizer_bytes, maxTokens: max_tokens };
}

async function readModel(
  store: ModelStore,
  file: OnnxFile,
  manifest: OnnxManifest,
): Promise<OnnxModel> {
  const offset = file.tokenizer_bytes;
  const vocabulary = await store.open(file, { offset: 0, length: offset });
  const tokenizer = await new Response(vocabulary).text();
  const length = file.bytes - offset;
  const graph = await store.open(file, { offset, length });
  return OnnxModel.open(manifest, tokenizer, await readWhole(graph, length));
}

/** The stream in one buffer of its own size, so that it is never held twice. */
async function readWhole(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let at = 0;
  for await (const chunk of stream) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
