/** The manifest of an ONNX model: the folder's own, or what the files of a Hugging Face export
 *  tell. What they do not tell is asked for by flag. */
import { z } from "zod";
import { checkManifest, type OnnxManifest, type OnnxManifestInput } from "../src/onnx/manifest.ts";
import { CommandError, UsageError, type Values } from "./command.ts";
import { type OnnxFolder, readBeside } from "./onnx-folder.ts";

const KINDS = ["encoder", "reranker", "classifier"] as const;
const POOLINGS = ["mean", "cls", "last", "none"] as const;

const Count = z.number().min(1).nullish();
const Config = z.object({
  architectures: z.array(z.string()).nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  num_labels: Count,
  problem_type: z.string().nullish(),
  model_type: z.string().nullish(),
  max_position_embeddings: Count,
  pad_token_id: z.number().nullish(),
});
const Pooling = z.record(z.string(), z.unknown());
const Modules = z.array(z.object({ type: z.string() }));
const TokenizerConfig = z.object({ model_max_length: Count });
const SentenceConfig = z.object({ max_seq_length: Count });

/** Architectures whose graph gives no vector of the text; every other one that ends in no
 *  classification gives hidden states. */
const NO_ENCODER = /For(TokenClassification|QuestionAnswering|MultipleChoice|CausalLM)$/;
/** Models whose positions begin behind the padding's id. */
const OFFSET_POSITIONS = new Set(["roberta", "xlm-roberta", "camembert", "mpnet", "longformer"]);
/** What transformers writes for a tokenizer without a limit is 10^30. */
const NO_LIMIT = 1e9;

/** The flags that set fields of the manifest, whatever its files say. Throws UsageError. */
function readFlags(values: Values): Partial<OnnxManifestInput> {
  const { kind, pooling, labels } = values;
  const fields: Partial<OnnxManifestInput> = {};
  const oneOf = <T extends string>(flag: string, options: readonly T[], value: unknown): T => {
    const found = options.find((option) => option === value);
    if (found !== undefined) return found;
    throw new UsageError(`--${flag} is one of ${options.join(", ")}, not ${String(value)}`);
  };
  if (kind !== undefined) fields.kind = oneOf("kind", KINDS, kind);
  if (pooling !== undefined) fields.pooling = oneOf("pooling", POOLINGS, pooling);
  if (labels !== undefined) fields.labels = String(labels).split(",");
  const maxTokens = values["max-tokens"];
  if (maxTokens !== undefined) fields.max_tokens = Number(maxTokens);
  return fields;
}

/** The manifest, checked. Errors: CommandError naming the flags that would tell what the files do
 *  not; UsageError for wrong ones; invalid_model_file. */
export async function manifestOf(folder: OnnxFolder, values: Values): Promise<OnnxManifest> {
  const flags = readFlags(values);
  const own = await readJson(folder, "manifest.json", z.record(z.string(), z.unknown()));
  if (own !== null) return checkManifest({ ...own, ...flags });
  const unknown: string[] = [];
  const fields = { ...(await derive(folder, flags, unknown)), ...flags };
  if (unknown.length > 0)
    throw new CommandError(
      `the files in ${folder.folders.at(-1)} do not tell everything: add ${unknown.join(" and ")}`,
    );
  return checkManifest(fields);
}

/** What the files tell beside the flags; what nobody tells is added to `unknown`. */
async function derive(
  folder: OnnxFolder,
  flags: Partial<OnnxManifestInput>,
  unknown: string[],
): Promise<Partial<OnnxManifestInput>> {
  const config = await readJson(folder, "config.json", Config);
  const kind = flags.kind ?? kindOf(config);
  if (kind === null) unknown.push(`--kind ${KINDS.join("|")}`);
  const max_tokens = flags.max_tokens ?? (await maxTokensOf(folder, config));
  if (max_tokens === null) unknown.push("--max-tokens N (what the model was trained on)");
  const fields: Partial<OnnxManifestInput> = {};
  if (kind !== null) fields.kind = kind;
  if (max_tokens !== null) fields.max_tokens = max_tokens;
  if (kind === "encoder") {
    const pooling = flags.pooling ?? (await poolingOf(folder));
    if (pooling === null)
      unknown.push(`--pooling ${POOLINGS.join("|")} (the model's card says which)`);
    else fields.pooling = pooling;
    fields.normalize = await normalizes(folder);
  }
  if (kind === "classifier") {
    const labels = flags.labels ?? (config === null ? [] : labelsOf(config));
    if (labels.length === 0) unknown.push("--labels A,B,... (in the order of the logits)");
    fields.labels = labels;
    if (config?.problem_type === "multi_label_classification") fields.activation = "sigmoid";
  }
  return fields;
}

