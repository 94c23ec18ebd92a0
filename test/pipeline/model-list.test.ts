import { afterEach, expect, it, vi } from "vitest";
import { OnnxModels } from "../../src/engine/onnx.ts";
import { listModels } from "../../src/pipeline/model-list.ts";
import type { StoredModel } from "../../src/store/model-store.ts";

const logged = vi.spyOn(console, "error").mockImplementation(() => {});
afterEach(() => void logged.mockClear());

const BUILT_IN = ["auto", "edge", "brink-reader", "all-MiniLM-L6-v2", "brink-reranker"];
const TINY = { name: "tiny", kind: "generator", created_at: 5 } as StoredModel;
const BGE = { ...TINY, name: "bge", kind: "encoder" } as StoredModel;
const kernels = { gemm_i8: "plain" };
const backend = { members: [{ id: "backend:big" }] } as never;

const away = (message: string) => async () => {
  throw new Error(message);
};
const onnxOf = (models: () => Promise<unknown>) => new OnnxModels({ models } as never);
function decodersOf(list: () => Promise<StoredModel[]>) {
  const loaded = { name: "tiny", kernels: { gemv_q4: "relaxed" } };
  const generator = { fetch: async () => Response.json({ loaded }) } as unknown as Fetcher;
  return { store: { list }, generator };
}

it("lists what is built in, ONNX models, backends and the generator's models", async () => {
  const onnx = onnxOf(async () => [{ id: "bge", kind: "encoder" }]);
  const decoders = decodersOf(async () => [BGE, TINY]);
  const { models, away } = await listModels({ kernels, onnx, backend, decoders });
  const ids = [...BUILT_IN, "bge", "backend", "backend:big", "tiny"];
  expect(models.map(({ id }) => id)).toEqual(ids);
  expect(models[3]).toMatchObject({ kind: "encoder", kernels });
  const loaded = { gemv_q4: "relaxed" };
  expect(models.at(-1)).toEqual({
    ...{ id: "tiny", kind: "generator", created_at: 5 },
    kernels: loaded,
  });
  expect(away).toBeNull();
});

it("without the ONNX Worker or the store the rest is listed, and the log says so", async () => {
  const onnx = onnxOf(away("Worker exceeded memory limit."));
  const store = away("list: We encountered an internal error. Please try again. (10001)");
  const all = await listModels({
    kernels,
    onnx,
    backend,
    decoders: decodersOf(async () => [TINY]),
  });
  expect(all.models.map(({ id }) => id)).toEqual([...BUILT_IN, "backend", "backend:big", "tiny"]);
  expect(all.away).toMatchObject({ code: "model_unavailable" });
  expect(logged).toHaveBeenCalledTimes(1);
  const none = await listModels({ kernels, onnx, backend: null, decoders: decodersOf(store) });
  expect(none.models.map(({ id }) => id)).toEqual(BUILT_IN);
  expect(logged).toHaveBeenCalledTimes(3);
});

it("a bug is not passed over", async () => {
  const decoders = decodersOf(away("x is not a function"));
  const list = listModels({ kernels, onnx: new OnnxModels(null), backend: null, decoders });
  await expect(list).rejects.toThrow("x is not a function");
});
