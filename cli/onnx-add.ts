/** Adds an ONNX model: choose the graph that fits, check all three files as the Worker that runs
 *  them does, upload them as one. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { ONNX_ISOLATE_BYTES_MAX, ONNX_TOKENIZER_BYTES_MAX } from "../src/limits.ts";
import type { OnnxManifest } from "../src/onnx/manifest.ts";
import { memoryNeed, refuseTooLarge } from "../src/onnx/memory-need.ts";
import { splitOnnx } from "../src/onnx/onnx-file.ts";
import { PairTokenizer } from "../src/onnx/tokenizer-json.ts";
import type { Client } from "./client.ts";
import { CommandError, type Values } from "./command.ts";
import { type OnnxFolder, readBeside } from "./onnx-folder.ts";
import { manifestOf } from "./onnx-manifest.ts";
import { showBytes } from "./progress.ts";
import { oneLine } from "./table.ts";
import { uploadParts } from "./upload.ts";

/** What `--json` prints. Errors: CommandError and ServiceError, before anything is sent, with what
 *  the folder lacks. */
export async function addOnnx(
  client: Client,
  folder: OnnxFolder,
  name: string,
  values: Values,
): Promise<{ model: unknown; graph: string; manifest: OnnxManifest }> {
  const silent = values.json === true;
  const text = await readBeside(folder, "tokenizer.json");
  if (text === null) throw new CommandError(`${folder.path} has no tokenizer.json beside it`);
  const manifest = await manifestOf(folder, values);
  const tokenizer = Buffer.from(text);
  if (tokenizer.length > ONNX_TOKENIZER_BYTES_MAX)
    throw new CommandError(
      `tokenizer.json has ${showBytes(tokenizer.length)}, the limit is ` +
        showBytes(ONNX_TOKENIZER_BYTES_MAX),
    );
  PairTokenizer.parse(text);
  const graph = await chooseGraph(folder, name, tokenizer.length, manifest.max_tokens);
  const model = await readFile(graph);
  splitOnnx(model);
  if (!silent) console.log(oneLine(`${graph}: ${describe(manifest)}`));
  const content = Buffer.concat([tokenizer, model]);
  const source = {
    bytes: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
    onnx: { manifest, tokenizer_bytes: tokenizer.length },
    read: async (start: number, length: number) => content.subarray(start, start + length),
  };
  const stored = await uploadParts(client, name, source, silent);
  if (!silent) console.log(`stored ${name}, ${showBytes(content.length)}`);
  return { model: stored, graph, manifest };
}

/** The first graph that fits the isolate. Errors: model_too_large with the last one's sum. */
async function chooseGraph(
  { graphs }: OnnxFolder,
  name: string,
  tokenizer: number,
  maxTokens: number,
): Promise<string> {
  const sizes = await Promise.all(graphs.map(async (graph) => (await stat(graph)).size));
  const sized = sizes.map((model) => ({ model, tokenizer, maxTokens }));
  const fitting = sized.findIndex((size) => memoryNeed(size).bytes <= ONNX_ISOLATE_BYTES_MAX);
  if (fitting < 0) refuseTooLarge(name, sized.at(-1)!);
  return graphs[fitting]!;
}

function describe({ kind, max_tokens, pooling, normalize, labels }: OnnxManifest): string {
  const unit = normalize ? "unit length" : "length as it is";
  const rest =
    kind === "encoder" ? [`pooling ${pooling}`, unit] : labels.length > 0 ? labels.slice(0, 8) : [];
  return [kind, `${max_tokens} tokens`, ...rest].join(", ");
}
