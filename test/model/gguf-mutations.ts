/** Hostile model files: seeded mutations of small legal ones. */
import { type Fields, ggufFile, type TestTensor } from "./gguf-file.ts";

/** A legal file, to be spoilt. */
export interface Base {
  name: string;
  fields: Fields;
  tensors: readonly TestTensor[];
  bytes: Uint8Array;
  /** Where its data starts: bytes before are the header's. */
  dataOffset: number;
}

/** What can be asked for counts, lengths, offsets and types. */
const EXTREMES_64 = [
  0n,
  1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 63n - 1n,
  2n ** 53n,
  2n ** 32n,
  2n ** 31n,
  2n ** 24n,
  2n ** 20n,
  65_537n,
];
const EXTREMES_32 = [0, 1, 2, 7, 13, 2 ** 16, 2 ** 31, 2 ** 32 - 1, 0x7f800000, 0x7fc00000];
const TYPES = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 28, 30, 39, 255, 2 ** 31];
const TEXTS = [
  "",
  "llama",
  "qwen2",
  "qwen3",
  "bert",
  "gpt2",
  "mamba",
  "\u0000",
  "{{ x }}",
  "{% for",
];
const NUMBERS = [0, -1, 1, 0.5, 1e-30, 1e38, Number.NaN, Number.POSITIVE_INFINITY];

/** Uniform below n. */
type Below = (n: number) => number;
type Mutate = (base: Base, below: Below) => Uint8Array;

const pick = <T>(items: readonly T[], below: Below): T => items[below(items.length)]!;

const bitFlips =
  (headerOnly: boolean): Mutate =>
  (base, below) => {
    const bytes = base.bytes.slice();
    for (let i = 1 + below(6); i > 0; i--)
      bytes[below(headerOnly ? base.dataOffset : bytes.length)]! ^= 1 << below(8);
    return bytes;
  };

const truncated: Mutate = ({ bytes }, below) => bytes.slice(0, below(bytes.length));

const longer: Mutate = ({ bytes }, below) => {
  const out = new Uint8Array(bytes.length + 1 + below(64));
  out.set(bytes);
  return out;
};

/** A part of the file moves over another. */
const spliced: Mutate = ({ bytes }, below) => {
  const out = bytes.slice();
  const length = 1 + below(64);
  out.copyWithin(below(out.length), below(out.length), below(out.length) + length);
  return out;
};

/** A part of the file is left out or doubled, so that all that follows lies elsewhere. */
const shifted: Mutate = ({ bytes, dataOffset }, below) => {
  const at = below(dataOffset);
  const length = 1 + below(12);
  const from = below(2) === 0 ? at + length : Math.max(0, at - length);
  const out = new Uint8Array(at + bytes.length - from);
  out.set(bytes.subarray(0, at));
  out.set(bytes.subarray(from), at);
  return out;
};

/** An extreme integer anywhere in the header. */
const overwritten: Mutate = ({ bytes, dataOffset }, below) => {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const at = below(4) === 0 ? 8 * (1 + below(2)) : below(dataOffset - 8);
  if (below(2) === 0) view.setBigUint64(at, pick(EXTREMES_64, below), true);
  else view.setUint32(at, pick(EXTREMES_32, below), true);
  return out;
};

/** Bytes of the data that make infinities and NaN of whatever scales or floats they hit. */
const notFinite: Mutate = ({ bytes, dataOffset }, below) => {
  const out = bytes.slice();
  const value = pick([0xff, 0x7f, 0x7c, 0xfc], below);
  for (let i = 1 + below(4); i > 0; i--) {
    const at = dataOffset + below(out.length - dataOffset);
    out.fill(value, at, at + 1 + below(4));
  }
  return out;
};

