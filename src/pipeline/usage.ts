/** What answers cost: the one place that knows which engine charges what. Amounts are whole
 *  nano-USD, rounded up, so that no use is free by rounding. */
import { utf8Length } from "../../index/bytes.ts";
import type { Engine, EngineRequest, Usage } from "../engine/engine.ts";
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

/** What the engine charges, USD per million tokens; null where that is not known, as of `backend`,
 *  which any may answer for. The edge's own cost nothing unless EDGE_PRICE_* say otherwise. */
export function pricesOf(list: PriceList, engineId: string): BackendPrices | null {
  const isBackend = engineId === "backend" || engineId.startsWith("backend:");
  return isBackend ? backendPrices(list.backends, engineId) : list.edgePrices;
}

/** What the dearest of those charges that may answer for the engine; null where one's prices are
 *  not known. */
export function dearestOf(list: PriceList, engine: Engine): BackendPrices | null {
  const ids = (engine.members ?? [engine]).map(({ id }) => id);
  return dearestPrices(ids.map((name) => ({ name, prices: pricesOf(list, name) })));
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
export function mostTokens(request: EngineRequest): Tokens {
  const { tools, n } = request.parameters;
  const preamble = Array.isArray(tools) && tools.length > 0 ? TOOLS_PREAMBLE_TOKENS : 0;
  const { bytes, parts } = sizeOf(request);
  const answers = typeof n === "number" ? n : 1;
  return {
    prompt_tokens: bytes + parts * PART_TOKENS_MAX + preamble,
    completion_tokens: answers * (answerBound(request.parameters) ?? BUDGET_ANSWER_TOKENS),
  };
}

/** What the engine reads: the bytes of the texts, tools and schemas, and how many parts are others
 *  than text. A refusal is text. */
function sizeOf({ messages, parameters }: EngineRequest): { bytes: number; parts: number } {
  let parts = 0;
  const texts = messages.map((message) => {
    if (!Array.isArray(message.content)) return message;
    const content = message.content.filter(({ type }) => TEXT_PARTS.includes(type));
    parts += message.content.length - content.length;
    return { ...message, content };
  });
  return { bytes: utf8Length(JSON.stringify({ ...parameters, messages: texts })), parts };
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

/** What an answer took whose engine did not say, or was left before it could: a token for each
 *  BYTES_PER_TOKEN bytes of all that the engine reads and of `answerBytes`, and PART_TOKENS_MAX for
 *  a part of another kind than text. Whoever leaves early must not pay less for it than who stays:
 *  a budget would bound nothing. */
export function guessTokens(request: EngineRequest, answerBytes: number): Tokens {
  const { bytes, parts } = sizeOf(request);
  return {
    prompt_tokens: Math.ceil(bytes / BYTES_PER_TOKEN) + parts * PART_TOKENS_MAX,
    completion_tokens: Math.ceil(answerBytes / BYTES_PER_TOKEN),
  };
}

/** Fields by which providers choose another model or sell what is not paid by the token, and by
 *  which servers are told of more or longer answers than `max_tokens` says: llama.cpp's `n_predict`
 *  goes before it, others of these are vLLM's, Ollama's and of Hugging Face's libraries. */
const UNPRICED = [
  ...["models", "fallbacks", "provider", "preset", "route", "plugins", "transforms"],
  ...["web_search_options", "search_parameters"],
  ...["n_predict", "num_predict", "max_new_tokens", "max_output_tokens", "max_length"],
  ...["best_of", "use_beam_search", "num_return_sequences", "n_cmpl"],
];
const PRICED_TIERS = ["auto", "default", "flex"];
const PRICED_TOOLS = ["function", "custom"];

const TEXT_PARTS = ["text", "refusal"];
/** Files, sounds and films have as many tokens as they are long: nothing can be held for them. */
const PRICED_PARTS = [...TEXT_PARTS, "image_url"];

/** What of the request the configured prices say nothing of: the parameter and, in words, what of
 *  it; null where there is nothing. */
export function unpricedOf(request: EngineRequest): { param: string; what: string } | null {
  const parts = request.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const part = parts.find(({ type }) => !PRICED_PARTS.includes(type));
  if (part !== undefined) return { param: "messages", what: `a content part of type ${part.type}` };
  const param = unpricedParameter(request.parameters);
  return param === null ? null : { param, what: param };
}

function unpricedParameter(parameters: Record<string, unknown>): string | null {
  const { service_tier: tier, tools } = parameters;
  if (tier != null && !PRICED_TIERS.includes(tier as string)) return "service_tier";
  const other = (tool: unknown) => {
    const { type } = (tool ?? {}) as { type?: unknown };
    return !PRICED_TOOLS.includes(type as string);
  };
  if (Array.isArray(tools) && tools.some(other)) return "tools";
  return UNPRICED.find((name) => parameters[name] != null) ?? null;
}
