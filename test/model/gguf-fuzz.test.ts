/** A short run of what `npm run fuzz` does with 100,000 files. */
import { expect, it } from "vitest";
import { fuzz, fuzzBases, fuzzFile } from "./gguf-fuzz.ts";

it("2,000 hostile files are loaded or refused by name, and leave nothing allocated", async () => {
  const tally = await fuzz(7, 0, 2_000);
  expect(tally.files).toBe(2_000);
  expect(tally.loaded + tally.invalid_model_file + tally.model_too_large).toBe(2_000);
  // Were every file refused, or none, the mutations would prove nothing.
  expect(tally.loaded).toBeGreaterThan(100);
  expect(tally.invalid_model_file).toBeGreaterThan(1_000);
  expect(tally.model_too_large).toBeGreaterThan(3);
});

it("a file is the same for the same seed and number", () => {
  const bases = fuzzBases();
  for (const i of [3, 4_711]) {
    const { bytes } = fuzzFile(bases, 7, i);
    expect(Buffer.from(bytes).equals(fuzzFile(fuzzBases(), 7, i).bytes)).toBe(true);
    expect(Buffer.from(bytes).equals(bases[i % bases.length]!.bytes)).toBe(false);
  }
});
