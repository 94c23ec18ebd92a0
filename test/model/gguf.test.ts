/** GGUF files, right and hostile, through the streaming reader. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { GGUF_ARRAY_DEPTH_MAX, GGUF_KEYS_MAX, GGUF_TENSORS_MAX } from "../../src/limits.ts";
import { GgufStream } from "../../src/model/gguf-stream.ts";
import { stringsOf } from "../../src/model/metadata.ts";
import { Bytes, f32Bytes, ggufFile, start, streamOf, type TestTensor } from "./gguf-file.ts";

const shared = join(import.meta.dirname, "../../../shared/data");
const matrix: TestTensor = {
  name: "m",
  dims: [3, 5],
  type: 0,
  data: f32Bytes(Array.from({ length: 15 }, (_, i) => i)),
};
const vector: TestTensor = { name: "v", dims: [2], type: 0, data: f32Bytes([7, 8]) };
const small = ggufFile(
  { "general.architecture": ["string", "bert"], n: ["u32", 4], words: ["strings", ["a", "é", ""]] },
  [matrix, vector],
);

/** Reads a file to its end; every panel's bytes by tensor. */
async function drain(bytes: Uint8Array, chunkBytes?: number, panelBytes?: number) {
  const file = await GgufStream.open(streamOf(bytes, chunkBytes), panelBytes);
  const data = new Map<string, number[]>();
  const rows: [string, number, number][] = [];
  for await (const panel of file.panels()) {
    const { name } = panel.tensor;
    data.set(name, [...(data.get(name) ?? []), ...panel.bytes]);
    rows.push([name, panel.row, panel.rows]);
  }
  return { header: file.header, data, rows };
}

/** Expects the file to be refused as invalid_model_file with a message that holds `message`. */
async function refuses(bytes: Uint8Array, message: string | RegExp): Promise<void> {
  const error = await drain(bytes).then(
    () => null,
    (thrown: Error) => thrown,
  );
  expect(codeOf(error), String(error)).toBe("invalid_model_file");
  expect(error?.message).toMatch(message);
}

describe("a legal file", () => {
  it.each([1, 7, 64, 65_536])("reads the same in chunks of %i bytes", async (chunkBytes) => {
    const { header, data } = await drain(small, chunkBytes);
    expect(header.version).toBe(3);
    expect(header.metadata.get("words")).toEqual(["a", "é", ""]);
    expect(header.metadata.get("n")).toBe(4);
    expect(header.tensors.map(({ name, rows, cols }) => [name, rows, cols])).toEqual([
      ["m", 5, 3],
      ["v", 1, 2],
    ]);
    expect(data.get("m")).toEqual([...matrix.data]);
    expect(data.get("v")).toEqual([...vector.data]);
  });

  it("comes in panels of whole rows that fit the staging buffer", async () => {
    const { rows } = await drain(small, 5, 30);
    expect(rows).toEqual([
      ["m", 0, 2],
      ["m", 2, 2],
      ["m", 4, 1],
      ["v", 0, 1],
    ]);
  });

  it("may list its tensors out of order", async () => {
    const swapped = ggufFile({}, [
      { ...vector, offset: 64 },
      { ...matrix, offset: 0 },
    ]);
    const { header } = await drain(swapped);
    expect(header.tensors.map(({ name }) => name)).toEqual(["m", "v"]);
  });

  it("keeps 64-bit integers that a number cannot hold", async () => {
    const file = start(2, 0, 2)
      .string("a")
      .u32(10)
      .u64(2n ** 60n)
      .string("b")
      .u32(11)
      .u64(-3n);
    const { header } = await drain(file.done());
    expect([...header.metadata.values()]).toEqual([2n ** 60n, -3]);
  });
});

it("a byte stream, read into one buffer, gives what a stream of values gives", async () => {
  const data = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255);
  const bytes = ggufFile({}, [{ name: "m", dims: [50, 1_000], type: 0, data }]);
  const file = await GgufStream.open(new Blob([bytes]).stream(), 4_000);
  const parts: Uint8Array[] = [];
  for await (const panel of file.panels()) parts.push(panel.bytes.slice());
  expect(Buffer.concat(parts).equals(data)).toBe(true);
  expect(parts.length).toBe(50);
});

