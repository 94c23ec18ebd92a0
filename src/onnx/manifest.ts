/** The manifest of an ONNX model: what its graph is, and how texts are put to it. */
import { z } from "zod";
import { ServiceError } from "../errors.ts";
import { ONNX_LABELS_MAX, ONNX_TOKENS_MAX } from "../limits.ts";

const Name = z.string().min(1).max(200);

const Manifest = z
  .strictObject({
    kind: z.enum(["encoder", "reranker", "classifier"]),
    /** A longer text is cut to this many tokens, markers included. */
    max_tokens: z.int().min(8).max(ONNX_TOKENS_MAX),
    /** How an encoder's hidden states [tokens, dim] become one vector; none: the graph has done
     *  so, and its output is [dim]. */
    pooling: z.enum(["mean", "cls", "last", "none"]).default("mean"),
    /** Whether an encoder's vectors are made unit length. */
    normalize: z.boolean().default(true),
    /** A classifier's labels, in the order of its logits. */
    labels: z.array(Name).max(ONNX_LABELS_MAX).default([]),
    /** softmax: one label holds; sigmoid: each may. */
    activation: z.enum(["softmax", "sigmoid"]).default("softmax"),
    /** The graph's names for what it is given; those that it does not have are not given. */
    inputs: z
      .strictObject({
        ids: Name.default("input_ids"),
        mask: Name.default("attention_mask"),
        types: Name.default("token_type_ids"),
        positions: Name.default("position_ids"),
      })
      .prefault({}),
    /** The output to read; null: the graph's first. */
    output: Name.nullable().default(null),
  })
  .superRefine(({ kind, labels }, ctx) => {
    if ((kind === "classifier") !== labels.length > 0)
      ctx.addIssue({
        code: "custom",
        path: ["labels"],
        message: "a classifier has labels, and nothing else has",
      });
  });

export type OnnxManifest = z.infer<typeof Manifest>;
/** A manifest as it may be given: what has a default may be absent. */
export type OnnxManifestInput = z.input<typeof Manifest>;
export type OnnxKind = OnnxManifest["kind"];

/** As `checkManifest`, of a manifest.json. */
export function parseManifest(text: string): OnnxManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ServiceError("invalid_model_file", "manifest.json is not JSON", { cause });
  }
  return checkManifest(value);
}

/** The manifest with its defaults filled in. Throws `invalid_model_file` naming the first field
 *  that does not fit. */
export function checkManifest(value: unknown): OnnxManifest {
  const result = Manifest.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const where = ["manifest.json", ...(path.length === 0 ? [] : [path.join(".")])].join(": ");
  throw new ServiceError("invalid_model_file", `${where}: ${message}`.slice(0, 500));
}