function kindOf(config: z.infer<typeof Config> | null): (typeof KINDS)[number] | null {
  const architecture = config?.architectures?.[0];
  if (config === null || architecture === undefined || NO_ENCODER.test(architecture)) return null;
  if (!architecture.endsWith("ForSequenceClassification")) return "encoder";
  return labelsOf(config).length === 1 ? "reranker" : "classifier";
}

/** In the order of the logits. transformers leaves both fields out where there are two labels. */
function labelsOf({ id2label, num_labels }: z.infer<typeof Config>): string[] {
  if (id2label == null)
    return Array.from({ length: num_labels ?? 2 }, (_, label) => `LABEL_${label}`);
  const entries = Object.entries(id2label).sort(([a], [b]) => Number(a) - Number(b));
  return entries.map(([, label]) => label);
}

/** The least of what the files allow; null where none says. */
async function maxTokensOf(
  folder: OnnxFolder,
  config: z.infer<typeof Config> | null,
): Promise<number | null> {
  const sentence = await readJson(folder, "sentence_bert_config.json", SentenceConfig);
  const tokenizer = await readJson(folder, "tokenizer_config.json", TokenizerConfig);
  const positions = config?.max_position_embeddings ?? null;
  const offset = OFFSET_POSITIONS.has(config?.model_type ?? "")
    ? (config?.pad_token_id ?? 1) + 1
    : 0;
  const limits = [
    sentence?.max_seq_length,
    tokenizer?.model_max_length,
    positions === null ? null : positions - offset,
  ].filter((limit) => typeof limit === "number" && limit < NO_LIMIT);
  return limits.length === 0 ? null : Math.min(...(limits as number[]));
}

/** As sentence-transformers' 1_Pooling says; null where it is absent or says what Brink has not. */
async function poolingOf(folder: OnnxFolder): Promise<(typeof POOLINGS)[number] | null> {
  const config = await readJson(folder, "1_Pooling/config.json", Pooling);
  const modes = Object.keys(config ?? {}).filter(
    (key) => key.startsWith("pooling_mode_") && config![key] === true,
  );
  const known = {
    pooling_mode_cls_token: "cls",
    pooling_mode_mean_tokens: "mean",
    pooling_mode_lasttoken: "last",
  } as const;
  if (modes.length !== 1 || !Object.hasOwn(known, modes[0]!)) return null;
  return known[modes[0] as keyof typeof known];
}

/** Whether vectors are made unit length, as sentence-transformers' modules.json says; true where
 *  it is absent, as in Brink's own manifests. Throws CommandError for a layer that Brink would
 *  skip. */
async function normalizes(folder: OnnxFolder): Promise<boolean> {
  const modules = await readJson(folder, "modules.json", Modules);
  if (modules === null) return true;
  const types = modules.map(({ type }) => type.split(".").at(-1)!);
  const other = types.find((type) => !["Transformer", "Pooling", "Normalize"].includes(type));
  if (other !== undefined)
    throw new CommandError(`modules.json has a layer ${other}, which Brink does not apply`);
  return types.includes("Normalize");
}

/** Null where there is no such file. Throws CommandError naming it and what is wrong. */
async function readJson<T>(
  folder: OnnxFolder,
  name: string,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const text = await readBeside(folder, name);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CommandError(`${name} is not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new CommandError(`${name}: ${[...path, message].join(": ")}`);
}
