/** tokenizer.json as tokenizer.ggml.* keys. Byte-level BPE only; what is not known is refused by
 *  name, since a tokenizer that is nearly right makes a model that is quietly wrong. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { invalidModel } from "../src/model/gguf.ts";
import type { GgufField } from "../src/model/gguf-writer.ts";
import { type HfConfig, readJson } from "./huggingface.ts";

interface Step {
  type: string;
  [key: string]: unknown;
}

interface TokenizerJson {
  model: {
    type: string;
    vocab: Record<string, number>;
    merges: (string | [string, string])[];
    byte_fallback?: boolean;
  };
  pre_tokenizer: Step | null;
  normalizer: Step | null;
  post_processor: Step | null;
  added_tokens?: { id: number; content: string; special: boolean }[];
}

interface TokenizerConfig {
  add_bos_token?: boolean;
  bos_token?: string | { content: string } | null;
  eos_token?: string | { content: string } | null;
  chat_template?: string | { name: string; template: string }[];
}

const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/** The published patterns, which differ in how many digits are one word. */
const split = (digits: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|` +
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** By the names that GGUF has for them, for a text as it is and for one in NFC. */
const SPLITS: Record<string, { none?: string; NFC?: string }> = {
  [split("\\p{N}{1,3}")]: { none: "llama-bpe" },
  [split("\\p{N}")]: { none: "stablelm2", NFC: "qwen2" },
};

/** The keys of the tokenizer in `folder`. */
export async function readTokenizer(
  folder: string,
  config: HfConfig,
): Promise<Record<string, GgufField>> {
  const json = await readJson<TokenizerJson>(join(folder, "tokenizer.json"));
  const { model } = json;
  if (model.type !== "BPE" || model.byte_fallback === true)
    throw invalidModel(
      `tokenizer.json has ${model.byte_fallback ? "a SentencePiece model" : model.type}; Brink ` +
        "converts byte-level BPE: bring a model of another kind as GGUF",
    );
  const configPath = join(folder, "tokenizer_config.json");
  const said = existsSync(configPath) ? await readJson<TokenizerConfig>(configPath) : {};
  const { tokens, types } = vocabularyOf(json, config.vocab_size);
  const id = (text: string | null) => (text === null ? -1 : tokens.indexOf(text));
  const eos = [config.eos_token_id ?? []].flat()[0] ?? id(textOf(said.eos_token));
  const bos = config.bos_token_id ?? id(textOf(said.bos_token));
  const merges = model.merges.map((merge) => (Array.isArray(merge) ? merge.join(" ") : merge));
  const template = await readTemplate(folder, said);
  return {
    "tokenizer.ggml.model": ["string", "gpt2"],
    "tokenizer.ggml.pre": ["string", preTokenizerName(json)],
    "tokenizer.ggml.tokens": ["strings", tokens],
    "tokenizer.ggml.token_type": ["i32s", types],
    "tokenizer.ggml.merges": ["strings", merges],
    ...(eos >= 0 ? { "tokenizer.ggml.eos_token_id": ["u32", eos] as GgufField } : {}),
    ...(bos >= 0 ? { "tokenizer.ggml.bos_token_id": ["u32", bos] as GgufField } : {}),
    "tokenizer.ggml.add_bos_token": ["bool", said.add_bos_token ?? addsBos(json, tokens[bos])],
    ...(template === null ? {} : { "tokenizer.chat_template": ["string", template] as GgufField }),
  };
}

function textOf(token: string | { content: string } | null | undefined): string | null {
  return typeof token === "string" ? token : (token?.content ?? null);
}

/** Tokens by id, as many as the embeddings have rows; ids that no token has are unused. */
function vocabularyOf({ model, added_tokens = [] }: TokenizerJson, size: number) {
  const tokens = Array.from({ length: size }, (_, i) => `[PAD${i}]`);
  const types = new Array<number>(size).fill(UNUSED);
  const put = (text: string, id: number, type: number) => {
    if (id >= size) throw invalidModel(`token ${id} is beyond the ${size} that config.json names`);
    tokens[id] = text;
    types[id] = type;
  };
  for (const [text, id] of Object.entries(model.vocab)) put(text, id, NORMAL);
  for (const { id, content, special } of added_tokens)
    put(content, id, special ? CONTROL : USER_DEFINED);
  return { tokens, types };
}

/** GGUF's name of how the text is cut before it is merged. Throws for a way that is not known. */
function preTokenizerName({ pre_tokenizer, normalizer }: TokenizerJson): string {
  const steps =
    pre_tokenizer?.type === "Sequence"
      ? (pre_tokenizer.pretokenizers as Step[])
      : [pre_tokenizer ?? { type: "none" }];
  const last = steps.at(-1)!;
  const split = steps.find(({ type }) => type === "Split");
  const digits = steps.find(({ type }) => type === "Digits");
  const regex = last.use_regex !== false;
  const form = normalizer === null ? "none" : normalizer.type;
  if (last.type === "ByteLevel" && last.add_prefix_space !== true) {
    if (split !== undefined && steps.length === 2 && !regex) {
      const pattern = (split.pattern as { Regex?: string }).Regex ?? "";
      const name = form === "none" || form === "NFC" ? SPLITS[pattern]?.[form] : undefined;
      if (name !== undefined) return name;
    }
    if (digits?.individual_digits === true && steps.length === 2 && regex && form === "none")
      return "smollm";
    if (steps.length === 1 && regex && form === "none") return "gpt-2";
  }
  const found = JSON.stringify({ normalizer, pre_tokenizer }).slice(0, 300);
  throw invalidModel(
    `tokenizer.json cuts its text in a way that Brink does not know (${found}); it knows those ` +
      "of gpt-2, smollm, llama-bpe, qwen2 and stablelm2",
  );
}

/** Whether the template of the post-processor puts bos in front of a text. */
function addsBos({ post_processor }: TokenizerJson, bos: string | undefined): boolean {
  const steps =
    post_processor?.type === "Sequence"
      ? (post_processor.processors as Step[])
      : [post_processor ?? { type: "none" }];
  const template = steps.find(({ type }) => type === "TemplateProcessing");
  const first = (template?.single as { SpecialToken?: { id: string } }[] | undefined)?.[0];
  return bos !== undefined && first?.SpecialToken?.id === bos;
}

async function readTemplate(folder: string, said: TokenizerConfig): Promise<string | null> {
  const file = join(folder, "chat_template.jinja");
  if (existsSync(file)) return readFile(file, "utf8");
  const { chat_template } = said;
  if (typeof chat_template === "string") return chat_template;
  const named = chat_template?.find(({ name }) => name === "default") ?? chat_template?.[0];
  return named?.template ?? null;
}
