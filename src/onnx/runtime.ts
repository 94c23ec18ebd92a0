/** onnxruntime-web inside workerd. It wants to compile its WebAssembly from bytes, which a Worker
 *  may not: the module comes compiled, as an import, and takes the bytes' place while the runtime
 *  starts. One thread; linear memory grows and never shrinks. */

import * as ort from "onnxruntime-web/wasm";
// By path: wrangler finds a WebAssembly module of a package only so.
import ortModule from "../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
import { ServiceError } from "../errors.ts";
import { splitOnnx, WEIGHTS_PATH } from "./onnx-file.ts";

let started = false;

interface StartedModule {
  instance: WebAssembly.Instance;
  module: WebAssembly.Module;
}

/** Runs `work`, which starts the runtime, with a WebAssembly.instantiate that gives the imported
 *  module's instance whatever bytes it is given. */
async function withModule<T>(work: () => Promise<T>): Promise<T> {
  const real = WebAssembly.instantiate;
  const substitute = async (_: unknown, imports: WebAssembly.Imports): Promise<StartedModule> => {
    const instance = await real(ortModule, imports);
    started = true;
    return { instance, module: ortModule };
  };
  Object.assign(WebAssembly, { instantiate: substitute });
  try {
    return await work();
  } finally {
    Object.assign(WebAssembly, { instantiate: real });
  }
}

/** A session over the file's bytes, which are not needed afterwards. Throws `invalid_model_file`
 *  with onnxruntime's reason. */
export async function createSession(file: Uint8Array): Promise<ort.InferenceSession> {
  const { graph } = splitOnnx(file);
  const create = () =>
    ort.InferenceSession.create(graph, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      externalData: [{ path: WEIGHTS_PATH, data: file }],
      // Activations go back when a run ends, so that another model's weights can have their room.
      enableCpuMemArena: false,
      logSeverityLevel: 4,
    });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = new ArrayBuffer(8); // never read: see withModule
  ort.env.logLevel = "fatal";
  try {
    return started ? await create() : await withModule(create);
  } catch (cause) {
    throw new ServiceError("invalid_model_file", `onnxruntime: ${reason(cause)}`, { cause });
  }
}

/** What onnxruntime says of a failure, without the places in its sources and cut to two lines. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/^.*ERROR_MESSAGE: /s, "")
    .replace(/(?<!\S)\/\S+\.(h|cc):\d+ /g, "")
    .replace(/\s+/g, " ")
    .slice(0, 300);
}
