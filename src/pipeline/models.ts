/** The models of an isolate: loaded once, from static assets straight into linear memory, and
 *  shared by every request that the isolate serves. */
import priorWeights from "../../models/prior.json";
import rerankerWeights from "../../models/reranker.json";
import { codeOf, ServiceError } from "../errors.ts";
import { MODELS_LOAD_MS_MAX } from "../limits.ts";
import type { Precision } from "../model/bert.ts";
import { chooseGemm } from "../model/choose-gemm.ts";
import { Encoder } from "../model/encoder.ts";
import { type GemmVariant, Kernels } from "../model/kernels.ts";
import kernelsModule from "../model/kernels-module.ts";
import { SpanReader } from "../model/reader.ts";
import { Reranker } from "../model/reranker.ts";
import type { Choice } from "../model/self-timing.ts";
import type { DifficultyModel } from "../router/difficulty.ts";
import { type PriorModel, parsePrior } from "../router/prior.ts";
import { shippedDifficulty } from "../router/shipped.ts";
import { within } from "./within.ts";

/** The encoder's public name, for GET /v1/models and /v1/embeddings. */
export const ENCODER_ID = "all-MiniLM-L6-v2";

export interface Models {
  kernels: Kernels;
  encoder: Encoder;
  reader: SpanReader;
  reranker: Reranker;
  difficulty: DifficultyModel;
  prior: PriorModel;
}

const ENCODER_PRECISION: Precision = "fast";

let loading: Promise<Models> | null = null;
let gemm: Choice<GemmVariant> | null = null;

/** How this isolate computes embeddings, for GET /v1/models. The first call, here or by loading the
 *  models, times the variants for some 25 ms. */
export function encoderKernels() {
  gemm ??= chooseGemm(kernelsModule);
  return { gemm_i8: gemm.name, chosen_by: gemm.by, precision: ENCODER_PRECISION };
}

/** The models, loading them on the first call. `keepAlive` is the request's waitUntil: the load
 *  belongs to every request that waits for it, so it must outlive the one that began it. A load
 *  that failed is tried again by the next call. Throws `invalid_model_file`, and
 *  `model_unavailable` where the assets cannot be had. */
export function loadModels(
  assets: Fetcher,
  keepAlive: (work: Promise<unknown>) => void,
): Promise<Models> {
  if (loading === null) {
    const current = within(MODELS_LOAD_MS_MAX, () => load(assets)).catch(unlessOurs);
    loading = current;
    keepAlive(
      current.catch(() => {
        loading = null;
      }),
    );
  }
  return loading;
}

/** Throws what went wrong with a model's file as it is, and anything else as one that may pass. */
function unlessOurs(cause: unknown): never {
  if (codeOf(cause) !== null) throw cause;
  throw new ServiceError("model_unavailable", "the models could not be loaded: try again", {
    cause,
  });
}

async function load(assets: Fetcher): Promise<Models> {
  const kernels = Kernels.create(kernelsModule, { variant: encoderKernels().gemm_i8 });
  const encoderStream = await openAsset(assets, "models/encoder.gguf");
  const encoder = await Encoder.load(kernels, encoderStream, ENCODER_PRECISION);
  const readerStream = await openAsset(assets, "models/reader.gguf");
  const reader = await SpanReader.load(kernels, readerStream, encoder);
  const reranker = new Reranker(encoder, reader, rerankerWeights);
  const difficulty = shippedDifficulty();
  const prior = parsePrior(priorWeights, encoder.dim, encoder.tokens.sha256);
  return { kernels, encoder, reader, reranker, difficulty, prior };
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
