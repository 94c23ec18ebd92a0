/** The header of a GGUF file, versions 2 and 3, little endian: metadata and where tensors lie.
 *  Untrusted: an operator brings model files, so every count, length and offset is checked before
 *  anything of its size is allocated. docs/formats.md lists what is refused.
 *  Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
import { ServiceError } from "../errors.ts";
import {
  GGUF_ALIGNMENT_BYTES_MAX,
  GGUF_ARRAY_DEPTH_MAX,
  GGUF_ARRAY_ITEMS_MAX,
  GGUF_DIMS_MAX,
  GGUF_HEADER_BYTES_MAX,
  GGUF_ITEMS_MAX,
  GGUF_KEYS_MAX,
  GGUF_NAME_BYTES_MAX,
  GGUF_STRING_BYTES_MAX,
  GGUF_TENSOR_BYTES_MAX,
  GGUF_TENSORS_MAX,
} from "../limits.ts";
import { TENSOR_TYPES, type TensorType } from "./tensor-types.ts";
import { PackedTexts } from "./text-list.ts";

/** 64-bit integers that a number cannot hold exactly stay bigint; long arrays of strings, bytes. */
export type GgufValue = number | bigint | boolean | string | GgufValue[] | PackedTexts;
export type Metadata = ReadonlyMap<string, GgufValue>;

export interface TensorInfo {
  readonly name: string;
  readonly type: TensorType;
  /** In GGUF's order: dims[0] is the length of a row, the rest multiply to the rows. */
  readonly dims: readonly number[];
  readonly rows: number;
  readonly cols: number;
  readonly rowBytes: number;
  /** From the start of the data section. */
  readonly offset: number;
  readonly bytes: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: Metadata;
  /** Where each key with its value lies, `[start, end)` in bytes from the start of the file. */
  readonly fieldSpans: ReadonlyMap<string, readonly [start: number, end: number]>;
  /** By offset; no two overlap, and no gap reaches the alignment. */
  readonly tensors: readonly TensorInfo[];
  readonly alignment: number;
  /** Where the data section starts, in bytes from the start of the file. */
  readonly dataOffset: number;
  /** Where the last tensor ends; padding shorter than the alignment may follow. */
  readonly endOffset: number;
}

/** An array of more strings is a vocabulary's. */
const STRINGS_KEPT_MAX = 256;
const STRING = 8;
const ARRAY = 9;
/** Bytes of each metadata type by its number; for strings and arrays, the least they take. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];
/** By the same number, how many items one of an array counts for: strings, arrays and what may be a
 *  bigint are objects. */
const VALUE_ITEMS = [1, 1, 1, 1, 1, 1, 1, 1, 4, 8, 4, 4, 1];

/** An invalid_model_file. */
export function invalidModel(message: string): ServiceError {
  return new ServiceError("invalid_model_file", message);
}

/** Thrown by parseHeader when `bytes` ends before the header does. */
export class HeaderIncomplete extends Error {}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads little-endian values in turn; never past the bytes, never past the header's bound. */
class Cursor {
  at = 0;
  private items = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Throws if fewer than `bytes` can follow in a header of legal size. */
  expect(bytes: number): void {
    if (this.at + bytes > GGUF_HEADER_BYTES_MAX)
      throw invalidModel(
        `GGUF header needs ${this.at + bytes} bytes or more, the limit is ${GGUF_HEADER_BYTES_MAX}`,
      );
  }

  /** Counts items of an array. */
  hold(items: number, key: string): void {
    this.items += items;
    if (this.items > GGUF_ITEMS_MAX)
      throw invalidModel(
        `GGUF arrays up to ${key} have more than ${GGUF_ITEMS_MAX} items in all, where one that ` +
          "is a string counts for 4, a 64-bit integer too, an array for 8",
      );
  }

  /** Moves past `bytes` bytes; their offset. */
  private take(bytes: number): number {
    this.expect(bytes);
    const at = this.at;
    if (at + bytes > this.bytes.length) throw new HeaderIncomplete();
    this.at += bytes;
    return at;
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** A u64 that must not exceed `max`. */
  count(what: string, max: number): number {
    const value = this.u64();
    if (value > BigInt(max)) throw invalidModel(`GGUF ${what} is ${value}, the limit is ${max}`);
    return Number(value);
  }

  string(what: string, max: number): string {
    const length = this.count(`${what} length in bytes`, max);
    const at = this.take(length);
    return decodeText(this.bytes.subarray(at, at + length), what, at);
  }

  /** As many strings, whose bytes are read when they are asked for. */
  strings(count: number, what: string, max: number): PackedTexts {
    const starts = new Uint32Array(count);
    const ends = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const length = this.shortCount(what, max);
      starts[i] = this.take(length);
      ends[i] = starts[i]! + length;
    }
    return new PackedTexts(this.bytes, starts, ends, (bytes, at) => decodeText(bytes, what, at));
  }

