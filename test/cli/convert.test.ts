/** Conversion of GGUF: what is written, and that the errors told are the errors made. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { convert } from "../../cli/convert.ts";
import { openGguf } from "../../cli/gguf-source.ts";
import { parseHeader } from "../../src/model/gguf.ts";
import { decoderFile } from "../model/tiny-decoder.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "brink-convert-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function converted(type: "Q8_0" | "Q4_0") {
  const from = join(folder, "from.gguf");
  const to = join(folder, `${type}.gguf`);
  writeFileSync(from, decoderFile({ type: "F32" }));
  const source = await openGguf(from);
  const seen: number[] = [];
  const result = await convert(source, type, to, (done) => seen.push(done));
  await source.close();
  return { result, seen, bytes: Uint8Array.from(readFileSync(to)) };
}

it.each(["Q8_0", "Q4_0"] as const)(
  "a float file becomes the %s file of the same weights",
  async (type) => {
    const { result, seen, bytes } = await converted(type);
    const wanted = decoderFile({ type });
    expect(bytes.length).toBe(wanted.length);
    expect(Buffer.from(bytes).equals(Buffer.from(wanted))).toBe(true);
    expect(result).toMatchObject({
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
    expect(seen.at(-1)).toBe(bytes.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  },
);

it("each matrix's error is told: what a uniform step of its type makes", async () => {
  // Weights uniform in [-1, 1): an error uniform in half a step h has the mean square h^2 / 3.
  for (const [type, step] of [
    ["Q8_0", 1 / 127],
    ["Q4_0", 1 / 8],
  ] as const) {
    const { result } = await converted(type);
    expect(result.errors).toHaveLength(16); // 7 a layer, and two of the vocabulary
    for (const { name, from, to, rmse, max } of result.errors) {
      expect([from, to], name).toEqual(["F32", type]);
      expect(rmse / (step / 2), name).toBeGreaterThan(0.8);
      expect(rmse / (step / 2), name).toBeLessThan(1.2);
      expect(max, name).toBeGreaterThan(rmse / 2);
      expect(max, name).toBeLessThan(step * (type === "Q4_0" ? 1 : 0.5) + 2 ** -11);
    }
  }
});

it("a matrix whose rows are no whole blocks stays as floats", async () => {
  await converted("Q8_0");
  const source = await openGguf(join(folder, "from.gguf"));
  const first = source.tensors[0]!;
  const odd = { ...first, dims: [16, 2 * first.dims[1]!] };
  const to = join(folder, "odd.gguf");
  const result = await convert({ ...source, tensors: [odd] }, "Q4_0", to, () => {});
  await source.close();
  expect([result.errors, result.kept]).toEqual([[], ["token_embd.weight"]]);
  expect(parseHeader(Uint8Array.from(readFileSync(to))).tensors[0]!.type).toBe("F32");
});

it("a file that is cut short or holds a NaN is refused by name", async () => {
  const path = join(folder, "bad.gguf");
  const whole = decoderFile({ type: "F32" });
  writeFileSync(path, whole.subarray(0, whole.length - 100));
  await expect(openGguf(path)).rejects.toThrow(/its tensors end at/);
  const { dataOffset } = parseHeader(whole);
  new DataView(whole.buffer).setFloat32(dataOffset + 40, Number.NaN, true);
  writeFileSync(path, whole);
  const source = await openGguf(path);
  const work = convert(source, "Q8_0", join(folder, "out.gguf"), () => {});
  await expect(work).rejects.toThrow("tensor token_embd.weight holds a value that is not finite");
  await source.close();
});
