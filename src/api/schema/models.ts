/** Models and their uploads: what operators send and get back. */
import { MODEL_BYTES_MAX, MODEL_NAME_PATTERN, ONNX_TOKENIZER_BYTES_MAX } from "../../limits.ts";
import type { ModelFile } from "../../pipeline/types.ts";
import { PathText, parse, z } from "./common.ts";

export const ModelName = z
  .string()
  .regex(MODEL_NAME_PATTERN, {
    error: "a model's name is 1 to 63 letters, digits, . _ and -, and starts with neither of them",
  })
  .openapi({ description: "What requests call the model.", example: "SmolLM2-135M" });

export const UploadRequest = z
  .strictObject({
    bytes: z
      .int()
      .min(1)
      .max(MODEL_BYTES_MAX, { error: `a model file has ${MODEL_BYTES_MAX} bytes at most` })
      .openapi({ description: "Of the whole file." }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { error: "must be 64 lower-case hexadecimal digits" })
      .openapi({ description: "Of the whole file." }),
    onnx: z
      .strictObject({
        manifest: z.record(z.string(), z.unknown()).openapi({ description: "See docs/onnx.md." }),
        tokenizer_bytes: z
          .int()
          .min(1)
          .max(ONNX_TOKENIZER_BYTES_MAX, {
            error: `a tokenizer.json has ${ONNX_TOKENIZER_BYTES_MAX} bytes at most`,
          })
          .openapi({ description: "How much of the file is tokenizer.json." }),
      })
      .nullish()
      .openapi({
        description:
          "For an ONNX model, whose file is tokenizer.json, of tokenizer_bytes, and right behind " +
          "it model.onnx; absent for GGUF.",
      }),
  })
  .openapi("UploadRequest");

/** Throws `invalid_request`. */
export function parseUpload(body: unknown): ModelFile {
  const { bytes, sha256, onnx } = parse(UploadRequest, body);
  return { bytes, sha256, onnx: onnx ?? null };
}

export const ModelParams = z.object({ name: ModelName });
export const UploadParams = ModelParams.extend({
  upload_id: PathText.openapi({ description: "As beginning the upload told it." }),
});
export const PartParams = UploadParams.extend({
  part: z.coerce.number().int().min(1).max(10_000).openapi({ description: "From 1." }),
});

export const UploadReply = z
  .object({
    upload_id: z.string(),
    name: z.string(),
    bytes: z.int(),
    sha256: z.string(),
    part_bytes: z.int().openapi({ description: "Of every part but the last." }),
    parts: z.array(z.int()).openapi({ description: "The parts that are there." }),
    expires_at: z.number().openapi({ description: "Unix time in ms; each part moves it on." }),
  })
  .openapi("Upload");

export const PartReply = z.object({ part: z.int(), bytes: z.int() }).openapi("UploadPart");

export const StoredModelReply = z
  .object({
    name: z.string(),
    kind: z.enum(["generator", "encoder", "reranker", "classifier"]),
    bytes: z.int(),
    sha256: z.string(),
    architecture: z.string().nullable().openapi({ description: "Null for an ONNX model." }),
    created_at: z.number().openapi({ description: "Unix time in ms." }),
  })
  .openapi("StoredModel");

export const StoredModelsReply = z
  .object({ models: z.array(StoredModelReply) })
  .openapi("StoredModelList");
