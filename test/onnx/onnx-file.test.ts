import { describe, expect, it, vi } from "vitest";
import { FLOAT, Graph } from "../../bench/onnx-graph.ts";
import { codeOf } from "../../src/errors.ts";
import { splitOnnx, WEIGHTS_PATH } from "../../src/onnx/onnx-file.ts";
import { reference, tinyModel } from "./tiny-models.ts";

const file = tinyModel(7, 0);

/** The code that splitting throws, or null. */
function codeFor(bytes: Uint8Array): string | null {
  try {
    splitOnnx(bytes);
    return null;
  } catch (error) {
    return codeOf(error) ?? `a bug: ${error}`;
  }
}

/** So small that most of its bytes are structure. */
const small = tinyModel(7, 0, { dim: 4, heads: 1, ffn: 4, layers: 1, positions: 8 });

let state = 12345;
/** An integer in [0, below). */
function random(below: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

/** The small file with one to four bytes replaced. */
function mutate(): Uint8Array {
  const bytes = Uint8Array.from(small);
  for (let i = 0; i <= random(4); i++) bytes[random(bytes.length)] = random(256);
  return bytes;
}

describe("a split ONNX file", () => {
  it("gives the same numbers as the whole one", async () => {
    const { graph, weightBytes } = splitOnnx(file);
    expect(graph.length + weightBytes).toBeLessThan(file.length * 1.2);
    expect(graph.length).toBeLessThan(file.length / 2);
    const externalData = [{ path: WEIGHTS_PATH, data: file }];
    const whole = await reference(file);
    const split = await reference(graph, { externalData });
    const sequence = { ids: [2, 5, 6, 7, 3], types: [0, 0, 0, 1, 1] };
    const expected = await whole(sequence);
    expect(expected.some((value) => value !== 0)).toBe(true);
    expect([...(await split(sequence))]).toEqual([...expected]);
  });

  it("a file of very many fields takes no object for each", () => {
    const count = 400_000;
    const content = new Uint8Array(2 + 2 * count).fill(0);
    content[0] = 8 + 2; // an empty node, then fields of two bytes that onnx.proto does not know
    for (let at = 2; at < content.length; at += 2) content[at] = 15 * 8;
    const size = content.length; // as a varint of three bytes
    const head = [7 * 8 + 2, (size & 127) | 128, ((size >> 7) & 127) | 128, size >> 14];
    const bytes = new Uint8Array(head.length + size);
    bytes.set(head);
    bytes.set(content, head.length);
    const set = vi.spyOn(Uint8Array.prototype, "set");
    const { graph } = splitOnnx(bytes);
    expect(set.mock.calls.length).toBeLessThan(10); // a copy for each part that was kept
    set.mockRestore();
    expect(graph).toEqual(bytes);
  });

  it("a file cut anywhere is refused, or has lost only what follows its graph", () => {
    const codes = new Set<string | null>();
    for (let length = 0; length < file.length - 16; length += 61)
      codes.add(codeFor(file.subarray(0, length)));
    expect([...codes]).toEqual(["invalid_model_file"]);
  });

  it("20,000 mutated files split or are refused, and never fail otherwise", () => {
    const outcomes = new Map<string | null, number>();
    for (let round = 0; round < 20_000; round++) {
      const code = codeFor(mutate());
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    }
    expect([...outcomes.keys()].sort()).toEqual(["invalid_model_file", null]);
    expect(outcomes.get("invalid_model_file")).toBeGreaterThan(2_000);
  });

  it("200 mutated files fail in onnxruntime by its own errors, and it goes on", async () => {
    const sequence = { ids: [2, 5, 6, 3], types: [0, 0, 1, 1] };
    const run = async (data: Uint8Array) => {
      const { graph } = splitOnnx(data);
      const model = await reference(graph, { externalData: [{ path: WEIGHTS_PATH, data }] });
      return model(sequence);
    };
    const expected = await run(small);
    let failed = 0;
    for (let round = 0; round < 200; round++)
      await run(mutate()).catch((error: Error) => {
        expect(error.message).toMatch(/ERROR_CODE|^ONNX file: |^input '.*' is missing/);
        failed++;
      });
    expect(failed).toBeGreaterThan(20);
    expect([...(await run(small))]).toEqual([...expected]);
  });

  it("a file without a node is refused", () => {
    expect(codeFor(new Graph().model([], { name: "y", type: FLOAT, dims: [1] }))).toBe(
      "invalid_model_file",
    );
  });

  it("weights in another file are refused by that reason", () => {
    const { graph } = splitOnnx(file);
    expect(() => splitOnnx(graph)).toThrow(/its weights are in another file/);
  });
});
