/** What is asked of a generation and what it gives, piece by piece. */
import type { Grammar } from "./grammar.ts";
import type { Turn } from "./turns.ts";

/** How a token is chosen; sampler.ts says in which order. A field left out does nothing. */
export interface Sampling {
  /** 0 is greedy; 1 (the default) the model's own distribution. */
  readonly temperature?: number;
  /** The k most probable tokens are left; 0 is all. */
  readonly top_k?: number;
  /** The smallest set of the most probable tokens whose mass reaches this is left; 1 is all. */
  readonly top_p?: number;
  /** Tokens less probable than this share of the most probable one go; 0 is none. */
  readonly min_p?: number;
  /** Divides positive and multiplies negative logits of tokens in prompt or answer; 1 is none. */
  readonly repetition_penalty?: number;
  /** Taken from the logits of tokens that are in the answer. */
  readonly presence_penalty?: number;
  /** Taken from the logits of tokens that are in the answer, once for each time. */
  readonly frequency_penalty?: number;
  /** Added to the logits of these ids. */
  readonly logit_bias?: ReadonlyMap<number, number>;
  /** The same seed, request and model give the same answer. By default a random one. */
  readonly seed?: number;
}

export interface GenerationRequest {
  /** The prompt's ids, template and bos included, stable parts first (see prefix-cache.ts). */
  readonly prompt: readonly number[];
  /** Prompts of another scope, such as a tenant's name, are never reused for this one. */
  readonly scope: string;
  readonly sampling?: Sampling;
  /** Most tokens of each choice; by default what the context has room for. */
  readonly max_tokens?: number;
  /** Choices, generated one after the other; 1 by default. */
  readonly n?: number;
  /** The answer ends before the first of these. */
  readonly stop?: readonly string[];
  /** How many alternatives to report for each token, 0 to 20; undefined for no logprobs. */
  readonly top_logprobs?: number;
  /** What the answer is held to, from `Generator.grammar`; not with `stop`. */
  readonly grammar?: Grammar | null;
  /** Whether prompt-lookup speculation may be used; true by default. Never changes the answer. */
  readonly speculate?: boolean;
  /** The caller's turn, where the caller gives turns at this model; by default the generator
   *  does. */
  readonly turn?: Turn;
  readonly signal?: AbortSignal;
}

export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: number[];
}

/** A token's natural-log probability in the model's own distribution: before bias, penalties,
 *  temperature and whatever else constrains the choice. */
export interface ChosenLogprob extends TokenLogprob {
  readonly top_logprobs: TokenLogprob[];
}

/** `stop`: the model ended, or a stop string did. `length`: max_tokens or the context did. */
export type FinishReason = "stop" | "length";

export interface GenerationUsage {
  readonly prompt_tokens: number;
  /** Of all choices, the tokens that ended them included. */
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Tokens of the prompt whose keys and values were there already. */
  readonly cached_tokens: number;
}

export interface GenerationStats {
  /** Tokens that prompt lookup proposed, and those of them that the model chose too. */
  readonly drafted: number;
  readonly accepted: number;
  /** Calls of the model after the prompt. */
  readonly steps: number;
}

/** A part of an answer. Texts of one index joined are that choice. */
export interface GenerationPiece {
  readonly index: number;
  readonly text: string;
  readonly logprobs?: ChosenLogprob[];
  /** On a choice's last piece, else null. */
  readonly finish_reason: FinishReason | null;
  /** On the last piece of the last choice. */
  readonly usage?: GenerationUsage;
  readonly stats?: GenerationStats;
}
