/** ONNX files for the peer, by hand, after onnx.proto. */
export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT32 = 6;
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

/** A graph's input or output: a string stands for a size that a run decides. */
export interface Port {
  name: string;
  type: number;
  dims: readonly (number | string)[];
}

function valueInfo(field: number, { name, type, dims }: Port): Field {
  const shape = dims.map((dim) => bytes(1, typeof dim === "number" ? int(1, dim) : bytes(2, dim)));
  return bytes(field, bytes(1, name), bytes(2, bytes(1, int(1, type), bytes(2, ...shape))));
}

/** Marks a node as one of onnxruntime's own operators. */
export const MICROSOFT = bytes(7, "com.microsoft");

type Values = Float32Array | Int8Array | Uint8Array | BigInt64Array;

function typeOf(values: Values): number {
  if (values instanceof Float32Array) return FLOAT;
  if (values instanceof Int8Array) return INT8;
  return values instanceof Uint8Array ? UINT8 : INT64;
}

/** A graph under construction; each method adds a node and returns its output's name. */
export class Graph {
  readonly #fields: Field[] = [];
  #count = 0;

  constant(values: Values, dims: readonly number[]): string {
    const name = `c${this.#count++}`;
    const shape = dims.map((dim) => int(1, dim));
    const type = int(2, typeOf(values));
    this.#fields.push(bytes(5, ...shape, type, bytes(8, name), bytes(9, raw(values))));
    return name;
  }

  nodes(op: string, inputs: readonly string[], outputs: number, ...attributes: Field[]): string[] {
    const names = Array.from({ length: outputs }, () => `t${this.#count++}`);
    const ends = [...inputs.map((name) => bytes(1, name)), ...names.map((name) => bytes(2, name))];
    this.#fields.push(bytes(1, ...ends, bytes(4, op), ...attributes));
    return names;
  }

  node(op: string, inputs: readonly string[], ...attributes: Field[]): string {
    return this.nodes(op, inputs, 1, ...attributes)[0]!;
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }
  /** Gives a value a name of its own, as an output needs where a peer asks for it by name. */
  rename(from: string, to: string): string {
    this.#fields.push(bytes(1, bytes(1, from), bytes(2, to), bytes(4, "Identity")));
    return to;
  }

  /** The file. */
  model(inputs: readonly Port[], output: Port): Uint8Array {
    const ports = [...inputs.map((port) => valueInfo(11, port)), valueInfo(12, output)];
    const graph = bytes(7, ...this.#fields, bytes(2, "graph"), ...ports);
    const operators = [bytes(8, int(2, OPSET)), bytes(8, bytes(1, "com.microsoft"), int(2, 1))];
    return Buffer.concat([int(1, IR_VERSION), graph, ...operators]);
  }
}
