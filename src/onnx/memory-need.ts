/** What an ONNX model takes of an isolate, known before it is read. */
import { ServiceError } from "../errors.ts";
import {
  ONNX_HEAP_BYTES,
  ONNX_ISOLATE_BYTES_MAX,
  ONNX_PAIR_BYTES,
  ONNX_RESIDENT_RATIO,
  ONNX_RUNTIME_BYTES,
  ONNX_TOKEN_BYTES,
  ONNX_TOKENIZER_RATIO,
} from "../limits.ts";

/** The sizes that decide whether a model fits, in bytes and tokens. */
export interface ModelSize {
  model: number;
  tokenizer: number;
  maxTokens: number;
}

const runBytes = (tokens: number) => ONNX_PAIR_BYTES * tokens ** 2 + ONNX_TOKEN_BYTES * tokens;

/** Whether the models may stay in one isolate: whether, since linear memory never shrinks, there
 *  is still room for the largest one's file when it has to be loaded again. */
export function fitTogether(models: readonly ModelSize[]): boolean {
  const sum = (of: (size: ModelSize) => number) => models.reduce((all, size) => all + of(size), 0);
  const most = (of: (size: ModelSize) => number) => Math.max(...models.map(of));
  const heap = ONNX_HEAP_BYTES + ONNX_TOKENIZER_RATIO * sum(({ tokenizer }) => tokenizer);
  const resident = ONNX_RUNTIME_BYTES + ONNX_RESIDENT_RATIO * sum(({ model }) => model);
  const run = most(({ maxTokens }) => runBytes(maxTokens));
  return heap + resident + run + most(({ model }) => model) <= ONNX_ISOLATE_BYTES_MAX;
}

/** What a model needs in an isolate of its own, the greater of loading and running it, and how
 *  that sum comes about. */
export function memoryNeed({ model, tokenizer, maxTokens }: ModelSize): {
  bytes: number;
  arithmetic: string;
} {
  const heap = ONNX_HEAP_BYTES + ONNX_TOKENIZER_RATIO * tokenizer;
  const resident = ONNX_RESIDENT_RATIO * model;
  const run = runBytes(maxTokens);
  const more = Math.max(model, run);
  const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
  const what = model > run ? "the file while it is loaded" : `a run of ${maxTokens} tokens`;
  return {
    bytes: heap + ONNX_RUNTIME_BYTES + resident + more,
    arithmetic:
      `heap and vocabulary ${mb(heap)} + onnxruntime ${mb(ONNX_RUNTIME_BYTES)} + weights ` +
      `${ONNX_RESIDENT_RATIO} x ${mb(model)} + ${what} ${mb(more)} = ` +
      `${mb(heap + ONNX_RUNTIME_BYTES + resident + more)} MB`,
  };
}

/** Throws `model_too_large` with the sum where the model fits no isolate, even alone. */
export function refuseTooLarge(id: string, size: ModelSize): void {
  const { bytes, arithmetic } = memoryNeed(size);
  if (bytes > ONNX_ISOLATE_BYTES_MAX)
    throw new ServiceError(
      "model_too_large",
      `model "${id}" cannot fit: ${arithmetic}, of ${ONNX_ISOLATE_BYTES_MAX / 1e6} MB`,
      { param: "model" },
    );
}
