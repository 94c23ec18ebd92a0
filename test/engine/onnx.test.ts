import { expect, it } from "vitest";
import { type OnnxBinding, OnnxModels } from "../../src/engine/onnx.ts";
import { ServiceError } from "../../src/errors.ts";

const code = (wanted: string) => expect.objectContaining({ code: wanted });

it("without a Worker for them there are no ONNX models", async () => {
  const models = new OnnxModels(null);
  expect(models.bound).toBe(false);
  expect(await models.list()).toEqual([]);
  await expect(models.embed("bge", ["a"])).rejects.toEqual(code("model_not_found"));
  await expect(models.rerank("bge", "q", ["a"])).rejects.toEqual(code("model_not_found"));
  await expect(models.classify("bge", ["a"])).rejects.toEqual(code("model_not_found"));
});

it("a Worker that fails is model_unavailable, and its own errors keep their codes", async () => {
  const failing = (error: unknown) => {
    const fail = () => Promise.reject(error);
    const [models, check, embed, rerank, classify] = [fail, fail, fail, fail, fail];
    return new OnnxModels({ models, check, embed, rerank, classify } as OnnxBinding);
  };
  const ended = new Error("Worker exceeded memory limit.");
  await expect(failing(ended).list()).rejects.toEqual(code("model_unavailable"));
  await expect(failing(ended).embed("m", ["a"])).rejects.toMatchObject({ cause: ended });
  const large = new ServiceError("model_too_large", "cannot fit", { param: "model" });
  await expect(failing(large).rerank("m", "q", ["a"])).rejects.toBe(large);
  await expect(failing(large).classify("m", ["a"])).rejects.toBe(large);
});
