/** How near the shipped encoder on the real kernels is to its fp32 original. */
import { readFileSync } from "node:fs";
import { loadModels } from "./models.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";

/** `data` is what train/export_reference.py wrote, without extension: texts in `.json`, their
 *  unit-length embeddings in `.f32`, f32 [texts, dim]. */
export async function evaluateEncoder({ data, limit }: EvalOptions): Promise<EvalReport> {
  const { texts: all } = JSON.parse(readFileSync(`${data}.json`, "utf8")) as { texts: string[] };
  const texts = all.slice(0, limit);
  const bytes = readFileSync(`${data}.f32`);
  const originals = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const { encoder, kernels } = await loadModels();
  const cosines = texts.map((text, i) => {
    const [ours] = encoder.embed([text]);
    const original = originals.subarray(i * encoder.dim, (i + 1) * encoder.dim);
    showProgress("texts", i + 1, texts.length);
    return ours!.reduce((sum, value, j) => sum + value * original[j]!, 0);
  });
  console.log(`kernels: ${kernels.variant}`);
  return {
    what: "encoder",
    data,
    questions: texts.length,
    figures: {
      "cosine with the fp32 original, least": Math.min(...cosines),
      "cosine with the fp32 original, mean": bootstrapMean(cosines),
    },
  };
}
