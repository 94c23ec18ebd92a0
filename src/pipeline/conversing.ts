/** An answer as a turn of its conversation. */
import { EVIDENCE_TOKENS_MAX } from "../limits.ts";
import type { SearchHit } from "../memory/types.ts";
import {
  type Conversations,
  estimateTokens,
  type Standing,
  standingAfter,
  switchCost,
  type Turn,
  whyStay,
} from "../router/conversation.ts";
import type { Prices } from "../router/target.ts";
import { type ConversationKeys, conversationKeys, textChars } from "./conversations.ts";
import type { Tap } from "./tap.ts";
import type { AnswerRequest, AnswerStream, BrinkReport } from "./types.ts";

export interface Conversing {
  keys: ConversationKeys;
  /** How the conversation stood; null where it is new, or forgotten. */
  before: Standing | null;
}

/** What is remembered of the request's conversation. */
export async function findConversation(
  conversations: Conversations,
  request: AnswerRequest,
): Promise<Conversing> {
  const keys = conversationKeys(request);
  const before = keys.before === null ? null : await conversations.find(keys.before);
  return { keys, before };
}

/** The hits stand beside the last user message, as many as fit a prompt. */
export function turnOf({ messages }: AnswerRequest, hits: readonly SearchHit[]): Turn {
  const last = messages.findLastIndex(({ role }) => role === "user");
  const earlier = messages.slice(0, last).reduce((sum, message) => sum + textChars(message), 0);
  const evidence = hits.reduce((sum, { text }) => sum + estimateTokens(text.length), 0);
  return {
    earlierTokens: estimateTokens(earlier),
    newTokens: estimateTokens(textChars(messages[last]!)) + Math.min(evidence, EVIDENCE_TOKENS_MAX),
  };
}

/** Of an engine, by `brink.engine`; null where they are not known. */
export type PricesOf = (engine: string) => Prices | null;

/** The backend that the conversation stays with, and why; null where it need not. */
export function findStay(
  { before }: Conversing,
  turn: Turn,
  pricesOf: PricesOf,
): { engine: string; why: string } | null {
  const held = before?.held ?? null;
  if (held === null) return null;
  const why = whyStay(held, turn, pricesOf(held.engine), Date.now());
  return why === null ? null : { engine: held.engine, why };
}

/** What remembers who answered, and the stream's report, which tells of a switch. */
export function conversed(
  { keys, before }: Conversing,
  turn: Turn,
  stream: AnswerStream,
  conversations: Conversations,
  pricesOf: PricesOf,
): { tap: Tap; report: () => BrinkReport } {
  let cachedTokens: number | null = null;
  let began = false;
  const tap: Tap = {
    piece: ({ usage }) => {
      began = true;
      cachedTokens = usage?.cached_tokens ?? cachedTokens;
    },
    ended: () => {
      if (!began) return;
      const { engine } = stream.report();
      conversations.hold(keys.now, standingAfter(before, engine, turn, cachedTokens, Date.now()));
    },
  };
  const report = () => {
    const told = stream.report();
    const { engine } = told;
    const cost = switchCost(before, engine, turn, cachedTokens, pricesOf(engine), Date.now());
    return cost === null ? told : { ...told, switched: true as const, switch_cost: cost };
  };
  return { tap, report };
}
