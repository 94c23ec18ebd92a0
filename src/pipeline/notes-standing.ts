/** What an answer hangs on besides its question: only one that hangs on nothing else is worth
 *  keeping for whoever asks the same. */
import type { AnswerRequest } from "./types.ts";

/** `alone`: the question is all there was. `instructed`: behind system messages, which could have
 *  the engine say anything. `dependent`: on earlier turns, a filter, or parameters that shape the
 *  text. */
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
  return spoken.length === messages.length ? "alone" : "instructed";
}
