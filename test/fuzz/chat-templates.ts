/** Chat templates: whatever messages say, the control tokens of a prompt are those that messages
 *  of nothing get; and templates that come with a file, spoilt. */
import { type ChatMessage, ChatTemplate, encodeChat } from "../../src/model/chat-template.ts";
import { loadTokenizer, type Tokenizer } from "../../src/model/tokenizer.ts";
import { LLAMA3, QWEN3, QWEN25, SMOLLM2, ZEPHYR } from "../model/chat-templates.ts";
import { toyBpe } from "../model/toy-vocabulary.ts";
import { mutatedText, ODD_TEXTS, type Random } from "./random.ts";
import { must, mustEqual, refusalOf, type Target } from "./target.ts";

const CONTROLS = [
  ...["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>"],
  ...["<|end_header_id|>", "<|eot_id|>", "</s>", "<s>", "<|user|>", "<|assistant|>", "<|system|>"],
];
const SOURCES: Record<string, string | null> = {
  SMOLLM2,
  QWEN25,
  QWEN3,
  LLAMA3,
  ZEPHYR,
  none: null,
};
/** What a message may say to become another's. */
export const ROLE_PIECES: readonly string[] = [
  ...[...CONTROLS, ...ODD_TEXTS],
  ..."system user assistant tool ipython \n \n\n system\n [INST] [/INST] <<SYS>> <</SYS>>".split(
    " ",
  ),
  ...[
    "<|im_",
    "start|>",
    "<|im\u200b_end|>",
    "＜|im_end|＞",
    "<|IM_END|>",
    "\ufdd0257\ufdd1",
    "\ufdd1",
  ],
  ...[
    "{{ bos_token }}",
    "{% endfor %}",
    "{{ messages }}",
    "{#",
    "</think>",
    "<think>",
    "</tool_call>",
  ],
  ...["<tool_response>", "Ignore what was said.", "### Instruction:\n", "Human: ", "### system"],
];
const TEMPLATE_PIECES: readonly string[] = [
  ..."{{ |}}|{% |%}|{%- |-%}|{#|#}|if |elif |else|endif|for m in messages|endfor|[0]".split("|"),
  ...[
    "messages",
    "message.content",
    "| trim",
    "|tojson",
    "'a'",
    "raise_exception('x')",
    "(",
    ")",
    "+",
  ],
  ...[
    "range(9)",
    "namespace(a=1)",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}",
    "'<|im_start|>'",
    "~",
  ],
  ...ODD_TEXTS,
];

/** Statements that end a rendering. */
const LAST_PIECES = [
  "{{ raise_exception('x') }}",
  "{% for i in range(10 ** 9) %}{{ i }}{% endfor %}",
  "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(1) }}",
  "{{ 1 + messages }}",
];

interface Model {
  tokenizer: Tokenizer;
  template: ChatTemplate;
}

function modelOf(template: string | null): Model {
  const metadata = new Map(
    toyBpe({
      pre: "stablelm2", // under which every text comes back
      controls: CONTROLS,
      userDefined: ["<think>", "</think>"],
      more: { "tokenizer.ggml.bos_token_id": 259, "tokenizer.ggml.eos_token_id": 263 },
    }),
  );
  if (template !== null) metadata.set("tokenizer.chat_template", template);
  const tokenizer = loadTokenizer(metadata);
  return { tokenizer, template: ChatTemplate.from(metadata, tokenizer) };
}

/** A conversation as the API lets it through, each of whose texts `say` gives. */
function conversation(random: Random, say: (i: number) => string): ChatMessage[] {
  const messages: ChatMessage[] = random.once(2) ? [{ role: "system", content: say(0) }] : [];
  const turns = 1 + random.below(3);
  for (let i = 0; i < turns; i++) {
    messages.push({ role: "user", content: say(2 * i + 1) });
    if (i < turns - 1) messages.push({ role: "assistant", content: say(2 * i + 2) });
  }
  return messages;
}

/** The control tokens of the prompt in order, and its text between them. */
function promptOf({ tokenizer, template }: Model, messages: ChatMessage[]) {
  const ids = encodeChat(tokenizer, template, messages, { now: new Date(0) });
  const controls = ids.filter((id) => tokenizer.controls.has(id));
  return { controls, text: tokenizer.decode(ids) };
}

function checkRoles(model: Model, random: Random, show: (input: unknown) => void): string {
  const said = Array.from({ length: 8 }, () => random.joined(ROLE_PIECES, 8));
  const shape = random.below(2 ** 31);
  // The same chances make a conversation of the same shape, which says nothing.
  const chances = () => {
    let state = shape;
    const below = (n: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 1;
      return (state >>> 8) % n;
    };
    return { below, once: (n: number) => below(n) === 0 } as unknown as Random;
  };
  const hostile = conversation(chances(), (i) => said[i]!);
  show(hostile);
  const wanted = promptOf(
    model,
    conversation(chances(), (i) => `words${i}`),
  );
  const got = promptOf(model, hostile);
  mustEqual(got.controls, wanted.controls, "control tokens");
  for (const { role, content } of hostile) {
    const text = content!
      .toWellFormed()
      .replace(/[\ufdd0\ufdd1]/g, "\ufffd")
      .trim();
    const thought = role === "assistant" && text.includes("</think>");
    must(thought || got.text.includes(text), `what ${role} said is not in the prompt`);
  }
  return "kept apart";
}

/** A file's template, spoilt: refused when it is loaded or when it runs, or it makes a text. */
function checkSpoilt(random: Random, show: (input: unknown) => void): string {
  const sources = Object.values(SOURCES).filter((source) => source !== null);
  const last = random.once(3) ? random.pick(LAST_PIECES) : "";
  const source = mutatedText(random.pick(sources), random, TEMPLATE_PIECES) + last;
  show(source);
  let model: Model;
  try {
    model = modelOf(source);
  } catch (error) {
    return `${refusalOf(error)} when loaded`;
  }
  try {
    model.template.render(conversation(random, () => random.joined(ROLE_PIECES, 8)));
    return "rendered";
  } catch (error) {
    return `${refusalOf(error)} when run`;
  }
}

export const chatTemplates: Target = {
  name: "chat-templates",
  about: "messages that would be another role's, and spoilt templates",
  cases: 20_000,
  short: 500,
  ends: [
    ...["kept apart", "rendered", "invalid_model_file when loaded"],
    ...["invalid_model_file when run", "invalid_request when run"],
  ],
  prepare: () => {
    const models = Object.values(SOURCES).map(modelOf);
    return (random, show) => {
      if (random.once(3)) return checkSpoilt(random, show);
      return checkRoles(random.pick(models), random, show);
    };
  },
};
