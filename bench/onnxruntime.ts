/** The peer onnxruntime-web, with one thread. */
import * as ort from "onnxruntime-web";

export const { Tensor } = ort;

/** Its name in the tables. */
export const ORT = `onnxruntime-web ${ort.env.versions.web}`;

/** A session over an ONNX file, with every optimization of graphs that it has. */
export async function openSession(file: Uint8Array): Promise<ort.InferenceSession> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return ort.InferenceSession.create(file, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}
