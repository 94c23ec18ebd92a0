/** OpenAI's parameters, of the types and within the ranges that api/schema/chat.ts has checked, as
 *  the generator takes them: with every default filled in. */
import { ServiceError } from "../errors.ts";
import type { GenerateParameters, ResponseFormat } from "./generator-protocol.ts";

/** Throws `unsupported_parameter` for a response_format that generation does not know. */
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
    response_format: readFormat(given.response_format),
  };
}

function readFormat(value: unknown): ResponseFormat {
  const format = (value ?? { type: "text" }) as {
    type: string;
    json_schema?: { schema?: unknown };
  };
  if (format.type === "text" || format.type === "json_object") return { type: format.type };
  if (format.type === "json_schema")
    return { type: "json_schema", schema: format.json_schema?.schema ?? {} };
  throw new ServiceError(
    "unsupported_parameter",
    `response_format ${JSON.stringify(format.type)} is none of text, json_object, json_schema`,
    { param: "response_format" },
  );
}
