/** The main Worker's side of the ONNX Worker. Where a deployment has none, no ONNX model exists. */
import { codeOf, ServiceError } from "../errors.ts";
import type { OnnxManifest } from "../onnx/manifest.ts";
import type { OnnxFile } from "../onnx/model-cache.ts";
import type OnnxWorker from "../onnx/worker.ts";
import type { OnnxModelInfo } from "../onnx/worker.ts";

/** The binding ONNX. */
export type OnnxBinding = Pick<OnnxWorker, "models" | "check" | "embed" | "rerank" | "classify">;

/** Every method throws `model_unavailable` where the ONNX Worker fails as a whole; those with an id
 *  also `model_not_found`, `invalid_model_file` and `model_too_large`, whose codes RPC keeps. */
export class OnnxModels {
  readonly #binding: OnnxBinding | null;

  constructor(binding: OnnxBinding | null) {
    this.#binding = binding;
  }

  async list(): Promise<OnnxModelInfo[]> {
    return this.#binding === null ? [] : settle(this.#binding.models());
  }

  /** Whether the deployment has the Worker. */
  get bound(): boolean {
    return this.#binding !== null;
  }

  /** Loads and runs a model that is not visible yet. Throws `invalid_model_file` with what is
   *  wrong with it. */
  async check(file: OnnxFile, manifest: OnnxManifest): Promise<void> {
    return settle(this.#for(file.name).check(file, manifest));
  }

  /** A vector f32 [dim] a text, in their order. */
  async embed(id: string, texts: string[]): Promise<{ vectors: Float32Array[]; tokens: number }> {
    return settle(this.#for(id).embed(id, texts));
  }

  /** A score a text, in their order: 0..1 by a reranker, -1..1 by an encoder. */
  async rerank(id: string, query: string, texts: string[]) {
    return settle(this.#for(id).rerank(id, query, texts));
  }

  /** Scores 0..1, [texts, labels]. */
  async classify(id: string, texts: string[]) {
    return settle(this.#for(id).classify(id, texts));
  }

  #for(id: string): OnnxBinding {
    if (this.#binding !== null) return this.#binding;
    throw new ServiceError("model_not_found", `no model ${JSON.stringify(id.slice(0, 100))}`, {
      param: "model",
    });
  }
}

/** What the Worker answers. A failure without a code is its own, such as an isolate that ended on
 *  its memory limit: the next call meets a new one. */
async function settle<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (cause) {
    if (codeOf(cause) !== null) throw cause;
    throw new ServiceError("model_unavailable", "the Worker for ONNX models failed: try again", {
      cause,
    });
  }
}
