/** Writes small GGUF files for tests, right or wrong in any field. */

export type Field =
  | ["u32", number]
  | ["f32", number]
  | ["bool", boolean]
  | ["string", string]
  | ["strings", readonly string[]]
  | ["f32s", readonly number[]]
  | ["i32s", readonly number[]];

export type Fields = Record<string, Field>;

/** A tensor as the header lists it. */
export interface TensorEntry {
  name: string;
  dims: readonly (number | bigint)[];
  /** 0 F32, 1 F16, 8 Q8_0, 30 BF16, or any other number of src/model/tensor-types.ts. */
  type: number;
  /** Where the header says that it starts; by default where it does. */
  offset?: number;
}

export interface TestTensor extends TensorEntry {
  data: Uint8Array;
}

/** Bytes that grow, little endian. */
export class Bytes {
  private readonly parts: number[] = [];

  get length(): number {
    return this.parts.length;
  }

  u32(...values: number[]): this {
    for (const value of values)
      for (let shift = 0; shift < 32; shift += 8) this.parts.push((value >>> shift) & 255);
    return this;
  }

  u64(value: number | bigint): this {
    const wide = BigInt.asUintN(64, BigInt(value));
    return this.u32(Number(wide & 0xffffffffn), Number(wide >> 32n));
  }

  f32(value: number): this {
    return this.raw(new Uint8Array(Float32Array.of(value).buffer));
  }

  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u64(bytes.length).raw(bytes);
  }

  raw(bytes: Iterable<number>): this {
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }

  pad(alignment: number): this {
    while (this.length % alignment > 0) this.parts.push(0);
    return this;
  }

  done(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.parts);
  }
}

function addField(out: Bytes, key: string, [type, value]: Field): void {
  out.string(key);
  if (type === "u32") out.u32(4, value);
  if (type === "f32") out.u32(6).f32(value);
  if (type === "bool") out.u32(7).raw([value ? 1 : 0]);
  if (type === "string") out.u32(8).string(value);
  if (type === "i32s")
    out
      .u32(9, 5)
      .u64(value.length)
      .u32(...value);
  if (type === "strings") {
    out.u32(9, 8).u64(value.length);
    for (const text of value) out.string(text);
  }
  if (type === "f32s") {
    out.u32(9, 6).u64(value.length);
    for (const number of value) out.f32(number);
  }
}

/** Magic, version and counts. */
export function start(version: number, tensors: number | bigint, keys: number | bigint): Bytes {
  return new Bytes().raw(new TextEncoder().encode("GGUF")).u32(version).u64(tensors).u64(keys);
}

/** The header of a file, version 3, alignment 32, padded to where its data starts. `bytes` are the
 *  sizes of the tensors' data, each of which begins at the next multiple of 32. */
export function ggufHeader(
  fields: Fields,
  tensors: readonly (TensorEntry & { bytes: number })[],
): Uint8Array<ArrayBuffer> {
  const out = start(3, tensors.length, Object.keys(fields).length);
  for (const [key, field] of Object.entries(fields)) addField(out, key, field);
  let offset = 0;
  for (const { name, dims, type, bytes, offset: claimed } of tensors) {
    out.string(name).u32(dims.length);
    for (const dim of dims) out.u64(dim);
    out.u32(type).u64(claimed ?? offset);
    offset += Math.ceil(bytes / 32) * 32;
  }
  return out.pad(32).done();
}

/** A whole file, version 3, alignment 32. */
export function ggufFile(fields: Fields, tensors: readonly TestTensor[]): Uint8Array<ArrayBuffer> {
  const header = ggufHeader(
    fields,
    tensors.map((tensor) => ({ ...tensor, bytes: tensor.data.length })),
  );
  const padded = (bytes: number) => Math.ceil(bytes / 32) * 32;
  const size = tensors.reduce((sum, { data }) => sum + padded(data.length), header.length);
  const file = new Uint8Array(size);
  file.set(header);
  let at = header.length;
  for (const { data } of tensors) {
    file.set(data, at);
    at += padded(data.length);
  }
  return file;
}

/** The bytes as a stream of chunks of `chunkBytes`. */
export function streamOf(bytes: Uint8Array, chunkBytes = 65_536): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + chunkBytes));
      at += chunkBytes;
    },
  });
}

export function f32Bytes(values: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}
