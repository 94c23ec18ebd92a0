/** The models of an isolate: loaded once, from static assets straight into linear memory, and
 *  shared by every request that the isolate serves. */
import difficultyWeights from "../../models/difficulty.json";
import { ServiceError } from "../errors.ts";
import { Encoder } from "../model/encoder.ts";
import { Kernels } from "../model/kernels.ts";
import kernelsModule from "../model/kernels-module.ts";
import { SpanReader } from "../model/reader.ts";
import { type DifficultyModel, parseDifficultyModel } from "./difficulty.ts";

/** The encoder's public name, for GET /v1/models and /v1/embeddings. */
export const ENCODER_ID = "all-MiniLM-L6-v2";

export interface Models {
  kernels: Kernels;
  encoder: Encoder;
  reader: SpanReader;
  difficulty: DifficultyModel;
}

let loading: Promise<Models> | null = null;

/** The models, loading them on the first call. `keepAlive` is the request's waitUntil: the load
 *  belongs to every request that waits for it, so it must outlive the one that began it. A load
 *  that failed is tried again by the next call. Throws `invalid_model_file`. */
export function loadModels(
  assets: Fetcher,
  keepAlive: (work: Promise<unknown>) => void,
): Promise<Models> {
  if (loading === null) {
    const current = load(assets);
    loading = current;
    keepAlive(
      current.catch(() => {
        loading = null;
      }),
    );
  }
  return loading;
}

async function load(assets: Fetcher): Promise<Models> {
  const kernels = Kernels.create(kernelsModule);
  const encoder = await Encoder.load(kernels, await openAsset(assets, "models/encoder.gguf"));
  const readerStream = await openAsset(assets, "models/reader.gguf");
  const reader = await SpanReader.load(kernels, readerStream, encoder);
  return { kernels, encoder, reader, difficulty: parseDifficultyModel(difficultyWeights) };
}

/** The bytes of a static asset as they arrive. */
export async function openAsset(
  assets: Fetcher,
  path: string,
): Promise<ReadableStream<Uint8Array>> {
  const response = await assets.fetch(`https://assets.invalid/${path}`);
  if (!response.ok || response.body === null)
    throw new ServiceError("invalid_model_file", `asset ${path} is missing: run npm run build`);
  return response.body;
}
