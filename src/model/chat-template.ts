/** A conversation as a decoder's prompt: by the template in the model's file
 *  (tokenizer.chat_template), in which only the template can write control tokens. */
import { BoundedTemplate } from "./bounded-jinja.ts";
import { invalidModel, type Metadata } from "./gguf.ts";
import { stringOf } from "./metadata.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A message as templates see it: beside role and content, tool_calls and what else they name. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string | null;
  readonly [key: string]: unknown;
}

export interface RenderOptions {
  /** Whether the prompt ends where the assistant's reply begins. True by default. */
  readonly addGenerationPrompt?: boolean;
  /** Functions that the model may call, as JSON schemas. */
  readonly tools?: readonly unknown[];
  /** What else the template reads, such as enable_thinking or date_string. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The time that strftime_now gives, in UTC; by default the present. */
  readonly now?: Date;
}

/** A stretch of text, in which nothing is a control token, or the id of a control token. */
export type Segment = string | number;

/** A template without a file's: of ChatML, whose tokens many vocabularies have. */
const CHATML =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n" +
  "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
/** For base models, which know no roles: lines that a text might have. */
const PLAIN =
  "{% for message in messages %}{{ message.role }}: {{ message.content }}\n" +
  "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

/** Stand around the id of a control token in what a template is made of and in what it makes.
 *  Both are noncharacters, which Unicode keeps for such use; texts lose them before rendering. */
const OPEN = "\ufdd0";
const CLOSE = "\ufdd1";
const MARK = /\ufdd0(\d+)\ufdd1/;

/** A control token that is a word is no mark: a template also compares with words. */
const PLAIN_WORD = /^\w*$/;

/** Replaced, so that whatever a template does to a text, it holds no mark. */
function unmarked(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/[\ufdd0\ufdd1]/g, "\ufffd");
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [unmarked(key), unmarked(item)]),
  );
}

export class ChatTemplate {
  /** Where the template is from: the model's file, or Brink where that has none. */
  readonly source: "file" | "chatml" | "plain";
  private readonly template: BoundedTemplate;
  private readonly specials: Readonly<Record<string, string>>;

  private constructor(source: ChatTemplate["source"], text: string, tokenizer: Tokenizer) {
    const marks = new Map<string, string>();
    for (const [id, token] of tokenizer.controls) marks.set(token, `${OPEN}${id}${CLOSE}`);
    const texts = [...marks.keys()].filter((token) => !PLAIN_WORD.test(token));
    const escaped = texts
      .sort((a, b) => b.length - a.length)
      .map((token) => token.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
    const pattern = escaped.length > 0 ? new RegExp(escaped.join("|"), "gu") : null;
    this.source = source;
    this.template = new BoundedTemplate(text, (part) =>
      pattern ? part.replace(pattern, (token) => marks.get(token)!) : part,
    );
    const mark = (id: number | null) =>
      id !== null && tokenizer.controls.has(id) ? `${OPEN}${id}${CLOSE}` : "";
    this.specials = { bos_token: mark(tokenizer.bos), eos_token: mark(tokenizer.eosToken) };
  }

  /** The template of a model's file; without one, ChatML where the vocabulary has its tokens, else
   *  lines of "role: content". Errors: invalid_model_file, naming what is not supported. */
  static from(metadata: Metadata, tokenizer: Tokenizer): ChatTemplate {
    const key = "tokenizer.chat_template";
    if (metadata.has(key)) {
      const template = new ChatTemplate("file", stringOf(metadata, key), tokenizer);
      template.refuseBuiltTokens(tokenizer);
      return template;
    }
    const texts = new Set(tokenizer.controls.values());
    return texts.has("<|im_start|>") && texts.has("<|im_end|>")
      ? new ChatTemplate("chatml", CHATML, tokenizer)
      : new ChatTemplate("plain", PLAIN, tokenizer);
  }

  /** Refuses a template that writes a control token as '<|' + role + '|>': its parts are text here,
   *  and a model that is prompted with text in its place answers badly, which nobody would see. */
  private refuseBuiltTokens(tokenizer: Tokenizer): void {
    const roles = ["user", "assistant", "user"].map((role) => ({ role, content: "a" }));
    for (const messages of [
      roles.slice(0, 1),
      roles,
      [{ role: "system", content: "a" }, ...roles],
    ]) {
      let segments: Segment[];
      try {
        segments = this.render(messages);
      } catch {
        continue; // it may want other messages, and says so when it gets them
      }
      const text = segments.filter((segment) => typeof segment === "string").join("\n");
      for (const token of tokenizer.controls.values())
        if (!PLAIN_WORD.test(token) && text.includes(token))
          throw invalidModel(`the chat template makes the control token ${token} out of parts`);
    }
  }

  /** The prompt. Control tokens come from the template's own text alone: what messages and tools
   *  say stays text, whatever the template does with it. Errors: invalid_request where the template
   *  refuses the messages or exceeds a bound; invalid_model_file where it cannot run. */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): Segment[] {
    const { addGenerationPrompt = true, tools, variables = {}, now = new Date() } = options;
    const text = this.template.render(
      {
        ...(unmarked(variables) as Record<string, unknown>),
        ...this.specials,
        messages: unmarked(messages),
        tools: tools && tools.length > 0 ? unmarked(tools) : null,
        add_generation_prompt: addGenerationPrompt,
      },
      now,
    );
    // Of what split gives, every second piece is the id in a mark.
    return text
      .split(MARK)
      .map((part, i) => (i % 2 === 1 ? Number(part) : part))
      .filter((part) => part !== "");
  }
}

/** The ids of a prompt: bos first where the model's file asks for it, and once where the template
 *  writes it too. Errors: as ChatTemplate.render; invalid_request past `tokensMax` tokens. */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions & { tokensMax?: number } = {},
): number[] {
  const segments = template.render(messages, options);
  const ids = tokenizer.addBos && segments[0] !== tokenizer.bos ? [tokenizer.bos!] : [];
  return tokenizer.encodeSegments(segments, ids, options.tokensMax);
}
