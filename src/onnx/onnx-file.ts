/** Splits an ONNX file (onnx.proto, ModelProto) into a graph without its large weights, and the
 *  places of those weights in the file. onnxruntime reads the two separately, and so holds each
 *  weight once: given the whole file it copies it, parses the copy, and copies the weights again,
 *  which takes 2.3 times the file in linear memory. */
import { ServiceError } from "../errors.ts";

/** The name under which the file is mounted for the weights' references; no real file's. */
export const WEIGHTS_PATH = "weights.bin";
/** Smaller tensors stay in the graph: shapes and axes among them steer its optimization. */
const DETACHED_BYTES_MIN = 1024;

// Field numbers of onnx.proto.
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const GRAPH_INITIALIZER = 5;
const TENSOR_RAW_DATA = 9;
const TENSOR_EXTERNAL_DATA = 13;
const TENSOR_DATA_LOCATION = 14;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export interface OnnxFile {
  /** A ModelProto whose large initializers refer to WEIGHTS_PATH by offset in the file. */
  graph: Uint8Array;
  /** Bytes of weights that the graph refers to. */
  weightBytes: number;
}

const refuse = (fact: string) => new ServiceError("invalid_model_file", `ONNX file: ${fact}`);

interface Field {
  number: number;
  wire: number;
  /** The field with its tag. */
  start: number;
  /** Its content: for BYTES what follows the length. */
  at: number;
  end: number;
}

function readVarint(bytes: Uint8Array, at: number, end: number): [value: number, next: number] {
  let value = 0;
  for (let i = at, scale = 1; i < end && i < at + 10; i++, scale *= 128) {
    value += (bytes[i]! & 127) * scale;
    if (bytes[i]! < 128) return [value, i + 1];
  }
  throw refuse(`no number ends at byte ${at}`);
}

/** The fields of the message in [start, end), in order. Throws invalid_model_file. */
function* fields(bytes: Uint8Array, start: number, end: number): Generator<Field> {
  for (let from = start; from < end; ) {
    const [tag, at] = readVarint(bytes, from, end);
    const field = { number: Math.floor(tag / 8), wire: tag % 8, start: from, at, end: at };
    if (field.wire === VARINT) field.end = readVarint(bytes, at, end)[1];
    else if (field.wire === FIXED64) field.end = at + 8;
    else if (field.wire === FIXED32) field.end = at + 4;
    else if (field.wire === BYTES) {
      const [length, content] = readVarint(bytes, at, end);
      field.at = content;
      field.end = content + length;
    } else throw refuse(`byte ${from} begins no field`);
    if (field.number === 0 || field.end > end) throw refuse(`the field at byte ${from} is cut off`);
    yield field;
    from = field.end;
  }
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) | 128);
  }
}

/** Appends bytes [start, end), to the last part where they follow it: a file may have millions of
 *  fields, and a view of each would take a hundred times their bytes. */
function keep(parts: Uint8Array[], bytes: Uint8Array, { start, end }: Field): void {
  const last = parts.at(-1);
  const follows = last?.buffer === bytes.buffer && lastEnd(last) === bytes.byteOffset + start;
  if (follows) parts.pop();
  const from = follows ? last!.byteOffset - bytes.byteOffset : start;
  parts.push(bytes.subarray(from, end));
}

const lastEnd = ({ byteOffset, byteLength }: Uint8Array) => byteOffset + byteLength;

const lengthOf = (parts: readonly Uint8Array[]) =>
  parts.reduce((sum, { length }) => sum + length, 0);

/** The tag and length of a field whose content is `parts`. */
const header = (number: number, parts: readonly Uint8Array[]) =>
  Uint8Array.from([...varint(number * 8 + BYTES), ...varint(lengthOf(parts))]);

const utf8 = new TextEncoder();

/** One StringStringEntryProto of TensorProto.external_data. */
function entry(key: string, value: string): Uint8Array[] {
  const pair = [key, value].flatMap((text, i) => {
    const content = [utf8.encode(text)];
    return [header(i + 1, content), ...content];
  });
  return [header(TENSOR_EXTERNAL_DATA, pair), ...pair];
}

/** The initializer with its raw data replaced by a reference, or null where it stays as it is. */
function detach(bytes: Uint8Array, tensor: Field): { parts: Uint8Array[]; size: number } | null {
  let raw: Field | null = null;
  const rest: Uint8Array[] = [];
  for (const field of fields(bytes, tensor.at, tensor.end)) {
    if (
      field.number === TENSOR_EXTERNAL_DATA ||
      (field.number === TENSOR_DATA_LOCATION && bytes[field.at] !== 0)
    )
      throw refuse("its weights are in another file: save it with the weights inside");
    if (field.number === TENSOR_RAW_DATA && field.wire === BYTES) raw = field;
    else keep(rest, bytes, field);
  }
  if (raw === null || raw.end - raw.at < DETACHED_BYTES_MIN) return null;
  const parts = [
    ...rest,
    ...entry("location", WEIGHTS_PATH),
    ...entry("offset", String(raw.at)),
    ...entry("length", String(raw.end - raw.at)),
    Uint8Array.from([...varint(TENSOR_DATA_LOCATION * 8 + VARINT), 1]),
  ];
  return { parts: [header(GRAPH_INITIALIZER, parts), ...parts], size: raw.end - raw.at };
}

/** Reads the file's structure; what its graph computes is onnxruntime's to check. O(fields), and
 *  copies no weight. Throws `invalid_model_file`, for external data too. */
export function splitOnnx(bytes: Uint8Array): OnnxFile {
  const parts: Uint8Array[] = [];
  let weightBytes = 0;
  let nodes = 0;
  for (const field of fields(bytes, 0, bytes.length)) {
    if (field.number !== MODEL_GRAPH || field.wire !== BYTES) {
      keep(parts, bytes, field);
      continue;
    }
    const graph: Uint8Array[] = [];
    for (const inner of fields(bytes, field.at, field.end)) {
      if (inner.number === GRAPH_NODE) nodes++;
      const detached =
        inner.number === GRAPH_INITIALIZER && inner.wire === BYTES ? detach(bytes, inner) : null;
      weightBytes += detached?.size ?? 0;
      if (detached === null) keep(graph, bytes, inner);
      else graph.push(...detached.parts);
    }
    parts.push(header(MODEL_GRAPH, graph), ...graph);
  }
  if (nodes === 0) throw refuse("it holds no graph");
  const graph = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    graph.set(part, at);
    at += part.length;
  }
  return { graph, weightBytes };
}
