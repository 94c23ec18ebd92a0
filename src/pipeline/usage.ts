/** What answers cost: the one place that knows which engine charges what. Amounts are whole
 *  nano-USD, rounded up, so that no use is free by rounding. */
import { utf8Length } from "../../index/bytes.ts";
import type { EngineRequest, Usage } from "../engine/engine.ts";
import type { BackendPrices, Config } from "../env.ts";
import { pricesOf as backendPrices, dearestPrices, type Priced } from "../env-backends.ts";
import {
  BUDGET_ANSWER_TOKENS,
  BYTES_PER_TOKEN,
  PART_TOKENS_MAX,
  TOOLS_PREAMBLE_TOKENS,
} from "../limits.ts";

export const NANOS_PER_USD = 1e9;
const NANOS_PER_USD_MTOK = NANOS_PER_USD / 1e6;

export type PriceList = Pick<Config, "edgePrices"> & { backends: readonly Priced[] };
export type Tokens = Pick<Usage, "prompt_tokens" | "completion_tokens">;

/** What the engine charges, USD per million tokens; null where that is not known. Of `backend`, any
 *  of which may answer, the dearest. The edge's own engines cost nothing unless EDGE_PRICE_* say
 *  otherwise. */
export function pricesOf(list: PriceList, engineId: string): BackendPrices | null {
  if (engineId === "backend") return dearestPrices(list.backends);
  return engineId.startsWith("backend:") ? backendPrices(list.backends, engineId) : list.edgePrices;
}

/** What an answer costs, in nano-USD; null where the engine's prices are not known. */
export function priceOf(list: PriceList, engineId: string, tokens: Tokens): number | null {
  const prices = pricesOf(list, engineId);
  return prices === null ? null : nanosOf(prices, tokens);
}

export function nanosOf(prices: BackendPrices, tokens: Tokens): number {
  const usdMtok =
    tokens.prompt_tokens * prices.input_per_mtok +
    tokens.completion_tokens * prices.output_per_mtok;
  return Math.max(0, Math.ceil(usdMtok * NANOS_PER_USD_MTOK - ROUNDING));
}

/** 3 x 0.1 is a little more than 0.3, which must not make it a nano-USD more. */
const ROUNDING = 1e-6;

export function sum(all: readonly Tokens[]): Tokens {
  return all.reduce((a, b) => ({
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
  }));
}

/** How many tokens the request and its answers can have at most. A token of a byte-level
 *  vocabulary, as all in use are, stands for a byte at least, and the JSON of the messages has more
 *  bytes than any provider's template adds. Parts of other kinds than text count PART_TOKENS_MAX
 *  each. */
export function mostTokens({ messages, parameters }: EngineRequest): Tokens {
  let parts = 0;
  const texts = messages.map((message) => {
    if (!Array.isArray(message.content)) return message;
    const content = message.content.filter(({ type }) => type === "text");
    parts += message.content.length - content.length;
    return { ...message, content };
  });
  const { tools, n } = parameters;
  const preamble = Array.isArray(tools) && tools.length > 0 ? TOOLS_PREAMBLE_TOKENS : 0;
  const bytes = utf8Length(JSON.stringify({ ...parameters, messages: texts }));
  const answers = typeof n === "number" ? n : 1;
  return {
    prompt_tokens: bytes + parts * PART_TOKENS_MAX + preamble,
    completion_tokens: answers * (answerBound(parameters) ?? BUDGET_ANSWER_TOKENS),
  };
}

/** The greater of the request's own bounds of an answer's tokens; null where it has none. */
function answerBound({ max_tokens, max_completion_tokens }: Record<string, unknown>) {
  const bounds = [max_tokens, max_completion_tokens].filter((bound) => typeof bound === "number");
  return bounds.length === 0 ? null : Math.max(...bounds);
}

/** The parameters with a bound of the answer, which a budget needs. */
export function withBound(parameters: Record<string, unknown>): Record<string, unknown> {
  if (answerBound(parameters) !== null) return parameters;
  return { ...parameters, max_tokens: BUDGET_ANSWER_TOKENS };
}

/** What an answer took whose engine did not say, or was left before it could: some BYTES_PER_TOKEN
 *  characters a token. Parts of other kinds than text are not counted. */
export function guessTokens({ messages }: EngineRequest, answerChars: number): Tokens {
  const chars = messages.reduce((sum, { content }) => sum + textChars(content), 0);
  return {
    prompt_tokens: Math.ceil(chars / BYTES_PER_TOKEN),
    completion_tokens: Math.ceil(answerChars / BYTES_PER_TOKEN),
  };
}

function textChars(content: EngineRequest["messages"][number]["content"]): number {
  if (content === null) return 0;
  if (typeof content === "string") return content.length;
  return content.reduce((sum, { text }) => sum + (typeof text === "string" ? text.length : 0), 0);
}
