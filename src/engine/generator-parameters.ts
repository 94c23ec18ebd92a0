import type { GenerateParameters } from "./generator-protocol.ts";

/** OpenAI's parameters, of the types and within the ranges that api/schema/chat.ts has checked, as
 *  the generator takes them: with every default filled in. */
export function readParameters(given: Record<string, unknown>): GenerateParameters {
  const number = (name: string, otherwise: number) => (given[name] as number) ?? otherwise;
  const stop = given.stop as string | string[] | undefined;
  return {
    n: number("n", 1),
    max_tokens: (given.max_completion_tokens ?? given.max_tokens ?? null) as number | null,
    temperature: number("temperature", 1),
    top_p: number("top_p", 1),
    top_k: number("top_k", 0),
    min_p: number("min_p", 0),
    repetition_penalty: number("repetition_penalty", 1),
    presence_penalty: number("presence_penalty", 0),
    frequency_penalty: number("frequency_penalty", 0),
    seed: (given.seed ?? null) as number | null,
    stop: stop === undefined ? [] : [stop].flat(),
    logit_bias: (given.logit_bias ?? {}) as Record<string, number>,
    logprobs: given.logprobs === true,
    top_logprobs: number("top_logprobs", 0),
    response_format: given.response_format ?? { type: "text" },
  };
}
