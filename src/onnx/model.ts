/** One ONNX model: texts in, vectors or logits out. A sequence is run alone: a
 *  dynamically quantized model, whose activations share one scale a tensor, would give a text
 *  other numbers in other company, and on one thread a batch saves little (see docs/onnx.md). */
import type { InferenceSession } from "onnxruntime-web/wasm";
import { Tensor } from "onnxruntime-web/wasm";
import { ServiceError } from "../errors.ts";
import { VECTOR_DIM_MAX } from "../limits.ts";
import type { OnnxManifest } from "./manifest.ts";
import { createSession, reason } from "./runtime.ts";
import { PairTokenizer, type TokenSequence } from "./tokenizer-json.ts";

const refuse = (fact: string) => new ServiceError("invalid_model_file", `ONNX model: ${fact}`);

type Session = Pick<
  InferenceSession,
  "inputNames" | "outputNames" | "inputMetadata" | "run" | "release"
>;

/** What a graph gave for one sequence. */
interface Output {
  data: Float32Array;
  dims: readonly number[];
}

export class OnnxModel {
  readonly manifest: OnnxManifest;
  readonly #tokenizer: PairTokenizer;
  readonly #session: Session;
  readonly #output: string;

  private constructor(manifest: OnnxManifest, tokenizer: PairTokenizer, session: Session) {
    this.manifest = manifest;
    this.#tokenizer = tokenizer;
    this.#session = session;
    const { inputs, output } = manifest;
    const known = Object.values(inputs);
    const strange = session.inputNames.filter((name) => !known.includes(name));
    if (strange.length > 0)
      throw refuse(
        `it takes ${strange.join(", ").slice(0, 200)}, which the manifest does not name`,
      );
    if (!session.inputNames.includes(inputs.ids)) throw refuse(`it takes no input ${inputs.ids}`);
    this.#output = output ?? session.outputNames[0]!;
    if (!session.outputNames.includes(this.#output))
      throw refuse(`it gives ${session.outputNames.join(", ").slice(0, 200)}, not ${output}`);
  }

  /** Throws `invalid_model_file`, with nothing left in linear memory. */
  static async open(
    manifest: OnnxManifest,
    tokenizerJson: string,
    file: Uint8Array,
  ): Promise<OnnxModel> {
    const tokenizer = PairTokenizer.parse(tokenizerJson);
    const session = await createSession(file);
    try {
      return new OnnxModel(manifest, tokenizer, session);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** Gives its linear memory back; the model must not be used afterwards. */
  release(): Promise<void> {
    return this.#session.release();
  }

  /** A text's vector, f32 [dim], and the tokens read. Throws `invalid_model_file`. */
  async embed(text: string): Promise<{ vector: Float32Array; tokens: number }> {
    const { max_tokens, pooling, normalize } = this.manifest;
    const sequence = this.#tokenizer.encode(text, max_tokens);
    const vector = pool(await this.#run(sequence), pooling, sequence.ids.length);
    if (normalize) toUnitLength(vector);
    return { vector, tokens: sequence.ids.length };
  }

  /** The logits, f32 [labels], of a text, or of the pair (text, second). */
  async logits(
    text: string,
    second: string | null = null,
  ): Promise<{ logits: Float32Array; tokens: number }> {
    const { max_tokens, kind, labels } = this.manifest;
    const sequence =
      second === null
        ? this.#tokenizer.encode(text, max_tokens)
        : this.#tokenizer.encodePair(text, second, max_tokens);
    const { data, dims } = await this.#run(sequence);
    const wanted = kind === "classifier" ? labels.length : 1;
    if (data.length !== wanted)
      throw refuse(
        `output ${this.#output} is [${dims}], a ${kind} of ${wanted} gives [1, ${wanted}]`,
      );
    return { logits: data, tokens: sequence.ids.length };
  }

  async #run(sequence: TokenSequence): Promise<Output> {
    const { inputs } = this.manifest;
    const feeds: Record<string, Tensor> = {};
    const feed = (name: string, values: readonly number[]) => {
      const at = this.#session.inputNames.indexOf(name);
      if (at < 0) return;
      const metadata = this.#session.inputMetadata[at]!;
      const type = metadata.isTensor ? metadata.type : "none";
      const dims = [1, values.length];
      if (type === "int64")
        feeds[name] = new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
      else if (type === "int32") feeds[name] = new Tensor("int32", Int32Array.from(values), dims);
      else throw refuse(`input ${name} is ${type}, not int64 or int32`);
    };
    feed(inputs.ids, sequence.ids);
    feed(inputs.types, sequence.types);
    feed(
      inputs.mask,
      sequence.ids.map(() => 1),
    );
    feed(
      inputs.positions,
      sequence.ids.map((_, i) => i),
    );
    const output = await this.#call(feeds);
    const { type, data, dims } = output;
    if (type !== "float32") throw refuse(`output ${this.#output} is ${type}, not float32`);
    if (!data.every(Number.isFinite)) throw refuse("it gives numbers that are not finite");
    return { data, dims };
  }

  async #call(feeds: Record<string, Tensor>) {
    try {
      const outputs = await this.#session.run(feeds, [this.#output]);
      const { type, data, dims } = outputs[this.#output]!;
      return { type, data: data as Float32Array, dims };
    } catch (cause) {
      throw new ServiceError("invalid_model_file", `onnxruntime: ${reason(cause)}`, { cause });
    }
  }
}

/** Hidden states [1, tokens, dim] to one vector [dim]; no position is padding. */
function pool(
  { data, dims }: Output,
  pooling: OnnxManifest["pooling"],
  tokens: number,
): Float32Array {
  const dim = dims.at(-1) ?? 0;
  const shape = pooling === "none" ? [1, dim] : [1, tokens, dim];
  if (dim === 0 || dims.length !== shape.length || dims.some((size, i) => size !== shape[i]))
    throw refuse(
      `pooling ${pooling} takes [${shape}] for ${tokens} tokens; the output is [${dims}]`,
    );
  if (dim > VECTOR_DIM_MAX)
    throw refuse(`a vector would have ${dim} numbers, the limit is ${VECTOR_DIM_MAX}`);
  if (pooling === "cls" || pooling === "none") return data.slice(0, dim);
  if (pooling === "last") return data.slice((tokens - 1) * dim);
  const mean = new Float32Array(dim);
  for (let i = 0; i < dim; i++) {
    let sum = 0;
    for (let t = 0; t < tokens; t++) sum += data[t * dim + i]!;
    mean[i] = sum / tokens;
  }
  return mean;
}

/** The Euclidean length; an output may have more numbers than a call takes arguments. */
export function lengthOf(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
}

function toUnitLength(vector: Float32Array): void {
  const norm = lengthOf(vector);
  if (norm > 0) for (let i = 0; i < vector.length; i++) vector[i]! /= norm;
}