  /** As `count`, without the heap's numbers that a u64 takes. */
  private shortCount(what: string, max: number): number {
    const at = this.take(8);
    const value = this.view.getUint32(at, true);
    if (this.view.getUint32(at + 4, true) === 0 && value <= max) return value;
    this.at = at;
    return this.count(`${what} length in bytes`, max);
  }

  /** A metadata value of numeric or boolean type. */
  scalar(type: number): GgufValue {
    const at = this.take(VALUE_BYTES[type]!);
    const view = this.view;
    if (type === 0) return view.getUint8(at);
    if (type === 1) return view.getInt8(at);
    if (type === 2) return view.getUint16(at, true);
    if (type === 3) return view.getInt16(at, true);
    if (type === 4) return view.getUint32(at, true);
    if (type === 5) return view.getInt32(at, true);
    if (type === 6) return view.getFloat32(at, true);
    if (type === 10) return narrowed(view.getBigUint64(at, true));
    if (type === 11) return narrowed(view.getBigInt64(at, true));
    if (type === 12) return view.getFloat64(at, true);
    const bool = view.getUint8(at);
    if (bool > 1) throw invalidModel(`GGUF boolean at byte ${at} is ${bool}, not 0 or 1`);
    return bool === 1;
  }
}

function decodeText(bytes: Uint8Array, what: string, at: number): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalidModel(`GGUF ${what} at byte ${at} is not UTF-8`);
  }
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readValue(cursor: Cursor, type: number, key: string, depth: number): GgufValue {
  if (VALUE_BYTES[type] === undefined)
    throw invalidModel(`GGUF key ${key} has the unknown value type ${type}`);
  if (type === STRING) return cursor.string(`value of ${key}`, GGUF_STRING_BYTES_MAX);
  if (type !== ARRAY) return cursor.scalar(type);
  if (depth === GGUF_ARRAY_DEPTH_MAX)
    throw invalidModel(`GGUF key ${key} nests arrays deeper than ${GGUF_ARRAY_DEPTH_MAX}`);
  const itemType = cursor.u32();
  const count = cursor.count(`array count of ${key}`, GGUF_ARRAY_ITEMS_MAX);
  cursor.expect(count * (VALUE_BYTES[itemType] ?? 1));
  if (count === 0 && VALUE_BYTES[itemType] === undefined)
    throw invalidModel(`GGUF key ${key} has the unknown value type ${itemType}`);
  const packed = itemType === STRING && count > STRINGS_KEPT_MAX;
  cursor.hold(count * (packed ? 1 : (VALUE_ITEMS[itemType] ?? 1)), key);
  if (packed) return cursor.strings(count, `value of ${key}`, GGUF_STRING_BYTES_MAX);
  const items: GgufValue[] = [];
  for (let i = 0; i < count; i++) items.push(readValue(cursor, itemType, key, depth + 1));
  return items;
}

function readMetadata(cursor: Cursor, count: number) {
  const metadata = new Map<string, GgufValue>();
  const fieldSpans = new Map<string, readonly [number, number]>();
  for (let i = 0; i < count; i++) {
    const start = cursor.at;
    const key = cursor.string("key", GGUF_NAME_BYTES_MAX);
    if (metadata.has(key)) throw invalidModel(`GGUF key ${key} appears twice`);
    metadata.set(key, readValue(cursor, cursor.u32(), key, 0));
    fieldSpans.set(key, [start, cursor.at]);
  }
  return { metadata, fieldSpans };
}

