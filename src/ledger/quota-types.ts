/** What the object of a key's limits is asked and answers. Plain data: it crosses object RPC. */
import type { BudgetPeriod } from "./types.ts";

export interface Rates {
  /** Null: no limit. */
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
}

/** What is left of a minute's rate. */
export interface Allowance {
  limit: number;
  remaining: number;
  /** Milliseconds until all of it is there again, if nothing comes meanwhile. */
  reset_ms: number;
}

export interface Admission {
  /** Which limit refuses the request; null: it is admitted and counted. */
  refused: "requests" | "tokens" | null;
  /** Milliseconds until the request would be admitted, if nothing comes meanwhile. */
  retry_after_ms: number;
  /** Null where there is no such limit. */
  requests: Allowance | null;
  tokens: Allowance | null;
  /** By which `correctTokens` finds what was counted. */
  second: number;
}

/** An amount of money is a whole number of nano-USD: a token of a model at USD 0.01 a million is
 *  10 of them. */
export interface Budget {
  nanos: number;
  period: BudgetPeriod;
}

export interface BudgetState {
  /** Settled within the period. */
  spent_nanos: number;
  /** Held for answers under way. */
  held_nanos: number;
  /** Was held within the period by answers whose end was never told; not counted as spent. */
  lapsed_nanos: number;
  /** Unix time in ms; null where the period is all time. */
  since: number | null;
  resets_at: number | null;
}

export interface Reservation extends BudgetState {
  /** Whether the amount is held; nothing is where it would overrun the budget. */
  held: boolean;
}
