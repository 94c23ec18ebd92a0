/** Conversations that a backend is answering: leaving it throws away the prompt that it has read,
 *  which is then paid for again. */
import { CONVERSATIONS_MAX, PROMPT_CACHE_MS_MAX } from "../limits.ts";
import { COMPLETION_TOKENS_EXPECTED, type Prices } from "./target.ts";

/** What a backend holds of a conversation. */
export interface HeldPrompt {
  /** Unix ms of its last answer there. */
  at: number;
  /** Prompt tokens that the backend took from its cache, or null where it does not say. */
  cachedTokens: number | null;
}

/** Where it is remembered which conversations a backend is answering. Forgetting is harmless. */
export interface Conversations {
  find(key: string): HeldPrompt | null;
  hold(key: string, held: HeldPrompt): void;
}

/** The CONVERSATIONS_MAX last used, in this isolate alone. */
export class RecentConversations implements Conversations {
  readonly #held = new Map<string, HeldPrompt>();

  find(key: string): HeldPrompt | null {
    return this.#held.get(key) ?? null;
  }

  hold(key: string, held: HeldPrompt): void {
    this.#held.delete(key); // a Map keeps the order of insertion: the first is the longest unused
    this.#held.set(key, held);
    if (this.#held.size > CONVERSATIONS_MAX) this.#held.delete(this.#held.keys().next().value!);
  }
}

/** A turn that the edge could answer. Tokens, about. */
export interface Turn {
  /** Of everything before the last user message. */
  earlierTokens: number;
  /** Of the last user message and the passages beside it. */
  newTokens: number;
}

/** Why the conversation stays with its backend although another engine could answer; null where it
 *  need not. It stays while the prompt that the backend would have to read again costs more than
 *  answering this turn elsewhere saves: earlier x input price > new x input price + answer x output
 *  price, and without prices the same in tokens. The earlier tokens are those that the backend said
 *  it had cached, where it says, and no cache outlives PROMPT_CACHE_MS_MAX. */
export function whyStay(
  held: HeldPrompt | null,
  turn: Turn,
  prices: Prices | null,
  now: number,
): string | null {
  if (held === null || now - held.at > PROMPT_CACHE_MS_MAX) return null;
  const earlier = Math.min(turn.earlierTokens, held.cachedTokens ?? turn.earlierTokens);
  const [input, output] =
    prices === null ? [1, 1] : [prices.input_per_mtok, prices.output_per_mtok];
  const answer = prices?.completion_tokens ?? COMPLETION_TOKENS_EXPECTED;
  const lost = earlier * input;
  const gained = turn.newTokens * input + answer * output;
  if (lost <= gained) return null;
  const show = (cost: number) =>
    prices === null ? `${Math.round(cost)} tokens` : `USD ${(cost / 1e6).toPrecision(2)}`;
  return (
    "the conversation is with the backend: to read its prompt again would cost " +
    `${show(lost)}, to answer here would save ${show(gained)}`
  );
}

/** Tokens of English text in OpenAI's and most vocabularies, about. */
export function estimateTokens(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}

const CHARS_PER_TOKEN = 4;
