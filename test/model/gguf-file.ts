/** Writes small GGUF files for tests, right or wrong in any field. */

export type Field = ["u32", number] | ["f32", number] | ["string", string] | ["strings", string[]];

export interface TestTensor {
  name: string;
  dims: (number | bigint)[];
  /** 0 F32, 1 F16, 8 Q8_0, 30 BF16. */
  type: number;
  data: Uint8Array;
  /** Where the header says that it starts; by default where it does. */
  offset?: number;
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

function addField(out: Bytes, key: string, field: Field): void {
  out.string(key);
  if (field[0] === "u32") out.u32(4, field[1]);
  if (field[0] === "f32") out.u32(6).f32(field[1]);
  if (field[0] === "string") out.u32(8).string(field[1]);
  if (field[0] === "strings") {
    out.u32(9, 8).u64(field[1].length);
    for (const text of field[1]) out.string(text);
  }
}

/** Magic, version and counts. */
export function start(version: number, tensors: number | bigint, keys: number | bigint): Bytes {
  return new Bytes().raw(new TextEncoder().encode("GGUF")).u32(version).u64(tensors).u64(keys);
}

/** A whole file, version 3, alignment 32. */
export function ggufFile(
  fields: Record<string, Field>,
  tensors: TestTensor[],
): Uint8Array<ArrayBuffer> {
  const out = start(3, tensors.length, Object.keys(fields).length);
  for (const [key, field] of Object.entries(fields)) addField(out, key, field);
  let offset = 0;
  for (const { name, dims, type, data, offset: claimed } of tensors) {
    out.string(name).u32(dims.length);
    for (const dim of dims) out.u64(dim);
    out.u32(type).u64(claimed ?? offset);
    offset += Math.ceil(data.length / 32) * 32;
  }
  out.pad(32);
  for (const { data } of tensors) out.raw(data).pad(32);
  return out.done();
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
