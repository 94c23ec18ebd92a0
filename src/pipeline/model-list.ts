/** What GET /v1/models tells of. */
import type { BackendPool } from "../engine/backend-pool.ts";
import { readGeneratorStatus } from "../engine/generator.ts";
import type { OnnxModels } from "../engine/onnx.ts";
import { READER_ID } from "../engine/reader.ts";
import { RERANKER_ID } from "../model/reranker.ts";
import type { ModelStore } from "../store/model-store.ts";
import { ENCODER_ID } from "./models.ts";
import type { ModelInfo, ModelList } from "./types.ts";
import { unlessAway } from "./without.ts";

export interface ModelListDeps {
  /** What the encoder computes with. */
  kernels: Record<string, string>;
  onnx: Pick<OnnxModels, "list">;
  backend: Pick<BackendPool, "members"> | null;
  /** Where the generator's models are; null where it or the store is not bound. */
  decoders: { store: Pick<ModelStore, "list">; generator: Fetcher } | null;
}

/** What is built in, the ONNX models, the backends, then the generator's models. Where the ONNX
 *  Worker or the store of models is away, the others. */
export async function listModels(deps: ModelListDeps): Promise<ModelList> {
  const { kernels, onnx, backend, decoders } = deps;
  let away: unknown = null;
  const none = (failure: unknown): ModelInfo[] => {
    away = failure;
    return [];
  };
  const [byOnnx, byGenerator] = await Promise.all([
    unlessAway<ModelInfo[]>("ONNX models not listed", () => onnx.list(), none),
    unlessAway("generator's models not listed", () => listDecoders(decoders), none),
  ]);
  const models: ModelInfo[] = [
    { id: "auto", kind: "router" },
    { id: "edge", kind: "edge" },
    { id: READER_ID, kind: "edge" },
    { id: ENCODER_ID, kind: "encoder", kernels },
    { id: RERANKER_ID, kind: "reranker" },
    ...byOnnx,
  ];
  const ids = backend === null ? [] : ["backend", ...backend.members.map(({ id }) => id)];
  models.push(...ids.map((id) => ({ id, kind: "backend" as const })), ...byGenerator);
  return { models, away };
}

/** The stored decoders; the one that is loaded with its kernels' variants. */
async function listDecoders(decoders: ModelListDeps["decoders"]): Promise<ModelInfo[]> {
  if (decoders === null) return [];
  const [stored, status] = await Promise.all([
    decoders.store.list(),
    readGeneratorStatus(decoders.generator).catch(() => null), // models are there without it
  ]);
  const generators = stored.filter(({ kind }) => kind === "generator");
  return generators.map(({ name, created_at }) => {
    const loaded = status?.loaded?.name === name ? { kernels: status.loaded.kernels } : {};
    return { id: name, kind: "generator", created_at, ...loaded };
  });
}