/** One tensor's entry is another's: type, shape, name, offset, or its data are too short. */
const tensorChanged: Mutate = ({ fields, tensors }, below) => {
  const at = below(tensors.length);
  const tensor = tensors[at]!;
  const other = pick(tensors, below);
  const changed: TestTensor[] = [
    { ...tensor, type: pick(TYPES, below) },
    { ...tensor, type: other.type },
    { ...tensor, dims: [...tensor.dims].reverse() },
    { ...tensor, dims: other.dims },
    { ...tensor, dims: tensor.dims.map(() => pick(EXTREMES_64, below)) },
    { ...tensor, dims: [...tensor.dims, pick(EXTREMES_64, below)] },
    { ...tensor, name: other.name },
    { ...tensor, name: tensor.name.slice(below(tensor.name.length)) },
    { ...tensor, offset: below(4096) * 32 },
    { ...tensor, offset: pick([2 ** 32, 2 ** 40, 2 ** 52, 31], below) },
    { ...tensor, data: tensor.data.slice(0, below(tensor.data.length)) },
    { ...other, dims: [...other.dims] },
  ];
  const rest = tensors.filter((_, i) => i !== at);
  if (below(12) === 0) return ggufFile(fields, rest);
  return ggufFile(fields, [
    ...tensors.slice(0, at),
    pick(changed, below),
    ...tensors.slice(at + 1),
  ]);
};

/** One key has an absurd value, another type, or is gone. */
const fieldChanged: Mutate = ({ fields, tensors }, below) => {
  const key = pick(Object.keys(fields), below);
  const [type, value] = fields[key]!;
  const changed: Fields = { ...fields };
  const kind = below(6);
  if (kind === 0) delete changed[key];
  else if (kind === 1) changed[key] = ["u32", pick(EXTREMES_32, below)];
  else if (kind === 2) changed[key] = ["f32", pick(NUMBERS, below)];
  else if (kind === 3) changed[key] = ["string", pick(TEXTS, below)];
  else if (type === "strings") changed[key] = ["strings", textsChanged(value, below)];
  else if (type === "string") changed[key] = ["string", value.slice(below(value.length + 1))];
  else if (type === "u32") changed[key] = ["u32", Math.max(0, value + pick([-1, 1, 8, 64], below))];
  else changed[key] = ["i32s", Array.from({ length: below(300) }, () => below(12) - 3)];
  return ggufFile(changed, tensors);
};

function textsChanged(texts: readonly string[], below: Below): string[] {
  const out = [...texts];
  if (out.length === 0) return ["a"];
  const at = below(out.length);
  const kind = below(4);
  if (kind === 0) out.splice(at, 1 + below(out.length));
  else if (kind === 1) out[at] = pick(out, below);
  else if (kind === 2) out[at] = pick(["", " ", "a b c", "\u{1f600}", "x".repeat(5_000)], below);
  else out.push(...out.slice(at));
  return out;
}

/** A key that asks for what is not computed. */
const keyAdded: Mutate = ({ fields, tensors }, below) => {
  const architecture = String(fields["general.architecture"]![1]);
  const key = pick(["expert_count", "rope.scaling.type", "attention.sliding_window", "x"], below);
  const field: Fields[string] =
    below(2) === 0 ? ["u32", pick(EXTREMES_32, below)] : ["string", pick(TEXTS, below)];
  return ggufFile({ ...fields, [`${architecture}.${key}`]: field }, tensors);
};

const MUTATIONS: readonly Mutate[] = [
  bitFlips(false),
  bitFlips(true),
  bitFlips(true),
  truncated,
  longer,
  spliced,
  shifted,
  overwritten,
  overwritten,
  notFinite,
  tensorChanged,
  tensorChanged,
  fieldChanged,
  fieldChanged,
  keyAdded,
];

/** A spoilt copy of the base, at times twice spoilt; the same for the same numbers. */
export function mutated(base: Base, next: () => number): Uint8Array {
  const below = (n: number) => Math.floor(next() * n);
  const bytes = pick(MUTATIONS, below)(base, below);
  if (below(4) > 0 || bytes.length < 64) return bytes;
  const dataOffset = Math.min(base.dataOffset, bytes.length);
  return pick([bitFlips(true), truncated, notFinite], below)({ ...base, bytes, dataOffset }, below);
}
