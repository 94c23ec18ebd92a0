/** How byte-level BPE cuts a text into words before it merges inside each: by the pattern with
 *  which the vocabulary was trained, which a GGUF file names in tokenizer.ggml.pre.
 *
 *  Patterns are the published ones, with two spellings of JavaScript: \s is Unicode's White_Space
 *  (JavaScript's own also takes U+FEFF and leaves U+0085), and "(?i:'s|...)" is ASCII's case alone,
 *  as in llama.cpp (Unicode's would let U+017F be an s). Every pattern matches at every position,
 *  so that the words of a text, joined, are the text, or its NFC where that is what is cut. */
import { invalidModel } from "./gguf.ts";
import { normalForm } from "./normal-form.ts";

const SPACE = String.raw`\p{White_Space}`;
const NOT_SPACE = String.raw`\P{White_Space}`;
/** A run of spaces leaves its last one to the word after it. */
const SPACE_RUN = `${SPACE}+(?!${NOT_SPACE})|${SPACE}+`;

/** Source: encoder.py of https://github.com/openai/gpt-2 */
const GPT2 =
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|` +
  String.raw` ?[^${SPACE}\p{L}\p{N}]+|${SPACE_RUN}`;

/** Source: tokenizer.py of https://github.com/meta-llama/llama3 and tokenizer.json of
 *  https://huggingface.co/Qwen/Qwen2-7B, which differ in how many digits are one word. */
function tiktokenPattern(digits: string): string {
  return (
    String.raw`'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}|` +
    String.raw` ?[^${SPACE}\p{L}\p{N}]+[\r\n]*|${SPACE}*[\r\n]+|${SPACE_RUN}`
  );
}

/** What a pre-tokenizer's name in a file says. */
export interface PreTokenizer {
  /** The words of a stretch of text without special tokens, in order. */
  words(text: string): Iterable<string>;
  /** A word that is a token is that token, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
  /** Whether prompts begin with bos when the file does not say. */
  readonly addBos: boolean;
}

class Pattern implements PreTokenizer {
  readonly ignoreMerges: boolean;
  readonly addBos: boolean;
  private readonly pattern: RegExp;
  private readonly digitsApart: boolean;
  private readonly nfc: boolean;

  constructor(
    pattern: string,
    options: { llama3?: boolean; digitsApart?: boolean; nfc?: boolean } = {},
  ) {
    this.pattern = new RegExp(pattern, "gu");
    this.digitsApart = options.digitsApart ?? false;
    this.nfc = options.nfc ?? false;
    this.ignoreMerges = this.addBos = options.llama3 ?? false;
  }

  *words(text: string): Iterable<string> {
    // A digit that stands apart is the end of what is before it: the space there is no prefix.
    const parts = this.digitsApart
      ? text.matchAll(/\p{N}|\P{N}+/gu)
      : [[this.nfc ? normalForm(text, "NFC") : text]];
    for (const [part] of parts) for (const [word] of part!.matchAll(this.pattern)) yield word;
  }
}

const gpt2 = new Pattern(GPT2);
const llama3 = new Pattern(tiktokenPattern(String.raw`\p{N}{1,3}`), { llama3: true });
const stablelm2 = new Pattern(tiktokenPattern(String.raw`\p{N}`));
/** Its tokenizer.json normalizes to NFC what lies between special tokens, which llama.cpp does not;
 *  the models were trained on what it gives. */
const qwen2 = new Pattern(tiktokenPattern(String.raw`\p{N}`), { nfc: true });
/** Source: tokenizer.json of https://huggingface.co/HuggingFaceTB/SmolLM2-135M */
const smollm = new Pattern(GPT2, { digitsApart: true });

/** By name, with the names that llama.cpp reads as the same. */
const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map<string, PreTokenizer>([
  ["gpt-2", gpt2],
  ["phi-2", gpt2],
  ["mpt", gpt2],
  ["olmo", gpt2],
  ["jais", gpt2],
  ["exaone4", gpt2],
  ["llama-bpe", llama3],
  ["llama3", llama3],
  ["llama-v3", llama3],
  ["falcon3", llama3],
  ["falcon-h1", llama3],
  ["pixtral", llama3],
  ["lfm2", llama3],
  ["smollm", smollm],
  ["starcoder", smollm],
  ["refact", smollm],
  ["command-r", smollm],
  ["codeshell", smollm],
  ["exaone", smollm],
  ["minerva-7b", smollm],
  ["qwen2", qwen2],
  ["stablelm2", stablelm2],
  ["deepseek-r1-qwen", stablelm2],
  ["megrez", stablelm2],
]);

/** The pre-tokenizer of that name. Errors: invalid_model_file, with the names that are known. */
export function preTokenizer(name: string): PreTokenizer {
  const found = PRE_TOKENIZERS.get(name);
  if (found) return found;
  const known = [...PRE_TOKENIZERS.keys()].join(", ");
  throw invalidModel(`tokenizer.ggml.pre is ${name.slice(0, 80)}; Brink knows ${known}`);
}