/** Dims, checked so that no product passes 2^53: each is at least 1, together they stay small. */
function readDims(cursor: Cursor, name: string): number[] {
  const n = cursor.u32();
  if (n < 1 || n > GGUF_DIMS_MAX)
    throw invalidModel(`tensor ${name} has ${n} dimensions, the limits are 1 and ${GGUF_DIMS_MAX}`);
  const dims: number[] = [];
  let elements = 1n;
  for (let i = 0; i < n; i++) {
    const dim = cursor.u64();
    if (dim === 0n) throw invalidModel(`tensor ${name} has a dimension of 0`);
    elements *= dim;
    if (elements > BigInt(GGUF_TENSOR_BYTES_MAX))
      throw invalidModel(`tensor ${name} has more than ${GGUF_TENSOR_BYTES_MAX} elements`);
    dims.push(Number(dim));
  }
  return dims;
}

function readTensorInfo(cursor: Cursor, alignment: number): TensorInfo {
  const name = cursor.string("tensor name", GGUF_NAME_BYTES_MAX);
  const dims = readDims(cursor, name);
  const typeId = cursor.u32();
  const type = TENSOR_TYPES.get(typeId);
  if (!type) {
    const known = Array.from(TENSOR_TYPES, ([id, { name }]) => `${name} (${id})`).join(", ");
    throw invalidModel(`tensor ${name} has type ${typeId}; Brink reads ${known}`);
  }
  const offset = cursor.count(`offset of tensor ${name}`, GGUF_TENSOR_BYTES_MAX);
  if (offset % alignment !== 0)
    throw invalidModel(`tensor ${name} starts at ${offset}, not a multiple of ${alignment}`);
  const cols = dims[0]!;
  if (cols % type.elements !== 0)
    throw invalidModel(
      `tensor ${name} has rows of ${cols}, not a multiple of ${type.name}'s ${type.elements}`,
    );
  const rows = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const rowBytes = (cols / type.elements) * type.bytes;
  const bytes = rows * rowBytes;
  if (bytes > GGUF_TENSOR_BYTES_MAX)
    throw invalidModel(`tensor ${name} has ${bytes} bytes, the limit is ${GGUF_TENSOR_BYTES_MAX}`);
  return { name, type: type.name, dims, rows, cols, rowBytes, offset, bytes };
}

/** Tensors by offset. They must tile the data section: what no tensor claims, nobody checked. */
function ordered(tensors: TensorInfo[], alignment: number): TensorInfo[] {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw invalidModel(`tensor ${name} appears twice`);
    names.add(name);
  }
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const [i, { name, offset, bytes }] of sorted.entries()) {
    if (offset < end)
      throw invalidModel(
        `tensor ${name} starts at ${offset}, inside ${sorted[i - 1]!.name}, which ends at ${end}`,
      );
    if (offset - end >= alignment)
      throw invalidModel(`${offset - end} bytes before tensor ${name} belong to no tensor`);
    end = offset + bytes;
  }
  return sorted;
}

function readAlignment(metadata: Metadata): number {
  const value = metadata.get("general.alignment") ?? 32;
  const valid = typeof value === "number" && value >= 1 && value <= GGUF_ALIGNMENT_BYTES_MAX;
  if (!valid || !Number.isInteger(Math.log2(value)))
    throw invalidModel(
      `general.alignment is ${value}, not a power of two between 1 and ${GGUF_ALIGNMENT_BYTES_MAX}`,
    );
  return value;
}

/** The header at the start of `bytes`. Throws HeaderIncomplete when more bytes are needed, and
 *  ServiceError invalid_model_file as soon as what is there cannot begin a legal file. */
export function parseHeader(bytes: Uint8Array): GgufHeader {
  const cursor = new Cursor(bytes);
  const magic = cursor.u32();
  if (magic !== 0x46554747)
    throw invalidModel(`not a GGUF file: it starts with 0x${magic.toString(16)}, not "GGUF"`);
  const version = cursor.u32();
  if (version !== 2 && version !== 3)
    throw invalidModel(`GGUF version is ${version}; Brink reads 2 and 3, little endian`);
  const tensorCount = cursor.count("tensor count", GGUF_TENSORS_MAX);
  const keys = cursor.count("key count", GGUF_KEYS_MAX);
  const { metadata, fieldSpans } = readMetadata(cursor, keys);
  const alignment = readAlignment(metadata);
  const tensors: TensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) tensors.push(readTensorInfo(cursor, alignment));
  const sorted = ordered(tensors, alignment);
  const last = sorted.at(-1);
  const dataOffset = Math.ceil(cursor.at / alignment) * alignment;
  const endOffset = last ? dataOffset + last.offset + last.bytes : cursor.at;
  return { version, metadata, fieldSpans, tensors: sorted, alignment, dataOffset, endOffset };
}