it("a long array of strings is read when asked for, and gone with the metadata", async () => {
  const words = Array.from({ length: 1_000 }, (_, i) => `word ${i} é`);
  const file = await GgufStream.open(streamOf(ggufFile({ words: ["strings", words] }, [])));
  const list = stringsOf(file.header.metadata, "words");
  expect([list.length, ...list]).toEqual([1_000, ...words]);
  expect([list.at(7), list.at(1_000)]).toEqual(["word 7 é", undefined]);
  expect(Array.from(list.entries()).at(-1)).toEqual([999, "word 999 é"]);
  file.dropMetadata();
  expect(file.header.metadata.size).toBe(0);
  expect(() => list.at(7)).toThrow();
  await file.cancel();
});

it("a string of a long array that is not UTF-8 is refused by its place", async () => {
  const words = Array.from({ length: 300 }, () => "abc");
  const bytes = ggufFile({ words: ["strings", words] }, []);
  bytes[bytes.lastIndexOf(0x61)] = 0xff;
  const file = await GgufStream.open(streamOf(bytes));
  const list = stringsOf(file.header.metadata, "words");
  expect(() => [...list]).toThrow(/value of words at byte \d+ is not UTF-8/);
  await file.cancel();
});

it("a file cut at any byte before its last tensor ends is refused", async () => {
  const { header } = await drain(small);
  for (let length = 0; length < header.endOffset; length++)
    await refuses(small.subarray(0, length), /the file ends/);
  await drain(small.subarray(0, header.endOffset)); // what pads the last tensor may be missing
});

