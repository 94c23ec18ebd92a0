/** What becomes of a graph's output, whatever it is. */
import { expect, it, vi } from "vitest";
import { VECTOR_DIM_MAX } from "../../src/limits.ts";
import { checkManifest } from "../../src/onnx/manifest.ts";
import { OnnxModel } from "../../src/onnx/model.ts";
import { tokenizerJson } from "./tiny-models.ts";

const graph = vi.hoisted(() => ({ dims: [1], data: new Float32Array(1) }));
vi.mock("../../src/onnx/runtime.ts", () => ({
  createSession: async () => ({
    inputNames: ["input_ids"],
    outputNames: ["out"],
    inputMetadata: [{ isTensor: true, type: "int64" }],
    run: async () => ({ out: { type: "float32", ...graph } }),
    release: async () => {},
  }),
}));

/** A text's vector where the graph gives `data` as `dims`. */
async function embedded(pooling: "mean" | "none", dims: number[], data: Float32Array) {
  Object.assign(graph, { dims, data });
  const manifest = checkManifest({ kind: "encoder", max_tokens: 8, pooling });
  const model = await OnnxModel.open(manifest, tokenizerJson(), new Uint8Array(0));
  return (await model.embed("may")).vector;
}

it("a vector has unit length, and so many numbers at most", async () => {
  const of = (dim: number) => embedded("none", [1, dim], new Float32Array(dim).fill(1e30));
  const widest = await of(VECTOR_DIM_MAX);
  expect(widest).toHaveLength(VECTOR_DIM_MAX);
  expect(widest.every((x) => Math.abs(x - VECTOR_DIM_MAX ** -0.5) < 1e-7)).toBe(true);
  // As wide as a vocabulary: a graph's logits, which are no embedding.
  for (const dim of [VECTOR_DIM_MAX + 1, 250_000])
    await expect(of(dim)).rejects.toMatchObject({ code: "invalid_model_file" });
});

it("hidden states are pooled over the text's own tokens, markers included", async () => {
  const rows = Float32Array.of(1, 0, 0, 3, 2, 1); // [CLS], may, [SEP]
  const vector = await embedded("mean", [1, 3, 2], rows);
  expect(Array.from(vector, (x) => Math.round(x * 1e6) / 1e6)).toEqual([0.6, 0.8]);
  await expect(embedded("mean", [1, 2, 3], rows)).rejects.toMatchObject({
    code: "invalid_model_file",
  });
  const bad = embedded("mean", [1, 3, 2], rows.with(4, Number.NaN));
  await expect(bad).rejects.toThrow("not finite");
});
