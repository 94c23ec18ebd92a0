/** Writes ONNX files: protobuf by hand, after onnx.proto. */

export const FLOAT = 1;
const INT8 = 3;
export const INT64 = 7;
const OPSET = 17;
const IR_VERSION = 8;

type Field = Uint8Array;

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

const int = (field: number, value: number): Field =>
  value < 0 // a negative int64 takes ten bytes of two's complement; only -1 occurs here
    ? Uint8Array.of(...varint(field * 8), ...new Array(9).fill(255), 1)
    : Uint8Array.of(...varint(field * 8), ...varint(value));

function bytes(field: number, ...parts: (Uint8Array | string)[]): Field {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)));
  return Buffer.concat([
    Uint8Array.from([...varint(field * 8 + 2), ...varint(content.length)]),
    content,
  ]);
}

function float(field: number, value: number): Field {
  const out = Buffer.from([field * 8 + 5, 0, 0, 0, 0]);
  out.writeFloatLE(value, 1);
  return out;
}

export const attributeInt = (name: string, value: number) =>
  bytes(5, bytes(1, name), int(3, value), int(20, 2));
export const attributeFloat = (name: string, value: number) =>
  bytes(5, bytes(1, name), float(2, value), int(20, 1));
export const attributeInts = (name: string, values: readonly number[]) =>
  bytes(5, bytes(1, name), ...values.map((value) => int(8, value)), int(20, 7));

const raw = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** An input (field 11) or output (field 12) of a graph; a dim is a number or a name. */
export function valueInfo(
  field: number,
  name: string,
  type: number,
  dims: readonly (number | string)[],
) {
  const shape = dims.map((dim) => bytes(1, typeof dim === "number" ? int(1, dim) : bytes(2, dim)));
  return bytes(field, bytes(1, name), bytes(2, bytes(1, int(1, type), bytes(2, ...shape))));
}

/** A graph under construction; each method adds a node and returns its output's name. */
export class Graph {
  readonly fields: Field[] = [];
  #count = 0;

  constant(values: Float32Array | Int8Array | BigInt64Array, dims: readonly number[]): string {
    const name = `c${this.#count++}`;
    const type =
      values instanceof Float32Array ? FLOAT : values instanceof Int8Array ? INT8 : INT64;
    const shape = dims.map((dim) => int(1, dim));
    this.fields.push(bytes(5, ...shape, int(2, type), bytes(8, name), bytes(9, raw(values))));
    return name;
  }

  nodes(op: string, inputs: readonly string[], outputs: number, ...attributes: Field[]): string[] {
    const names = Array.from({ length: outputs }, () => `t${this.#count++}`);
    const ends = [...inputs.map((name) => bytes(1, name)), ...names.map((name) => bytes(2, name))];
    this.fields.push(bytes(1, ...ends, bytes(4, op), ...attributes));
    return names;
  }

  node(op: string, inputs: readonly string[], ...attributes: Field[]): string {
    return this.nodes(op, inputs, 1, ...attributes)[0]!;
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }
}

/** The file of a graph: `ends` are its valueInfos. */
export function onnxFile(graph: Graph, ends: readonly Field[]): Uint8Array {
  const content = bytes(7, ...graph.fields, bytes(2, "bert"), ...ends);
  return Buffer.concat([int(1, IR_VERSION), content, bytes(8, int(2, OPSET))]);
}
