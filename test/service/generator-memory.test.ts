/** How much memory the generator's isolate takes beside linear memory, garbage that waits for the
 *  collector included: no more than the greatest model that is not refused leaves of 128 MB. For a
 *  model that fills the isolate `npm run bench -- generator` shows the whole of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import {
  DECODER_BYTES_MAX,
  DECODER_RUNTIME_BYTES,
  DECODER_TOKENIZER_BYTES_PER_TOKEN,
} from "../../src/limits.ts";
import { decoderFile } from "../model/tiny-decoder.ts";
import { measureGenerator } from "../support/generator-alone/measure.ts";

const ISOLATE_BYTES = 128e6;
const CONTEXT = 512;
const VOCABULARY = 50_000;

const state = mkdtempSync(join(tmpdir(), "brink-memory-"));
afterAll(() => rmSync(state, { recursive: true, force: true }));

it("loading and filling a context leave room for the greatest model in 128 MB", async () => {
  const file = join(state, "model.gguf");
  writeFileSync(file, decoderFile({ type: "Q4_0", vocabFiller: VOCABULARY }));
  const { status, usage, ...phases } = await measureGenerator(state, file, CONTEXT);
  const { loaded, linear_memory_bytes } = status;
  expect(usage.total_tokens).toBeGreaterThan(0.7 * CONTEXT);
  expect(linear_memory_bytes).toBeGreaterThanOrEqual(loaded!.bytes);
  const reckoned = DECODER_RUNTIME_BYTES + VOCABULARY * DECODER_TOKENIZER_BYTES_PER_TOKEN;
  const besides = ISOLATE_BYTES - (DECODER_BYTES_MAX - reckoned);
  for (const [phase, { peakBytes, linearBytes }] of Object.entries(phases)) {
    console.log(
      `${phase}: ${((peakBytes - linearBytes) / 1e6).toFixed(1)} MB beside linear memory`,
    );
    expect(peakBytes - linearBytes, phase).toBeLessThan(besides);
  }
}, 120_000);
