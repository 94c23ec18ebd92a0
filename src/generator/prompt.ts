/** A question to the generator as the ids of its model's prompt. */
import type { ChatMessage } from "../engine/engine.ts";
import type { GenerateCall } from "../engine/generator-protocol.ts";
import { ServiceError } from "../errors.ts";
import { ENCODE_TOKENS_MAX, EVIDENCE_TOKENS_MAX, GENERATOR_ANSWER_TOKENS } from "../limits.ts";
import type { SearchHit } from "../memory/types.ts";
import { encodeChat } from "../model/chat-template.ts";
import type { Decoder } from "../model/decoder.ts";
import { TooLong } from "../model/vocabulary.ts";
import { buildPrompt, INSTRUCTION } from "../pipeline/prompt.ts";

/** A blank line between two blocks, whatever it is merged with. */
const SEPARATOR_TOKENS = 2;

type TextMessage = { role: string; content: string };

/** The prompt's ids and how many of the call's passages it holds: as many as leave room, in the
 *  model's context, for the conversation and an answer. Errors: context_length_exceeded where the
 *  conversation alone is too long, unsupported_parameter for messages that are not text. */
export function buildIds(
  { tokenizer, template, context_length }: Decoder,
  { messages, hits, parameters }: GenerateCall,
): { ids: number[]; passages: number } {
  const count = (text: string) => tokenizer.encode(text).length;
  const encode = (conversation: readonly ChatMessage[]) =>
    encodeChat(tokenizer, template, joinSystem(conversation.map(textOf)));
  const bare = encodeOrRefuse(() => encode(messages), context_length);
  const answer = Math.min(
    parameters.max_tokens ?? GENERATOR_ANSWER_TOKENS,
    Math.floor(context_length / 4),
  );
  const room = context_length - bare.length - answer - count(INSTRUCTION) - SEPARATOR_TOKENS;
  const prompt = buildPrompt(
    messages,
    hits as SearchHit[], // of which only title and text are read
    (block) => count(block) + SEPARATOR_TOKENS,
    { tokensMax: Math.min(room, EVIDENCE_TOKENS_MAX), place: "first" },
  );
  if (prompt.passages.length === 0) return { ids: bare, passages: 0 };
  return { ids: encode(prompt.messages), passages: prompt.passages.length };
}

/** The conversation's ids. Throws context_length_exceeded where they fill the context, and where
 *  there are so many that counting was given up. */
function encodeOrRefuse(encode: () => number[], contextLength: number): number[] {
  const refuse = (tokens: string): never => {
    const message = `the conversation has ${tokens} tokens, the model's context ${contextLength}`;
    throw new ServiceError("context_length_exceeded", message, { param: "messages" });
  };
  try {
    const ids = encode();
    return ids.length < contextLength ? ids : refuse(`${ids.length}`);
  } catch (error) {
    if (error instanceof TooLong) return refuse(`more than ${ENCODE_TOKENS_MAX}`);
    throw error;
  }
}

function textOf({ role, content, tool_calls }: ChatMessage): TextMessage {
  const parts = typeof content === "string" ? [{ type: "text", text: content }] : (content ?? []);
  const other = parts.find(({ type }) => type !== "text");
  if (role === "tool" || tool_calls != null || other !== undefined)
    throw new ServiceError(
      "unsupported_parameter",
      `the generator reads text: it takes no ${other?.type ?? "tool calls"}`,
      { param: "messages" },
    );
  const text = parts.map((part) => String(part.text)).join("\n");
  return { role: role === "developer" ? "system" : role, content: text };
}

/** System messages that follow each other become one: templates know one, at the start. */
function joinSystem(messages: readonly TextMessage[]): TextMessage[] {
  const joined: TextMessage[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (last?.role === "system" && message.role === "system")
      last.content += `\n\n${message.content}`;
    else joined.push({ ...message });
  }
  return joined;
}
