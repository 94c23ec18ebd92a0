/** From an engine's pieces to OpenAI's choices and chunks. */
import type { EnginePiece, TokenLogprob, Usage } from "../engine/engine.ts";
import { joinToolCalls } from "./tool-calls.ts";

interface Choice {
  text: string;
  toolCalls: unknown[];
  logprobs: TokenLogprob[] | null;
  finish: string;
}

/** Puts a whole reply together. */
export class Choices {
  readonly #choices = new Map<number, Choice>();
  #usage: Usage | undefined;

  add({ index = 0, text, tool_calls, logprobs, finish_reason, usage }: EnginePiece): void {
    const empty: Choice = { text: "", toolCalls: [], logprobs: null, finish: "stop" };
    const choice = this.#choices.get(index) ?? empty;
    this.#choices.set(index, choice);
    choice.text += text;
    choice.toolCalls.push(...(tool_calls ?? []));
    if (logprobs !== undefined) choice.logprobs ??= [];
    for (const one of logprobs ?? []) choice.logprobs!.push(one); // there may be too many to spread
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

function describeChoice(index: number, { text, toolCalls, logprobs, finish }: Choice) {
  const calls = joinToolCalls(toolCalls);
  return {
    index,
    message: {
      role: "assistant" as const,
      content: text === "" && calls.length > 0 ? null : text,
      refusal: null,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
    logprobs: describeLogprobs(logprobs),
    finish_reason: finish,
  };
}

/** OpenAI's `logprobs`; null where there are none. */
export function describeLogprobs(tokens: TokenLogprob[] | null | undefined) {
  return tokens == null ? null : { content: tokens, refusal: null };
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
