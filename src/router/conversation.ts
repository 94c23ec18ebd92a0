/** Conversations that a backend is answering: leaving it throws away the prompt that it has read,
 *  which is then paid for again. */
import { CONVERSATIONS_MAX, PROMPT_CACHE_MS_MAX } from "../limits.ts";
import { COMPLETION_TOKENS_EXPECTED, type Prices } from "./target.ts";

/** What a backend holds of a conversation. */
export interface HeldPrompt {
  /** As `brink.engine`. */
  engine: string;
  /** Unix ms of its last answer there. */
  at: number;
  /** Tokens, about, of the earlier messages that began its prompt: what a next prompt begins with
   *  too. */
  tokens: number;
  /** Prompt tokens that the backend took from its cache, or null where it does not say, or could
   *  not have had any. */
  cachedTokens: number | null;
}

/** Where a conversation stands after an answer. */
export interface Standing {
  /** `brink.engine` of that answer. */
  engine: string;
  /** Of the last backend that answered; null where none did. */
  held: HeldPrompt | null;
}

/** Where it is remembered how conversations stand. Forgetting is harmless. */
export interface Conversations {
  find(key: string): Promise<Standing | null>;
  hold(key: string, standing: Standing): void;
}

/** The CONVERSATIONS_MAX last used, in this isolate alone. */
export class RecentConversations {
  readonly #standings = new Map<string, Standing>();

  find(key: string): Standing | null {
    return this.#standings.get(key) ?? null;
  }

  hold(key: string, standing: Standing): void {
    const standings = this.#standings;
    standings.delete(key); // a Map keeps the order of insertion: the first is the longest unused
    standings.set(key, standing);
    if (standings.size > CONVERSATIONS_MAX) standings.delete(standings.keys().next().value!);
  }
}

/** A turn of a conversation. Tokens, about. */
export interface Turn {
  /** Of everything before the last user message. */
  earlierTokens: number;
  /** Of the last user message and the passages beside it. */
  newTokens: number;
}

/** Why the conversation stays with its backend although another engine could answer; null where it
 *  need not. It stays while the prompt that the backend would have to read again costs more than
 *  answering this turn elsewhere saves: held x input price > new x input price + answer x output
 *  price, and without prices the same in tokens. Held is what of this turn's earlier messages began
 *  the last prompt, and no more than the backend said it had cached, where it says; no cache
 *  outlives PROMPT_CACHE_MS_MAX. */
export function whyStay(
  held: HeldPrompt | null,
  turn: Turn,
  prices: Prices | null,
  now: number,
): string | null {
  if (held === null || !isFresh(held, now)) return null;
  const kept = Math.min(heldTokens(held, turn), held.cachedTokens ?? Number.POSITIVE_INFINITY);
  const [input, output] =
    prices === null ? [1, 1] : [prices.input_per_mtok, prices.output_per_mtok];
  const answer = prices?.completion_tokens ?? COMPLETION_TOKENS_EXPECTED;
  const lost = kept * input;
  const gained = turn.newTokens * input + answer * output;
  if (lost <= gained) return null;
  const show = (cost: number) =>
    prices === null ? `${Math.round(cost)} tokens` : `USD ${(cost / 1e6).toPrecision(2)}`;
  return (
    `the conversation stays with ${held.engine}: to read its prompt again would cost ` +
    `${show(lost)}, to answer here would save ${show(gained)}`
  );
}

/** What a turn cost because another engine answered the one before it. */
export interface SwitchCost {
  /** `brink.engine` of the turn before. */
  from: string;
  /** Tokens, about, of earlier turns that the backend had to read because its cache lacked them; 0
   *  at the edge, which reads no earlier turns. What a backend must read again of a conversation
   *  that left it is counted when it comes back. */
  recached_tokens: number;
  /** Null where the prices are not known. */
  usd: number | null;
}

/** Null where the conversation was not known, or the same backend, or the edge, answered twice.
 *  `engine` is `brink.engine` of this turn; `cachedTokens` what it took from its cache, or null
 *  where it does not say: then the held prompt's beginning is taken for cached. */
export function switchCost(
  before: Standing | null,
  engine: string,
  turn: Turn,
  cachedTokens: number | null,
  prices: Pick<Prices, "input_per_mtok"> | null,
  now: number,
): SwitchCost | null {
  if (before === null || placeOf(before.engine) === placeOf(engine)) return null;
  const { held } = before;
  const back = held !== null && held.engine === engine && isFresh(held, now);
  const cached = cachedTokens ?? (back ? heldTokens(held, turn) : 0);
  const toBackend = placeOf(engine) !== EDGE;
  const recached_tokens = toBackend ? Math.max(0, turn.earlierTokens - cached) : 0;
  const input = toBackend ? (prices?.input_per_mtok ?? null) : 0;
  const usd = input === null ? null : (recached_tokens * input) / 1e6;
  return { from: before.engine, recached_tokens, usd };
}

/** How the conversation stands once `engine` has answered. */
export function standingAfter(
  before: Standing | null,
  engine: string,
  turn: Turn,
  cachedTokens: number | null,
  now: number,
): Standing {
  const earlier = before?.held ?? null;
  if (placeOf(engine) === EDGE) return { engine, held: earlier };
  // Nothing cached is a finding only where there could have been something.
  const expected = earlier !== null && earlier.engine === engine && isFresh(earlier, now);
  const cached = expected && heldTokens(earlier, turn) > 0 ? cachedTokens : null;
  return { engine, held: { engine, at: now, tokens: turn.earlierTokens, cachedTokens: cached } };
}

function isFresh(held: HeldPrompt, now: number): boolean {
  return now - held.at <= PROMPT_CACHE_MS_MAX;
}

function heldTokens(held: HeldPrompt, turn: Turn): number {
  return Math.min(turn.earlierTokens, held.tokens);
}

const EDGE = "edge";

/** Engines at the edge share their place: none holds a prompt that costs money to read again. */
function placeOf(engine: string): string {
  return engine.startsWith("backend:") ? engine : EDGE;
}

/** Tokens of English text in OpenAI's and most vocabularies, about. */
export function estimateTokens(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}

const CHARS_PER_TOKEN = 4;
