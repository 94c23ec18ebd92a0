/** Writes GGUF, version 3, little endian: the header; the tensors' bytes follow it as they come. */
import { assert } from "../errors.ts";
import { TENSOR_TYPES, type TensorType } from "./tensor-types.ts";

/** A metadata value by its type in the file; integers of i32 arrays and u32 must fit. */
export type GgufField =
  | ["u32", number]
  | ["f32", number]
  | ["bool", boolean]
  | ["string", string]
  | ["strings", readonly string[]]
  | ["i32s", readonly number[]]
  | ["f32s", readonly number[]];

export interface NewTensor {
  name: string;
  /** In GGUF's order: the length of a row first. */
  dims: readonly number[];
  type: TensorType;
}

export const GGUF_ALIGNMENT = 32;

const VALUE_TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const TYPES = new Map(Array.from(TENSOR_TYPES, ([id, type]) => [type.name, { id, ...type }]));

/** Little-endian bytes that grow. */
class Bytes {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #room(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: number): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  f32(value: number): this {
    const at = this.#room(4);
    this.#view.setFloat32(at, value, true);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u64(bytes.length).raw(bytes);
  }

  pad(alignment: number): this {
    return this.raw(new Uint8Array((alignment - (this.#length % alignment)) % alignment));
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

/** One key with its value, as it lies in a header. */
export function encodeField(key: string, [type, value]: GgufField): Uint8Array<ArrayBuffer> {
  const out = new Bytes().string(key);
  if (type === "u32") out.u32(VALUE_TYPES.u32).u32(value);
  else if (type === "f32") out.u32(VALUE_TYPES.f32).f32(value);
  else if (type === "bool") out.u32(VALUE_TYPES.bool).raw(Uint8Array.of(value ? 1 : 0));
  else if (type === "string") out.u32(VALUE_TYPES.string).string(value);
  else {
    out.u32(VALUE_TYPES.array);
    if (type === "strings") {
      out.u32(VALUE_TYPES.string).u64(value.length);
      for (const text of value) out.string(text);
    } else if (type === "i32s") {
      out.u32(VALUE_TYPES.i32).u64(value.length);
      for (const number of value) out.u32(number >>> 0);
    } else {
      out.u32(VALUE_TYPES.f32).u64(value.length);
      for (const number of value) out.f32(number);
    }
  }
  return out.done();
}

/** Bytes that a tensor's data takes, padding not counted. */
export function tensorBytes({ name, dims, type }: NewTensor): number {
  const { elements, bytes } = TYPES.get(type)!;
  assert(dims[0]! % elements === 0, `tensor ${name} as ${type} has rows of ${dims[0]}`);
  return (dims.reduce((product, dim) => product * dim, 1) / elements) * bytes;
}

/** A whole header, its padding included. The tensors' data must follow in this order, each padded
 *  to GGUF_ALIGNMENT. `fields` are what `encodeField` gives or what another file's header holds. */
export function encodeHeader(
  fields: readonly Uint8Array[],
  tensors: readonly NewTensor[],
): Uint8Array<ArrayBuffer> {
  const out = new Bytes().raw(new TextEncoder().encode("GGUF")).u32(3);
  out.u64(tensors.length).u64(fields.length);
  for (const field of fields) out.raw(field);
  let offset = 0;
  for (const tensor of tensors) {
    out.string(tensor.name).u32(tensor.dims.length);
    for (const dim of tensor.dims) out.u64(dim);
    out.u32(TYPES.get(tensor.type)!.id).u64(offset);
    offset += padded(tensorBytes(tensor));
  }
  return out.pad(GGUF_ALIGNMENT).done();
}

/** `bytes` with the padding that follows them. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / GGUF_ALIGNMENT) * GGUF_ALIGNMENT;
}
