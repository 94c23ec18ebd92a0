/** The Worker for ONNX models, which the main Worker calls through a service binding. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { ServiceError } from "../errors.ts";
import { ModelStore } from "../store/model-store.ts";
import type { OnnxKind, OnnxManifest } from "./manifest.ts";
import { lengthOf, type OnnxModel } from "./model.ts";
import { ModelCache, type OnnxFile } from "./model-cache.ts";

export interface OnnxEnv {
  MODELS: R2Bucket;
}

export interface OnnxModelInfo {
  id: string;
  kind: OnnxKind;
}

const cache = new ModelCache();

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Methods throw ServiceErrors, of which RPC keeps `code` and `param`: `model_not_found` (also for
 *  a model of another kind), `invalid_model_file`, `model_too_large`. Texts are within the API's
 *  limits. */
export default class OnnxWorker extends WorkerEntrypoint<OnnxEnv> {
  /** A deployed Worker has an address unless its routes are off: it answers nothing there. */
  override fetch(): Response {
    return new Response("not found", { status: 404 });
  }

  /** The ONNX models in the store, by id. */
  async models(): Promise<OnnxModelInfo[]> {
    const stored = await this.#store.list();
    return stored.flatMap(({ name, kind }) => (kind === "generator" ? [] : [{ id: name, kind }]));
  }

  /** Loads a file that is not visible yet and runs it once at its full length, so that a wrong
   *  tokenizer, pooling, label count or max_tokens is known before anyone meets it. */
  async check(file: OnnxFile, manifest: OnnxManifest): Promise<void> {
    const text = "a ".repeat(manifest.max_tokens);
    const use = async (model: OnnxModel) => {
      if (manifest.kind === "encoder") await model.embed(text);
      else if (manifest.kind === "reranker") await model.logits("a", text);
      else await model.logits(text);
    };
    await cache.borrow(this.#store, file, manifest, use, (work) => this.ctx.waitUntil(work));
  }

  /** One vector f32 [dim] a text, and the tokens read. */
  async embed(id: string, texts: string[]): Promise<{ vectors: Float32Array[]; tokens: number }> {
    const model = await this.#open(id, ["encoder"]);
    const vectors: Float32Array[] = [];
    let sum = 0;
    for (const text of texts) {
      const { vector, tokens } = await model.embed(text);
      vectors.push(vector);
      sum += tokens;
    }
    return { vectors, tokens: sum };
  }

  /** How well each text answers the query: a reranker's logit through the sigmoid, 0..1, or an
   *  encoder's cosine, -1..1. */
  async rerank(
    id: string,
    query: string,
    texts: string[],
  ): Promise<{ scores: number[]; tokens: number }> {
    const model = await this.#open(id, ["reranker", "encoder"]);
    if (model.manifest.kind === "encoder") return rerankByCosine(model, query, texts);
    const scores: number[] = [];
    let sum = 0;
    for (const text of texts) {
      const { logits, tokens } = await model.logits(query, text);
      scores.push(sigmoid(logits[0]!));
      sum += tokens;
    }
    return { scores, tokens: sum };
  }

  /** Each text's scores, 0..1, in the order of the labels. */
  async classify(
    id: string,
    texts: string[],
  ): Promise<{ labels: string[]; scores: number[][]; tokens: number }> {
    const model = await this.#open(id, ["classifier"]);
    const { labels, activation } = model.manifest;
    const scores: number[][] = [];
    let sum = 0;
    for (const text of texts) {
      const { logits, tokens } = await model.logits(text);
      scores.push(activation === "sigmoid" ? Array.from(logits, sigmoid) : softmax(logits));
      sum += tokens;
    }
    return { labels, scores, tokens: sum };
  }

  get #store(): ModelStore {
    return new ModelStore(this.env.MODELS);
  }

  async #open(id: string, kinds: OnnxKind[]): Promise<OnnxModel> {
    const model = await cache.open(this.#store, id, (work) => this.ctx.waitUntil(work));
    const { kind } = model.manifest;
    if (kinds.includes(kind)) return model;
    throw new ServiceError("model_not_found", `"${id}" is a ${kind}, not a ${kinds.join(" or ")}`, {
      param: "model",
    });
  }
}

async function rerankByCosine(model: OnnxModel, query: string, texts: string[]) {
  const asked = await model.embed(query);
  const scores: number[] = [];
  let sum = asked.tokens;
  for (const text of texts) {
    const { vector, tokens } = await model.embed(text);
    scores.push(cosine(asked.vector, vector));
    sum += tokens;
  }
  return { scores, tokens: sum };
}

/** 0 where a vector is all zeros. */
function cosine(a: Float32Array, b: Float32Array): number {
  const dot = a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const norms = lengthOf(a) * lengthOf(b);
  return norms === 0 ? 0 : dot / norms;
}

function softmax(logits: Float32Array): number[] {
  const max = logits.reduce((a, b) => Math.max(a, b));
  const exps = Array.from(logits, (x) => Math.exp(x - max));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / sum);
}
