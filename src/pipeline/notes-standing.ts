/** What an answer hangs on besides its question: only one that hangs on nothing else is worth
 *  keeping for whoever asks the same. */
import { SEARCH_K_DEFAULT } from "../limits.ts";
import type { AnswerRequest, MemoryChoice } from "./types.ts";

/** `alone`: the question is all there was. `instructed`: behind system messages, which could have
 *  the engine say anything, or with a search or sampling out of the ordinary, by which it can be
 *  led astray until it says what somebody wants. `dependent`: on earlier turns, a filter, or
 *  parameters that shape the text. */
export type Standing = "alone" | "instructed" | "dependent";

/** Parameters that leave what is said to the engine. */
const HARMLESS = new Set([
  ..."temperature top_p top_k min_p seed max_tokens max_completion_tokens user".split(" "),
  ..."presence_penalty frequency_penalty repetition_penalty store metadata".split(" "),
  ..."safety_identifier prompt_cache_key".split(" "),
]);

export function standingOf({ messages, memory, parameters }: AnswerRequest): Standing {
  const spoken = messages.filter(({ role }) => role !== "system" && role !== "developer");
  const text = typeof spoken[0]?.content === "string";
  if (spoken.length !== 1 || !text || memory === null || memory.filter !== null) return "dependent";
  if (Object.keys(parameters).some((name) => !HARMLESS.has(name))) return "dependent";
  const plain = !isWild(parameters) && !isMisled(memory);
  return spoken.length === messages.length && plain ? "alone" : "instructed";
}

/** Whether likely words are held back or unlikely ones favoured. */
function isWild(parameters: Record<string, unknown>): boolean {
  const { temperature, presence_penalty, frequency_penalty, repetition_penalty } = parameters;
  const neutral = { presence_penalty: 0, frequency_penalty: 0, repetition_penalty: 1 };
  const given = { presence_penalty, frequency_penalty, repetition_penalty };
  const bent = Object.entries(neutral).some(
    ([name, value]) => (given[name as keyof typeof given] ?? value) !== value,
  );
  return bent || Number(temperature ?? 1) > 1;
}

/** Whether less or other is looked for than by default: what is not asked for is left out. */
function isMisled({ namespace: _, filter: __, k, mode, ...others }: MemoryChoice): boolean {
  return k < SEARCH_K_DEFAULT || mode !== "hybrid" || Object.keys(others).length > 0;
}