describe("hostile headers are refused, each with the fact and the limit", () => {
  const oneKey = () => start(3, 0, 1).string("k");
  const tensor = (change: Partial<TestTensor>) => ggufFile({}, [{ ...matrix, ...change }]);

  it.each<[string, Uint8Array, RegExp]>([
    ["bad magic", new TextEncoder().encode("GGML then more"), /not a GGUF file/],
    ["version 1", start(1, 0, 0).done(), /version is 1; Brink reads 2 and 3/],
    ["big endian", start(0x03000000, 0, 0).done(), /version is 50331648/],
    ["tensor count", start(3, 2n ** 63n, 0).done(), RegExp(`limit is ${GGUF_TENSORS_MAX}`)],
    ["key count", start(3, 0, 5_000).done(), RegExp(`is 5000, the limit is ${GGUF_KEYS_MAX}`)],
    [
      "huge key",
      start(3, 0, 1)
        .u64(2n ** 40n)
        .done(),
      /key length in bytes is 1099511627776/,
    ],
    [
      "huge string",
      oneKey()
        .u32(8)
        .u64(1 << 30)
        .done(),
      /value of k length in bytes is 1073741824/,
    ],
    [
      "huge array",
      oneKey()
        .u32(9, 0)
        .u64(2n ** 62n)
        .done(),
      /array count of k is 461168/,
    ],
    [
      "array past the header",
      oneKey()
        .u32(9, 12)
        .u64(2 ** 20)
        .raw([0])
        .done(),
      /the file ends/,
    ],
    [
      "strings past it",
      oneKey()
        .u32(9, 9)
        .u64(2 ** 16)
        .u32(8)
        .u64(2 ** 20)
        .done(),
      /the file ends/,
    ],
    ["value type", oneKey().u32(13).done(), /unknown value type 13/],
    ["array of unknown", oneKey().u32(9, 77).u64(1).done(), /unknown value type 77/],
    ["boolean of 2", oneKey().u32(7).raw([2]).done(), /is 2, not 0 or 1/],
    ["key not UTF-8", start(3, 0, 1).u64(1).raw([0xff]).done(), /not UTF-8/],
    ["key twice", start(3, 0, 2).string("k").u32(0).raw([1]).string("k").u32(0).done(), /twice/],
    ["alignment 48", ggufFile({ "general.alignment": ["u32", 48] }, []), /not a power of two/],
    ["alignment 0", ggufFile({ "general.alignment": ["u32", 0] }, []), /not a power of two/],
    ["no dims", tensor({ dims: [] }), /0 dimensions/],
    ["5 dims", tensor({ dims: [1, 1, 1, 1, 1] }), /5 dimensions/],
    ["dimension 0", tensor({ dims: [3, 0] }), /dimension of 0/],
    ["dims that overflow", tensor({ dims: [2n ** 32n, 2n ** 32n] }), /more than 4294967296/],
    ["dims that wrap to 0", tensor({ dims: [2n ** 63n, 2] }), /more than 4294967296/],
    ["tensor type", tensor({ type: 10 }), /type 10; Brink reads F32 \(0\)/],
    ["ragged blocks", tensor({ type: 8 }), /rows of 3, not a multiple of Q8_0's 32/],
    ["unaligned offset", tensor({ offset: 8 }), /starts at 8, not a multiple of 32/],
    ["a hole", tensor({ offset: 64 }), /64 bytes before tensor m belong to no tensor/],
    ["offset past the file", tensor({ offset: 2 ** 31 }), /belong to no tensor/],
    ["offset past wasm32", tensor({ offset: 2 ** 50 }), /offset of tensor m is/],
    ["overlap", ggufFile({}, [matrix, { ...vector, offset: 32 }]), /starts at 32, inside m/],
    ["the same place", ggufFile({}, [matrix, { ...vector, offset: 0 }]), /inside/],
    ["tensor twice", ggufFile({}, [matrix, { ...vector, name: "m" }]), /tensor m appears twice/],
    ["bytes after the end", new Bytes().raw(small).raw([0]).done(), /goes on after byte/],
  ])("%s", async (_, bytes, message) => refuses(bytes, message));

  it("arrays nested too deep", async () => {
    const file = oneKey().u32(9);
    for (let i = 0; i < GGUF_ARRAY_DEPTH_MAX; i++) file.u32(9).u64(1);
    await refuses(file.u32(0).u64(0).done(), /nests arrays deeper than 4/);
  });

  it("a header that keeps growing", async () => {
    const chunk = new Bytes().u64(2 ** 20).done();
    let sent = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        // Keys whose values are strings of 1 MiB, for ever.
        const head = sent === 0 ? start(3, 0, 4_000).done() : new Uint8Array(0);
        const key = new Bytes().string(`k${sent++}`).u32(8).raw(chunk).done();
        controller.enqueue(new Uint8Array([...head, ...key]));
        controller.enqueue(new Uint8Array(2 ** 20));
      },
    });
    await expect(GgufStream.open(stream)).rejects.toThrow(/the limit is 16777216/);
    expect(sent).toBeLessThan(20);
  });
});

it("a row that no panel can hold is refused", async () => {
  const file = await GgufStream.open(streamOf(small), 8);
  await expect(file.panels().next()).rejects.toThrow(
    "tensor m has rows of 12 bytes, the limit is 8",
  );
});

it("a refused file's stream is cancelled", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("not a model ".repeat(9))),
    cancel: () => {
      cancelled = true;
    },
  });
  await expect(GgufStream.open(stream)).rejects.toThrow("not a GGUF file");
  expect(cancelled).toBe(true);
});

// Files of others lie outside the project; see DESIGN.md.
describe.skipIf(!existsSync(shared))("files written by llama.cpp (needs ../shared/data)", () => {
  it.each([
    ["weights/stories260k-f32.gguf", "llama"],
    ["tokenizers/gguf-vocab/ggml-vocab-bert-bge.gguf", "bert"],
    ["tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf", "gpt2"],
  ])("%s reads to its end", async (path, architecture) => {
    const bytes = readFileSync(join(shared, path));
    const file = await GgufStream.open(streamOf(bytes));
    let total = 0;
    for await (const panel of file.panels()) total += panel.bytes.length;
    expect(file.header.metadata.get("general.architecture")).toBe(architecture);
    expect(total).toBe(file.header.tensors.reduce((sum, { bytes }) => sum + bytes, 0));
  });
});
