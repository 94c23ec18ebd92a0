/** From an engine's pieces to OpenAI's choices and chunks. */
import type { EnginePiece, TokenLogprob, UrlCitation, Usage } from "../engine/engine.ts";
import { joinToolCalls } from "./tool-calls.ts";

interface Choice {
  text: string;
  refusal: string;
  toolCalls: unknown[];
  annotations: UrlCitation[];
  logprobs: Logprobs | null;
  finish: string;
}

/** OpenAI's `logprobs`: of the text's tokens, and of a refusal's. */
interface Logprobs {
  content: TokenLogprob[] | null;
  refusal: TokenLogprob[] | null;
}

/** Puts a whole reply together. */
export class Choices {
  readonly #choices = new Map<number, Choice>();
  #usage: Usage | undefined;

  add(piece: EnginePiece): void {
    const { index = 0, text, refusal, tool_calls, logprobs, finish_reason, usage } = piece;
    const choice = this.#choices.get(index) ?? newChoice();
    this.#choices.set(index, choice);
    choice[refusal ? "refusal" : "text"] += text;
    choice.toolCalls.push(...(tool_calls ?? []));
    choice.annotations.push(...(piece.annotations ?? []));
    if (logprobs !== undefined) choice.logprobs = addLogprobs(choice.logprobs, logprobs, refusal);
    choice.finish = finish_reason ?? choice.finish;
    this.#usage = usage ?? this.#usage;
  }

  /** The reply's `choices`, by index, and its `usage` where the engine counted. */
  done() {
    if (this.#choices.size === 0) this.add({ text: "" });
    const choices = Array.from(this.#choices.entries()).sort(([a], [b]) => a - b);
    return {
      choices: choices.map(([index, choice]) => describeChoice(index, choice)),
      ...(this.#usage === undefined ? {} : { usage: describeUsage(this.#usage) }),
    };
  }
}

function newChoice(): Choice {
  return {
    ...{ text: "", refusal: "", toolCalls: [], annotations: [] },
    ...{ logprobs: null, finish: "stop" },
  };
}

function addLogprobs(
  had: Logprobs | null,
  more: readonly TokenLogprob[],
  refusal?: true,
): Logprobs {
  const all = had ?? { content: null, refusal: null };
  const of = refusal ? "refusal" : "content";
  const tokens = all[of] ?? [];
  for (const one of more) tokens.push(one); // there may be too many to spread
  return { ...all, [of]: tokens };
}

function describeChoice(index: number, choice: Choice) {
  const { text, refusal, toolCalls, logprobs, finish } = choice;
  const calls = joinToolCalls(toolCalls);
  return {
    index,
    message: {
      role: "assistant" as const,
      content: text === "" && (calls.length > 0 || refusal !== "") ? null : text,
      refusal: refusal === "" ? null : refusal,
      ...describeAnnotations(choice),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
    logprobs,
    finish_reason: finish,
  };
}

/** OpenAI's `annotations` of a message or of a part of one; nothing where there are none. */
export function describeAnnotations({ annotations = [] }: Pick<EnginePiece, "annotations">) {
  if (annotations.length === 0) return {};
  return {
    annotations: annotations.map((url_citation) => {
      return { type: "url_citation" as const, url_citation };
    }),
  };
}

/** OpenAI's `logprobs` of a piece; null where there are none. */
export function describeLogprobs({ logprobs, refusal }: EnginePiece): Logprobs | null {
  return logprobs === undefined ? null : addLogprobs(null, logprobs, refusal);
}

/** OpenAI's `usage`: cached tokens stand where the official client looks and beside the rest. */
export function describeUsage({ cached_tokens, reasoning_tokens, ...counts }: Usage) {
  return {
    ...counts,
    ...(cached_tokens === undefined
      ? {}
      : { cached_tokens, prompt_tokens_details: { cached_tokens } }),
    ...(reasoning_tokens === undefined ? {} : { completion_tokens_details: { reasoning_tokens } }),
  };
}
