/** What an operator asks of the router, and what a question costs where it is sent on. */
import { ServiceError } from "../errors.ts";

export type Target =
  /** At most this share, 0..1, of the answers that the edge gives are wrong; with `confidence`,
   *  0..1, over the draw of the calibration questions, CONFIDENCE_DEFAULT where absent. */
  | { max_risk: number; confidence?: number }
  /** The share of all questions, 0..1, that a backend gets. */
  | { backend_share: number }
  /** At most this many USD for 1,000 questions, by the backend's prices. */
  | { budget_usd_per_1k: number };

export const CONFIDENCE_DEFAULT = 0.95;
export const TARGET_DEFAULT = { max_risk: 0.15 } satisfies Target;

/** What the backend charges, and how long a question and its answer are there. */
export interface Prices {
  /** USD per million tokens. */
  input_per_mtok: number;
  output_per_mtok: number;
  /** Tokens per question, means: measured, or PROMPT_TOKENS_EXPECTED and the like. */
  prompt_tokens: number;
  completion_tokens: number;
}

/** A prompt of eight passages of 200 tokens with instructions and a question, and a short answer:
 *  what a backend's question costs before any was measured. */
export const PROMPT_TOKENS_EXPECTED = 1_800;
export const COMPLETION_TOKENS_EXPECTED = 150;
export const TOKENS_EXPECTED = {
  prompt_tokens: PROMPT_TOKENS_EXPECTED,
  completion_tokens: COMPLETION_TOKENS_EXPECTED,
};

/** USD for 1,000 questions, all sent to the backend. */
export function usdPer1k(prices: Prices): number {
  const { input_per_mtok, output_per_mtok, prompt_tokens, completion_tokens } = prices;
  return (prompt_tokens * input_per_mtok + completion_tokens * output_per_mtok) / 1_000;
}

/** The greatest share of questions, 0..1, that the backend may get within a budget. Throws
 *  `invalid_request` where the prices are not known. */
export function shareWithin(budgetUsdPer1k: number, prices: Prices | null): number {
  if (prices === null)
    throw new ServiceError(
      "invalid_request",
      "a budget needs the backend's prices: set BACKEND_PRICE_INPUT_PER_MTOK and " +
        "BACKEND_PRICE_OUTPUT_PER_MTOK, in USD per million tokens",
      { param: "target.budget_usd_per_1k" },
    );
  const all = usdPer1k(prices);
  return all <= budgetUsdPer1k ? 1 : budgetUsdPer1k / all;
}
