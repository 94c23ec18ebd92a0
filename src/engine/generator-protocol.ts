/** What the main Worker and the generator Worker say to each other, over a service binding. A
 *  question is JSON; an answer is a status, and lines of JSON as they come (NDJSON). */
import type { ErrorCode } from "../errors.ts";
import type { ChatMessage, EnginePiece } from "./engine.ts";

/** POST /generate: pieces, a line each. */
export interface GenerateCall {
  model: string;
  /** Tokens that the KV cache shall hold, prompt and answer together. */
  context: number;
  /** Whose prompts these are: what is remembered of one scope's is never used for another's. */
  scope: string;
  messages: ChatMessage[];
  /** Passages to ground the answer on, best first: as many go into the prompt as fit. */
  hits: { title: string | null; text: string }[];
  parameters: GenerateParameters;
}

/** OpenAI's parameters, checked, and those that local servers add. */
export interface GenerateParameters {
  n: number;
  /** Null: as many as the context has room for. */
  max_tokens: number | null;
  temperature: number;
  top_p: number;
  /** 0: no limit. */
  top_k: number;
  min_p: number;
  repetition_penalty: number;
  presence_penalty: number;
  frequency_penalty: number;
  /** Null: another answer each time. */
  seed: number | null;
  stop: string[];
  /** Added to a token's logit, by its id in decimal. */
  logit_bias: Record<string, number>;
  logprobs: boolean;
  top_logprobs: number;
  /** OpenAI's, as it was sent. */
  response_format: unknown;
}

/** A line of the answer to /generate: a piece, or what broke it off. */
export type GenerateLine = EnginePiece | { error: GeneratorFailure };

/** The body of any answer that is not 200, and of a line that breaks off. */
export interface GeneratorFailure {
  code: ErrorCode;
  message: string;
  param: string | null;
}

/** GET /status: what this isolate holds. */
export interface GeneratorStatus {
  /** Null until a model was asked for. */
  loaded: LoadedModel | null;
  linear_memory_bytes: number;
}

export interface LoadedModel {
  name: string;
  context: number;
  /** Linear memory that weights, KV cache and scratch take. */
  bytes: number;
  /** Which variant of each kernel the self-timing picked. */
  kernels: Record<string, string>;
}
