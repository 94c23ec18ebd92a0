/** The Durable Object of one key's limits: its rates, in memory, and its budget, in SQLite. Only
 *  keys that have limits have one, so no object is asked about another key's requests. */
import { DurableObject } from "cloudflare:workers";
import { assert, ServiceError } from "../errors.ts";
import {
  BUDGET_DAYS_KEPT,
  LAPSED_KEPT_MS,
  QUOTA_RETIRED_MS,
  RESERVATION_MS_MAX,
  RESERVATIONS_OPEN_MAX,
  SETTLED_KEPT_MS,
} from "../limits.ts";
import { migrate } from "./migrate.ts";
import { MinuteWindow } from "./minute-window.ts";
import { dayOf, periodOf, startOf } from "./periods.ts";
import type {
  Admission,
  Allowance,
  Budget,
  BudgetState,
  Rates,
  Reservation,
} from "./quota-types.ts";

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one.
 *  `until` is when an open reservation lapses, and when one that is not open is forgotten. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE reservations (
     id TEXT PRIMARY KEY,
     day INTEGER NOT NULL,
     nanos INTEGER NOT NULL,
     state TEXT NOT NULL,
     until INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX reservations_by_until ON reservations (until);
   CREATE INDEX reservations_open ON reservations (nanos) WHERE state = 'open';
   CREATE TABLE spent (
     day INTEGER PRIMARY KEY,
     nanos INTEGER NOT NULL,
     lapsed INTEGER NOT NULL
   );`,
];

/** Object RPC. Each method's reply comes once what it wrote is durable; each is one turn of the
 *  object, so nothing comes between the look at a limit and the count. */
export class QuotaObject extends DurableObject {
  readonly #sql: SqlStorage;
  readonly #requests = new MinuteWindow();
  readonly #tokens = new MinuteWindow();

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    state.storage.transactionSync(() => migrate(this.#sql, MIGRATIONS));
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  /** Counts a request of about so many tokens, unless a limit refuses it. A request of more tokens
   *  than the limit counts as the whole limit: it is admitted when the minute before was empty. The
   *  counts are in memory: an object that is started anew begins with an empty minute. Throws
   *  `invalid_key` once the key was revoked. */
  admit(rates: Rates, tokens: number): Admission {
    this.#refuseRetired();
    const now = this.now();
    const { requests_per_minute: r, tokens_per_minute: t } = rates;
    const counted = t === null ? 0 : Math.min(tokens, t);
    const lacksRequests = r !== null && this.#requests.sum(now) + 1 > r;
    const lacksTokens = t !== null && this.#tokens.sum(now) + counted > t;
    const refused = lacksRequests ? "requests" : lacksTokens ? "tokens" : null;
    const waits = [
      lacksRequests ? this.#requests.waitMs(now, r! - 1) : 0,
      lacksTokens ? this.#tokens.waitMs(now, t! - counted) : 0,
    ];
    if (refused === null) this.#requests.add(now, 1);
    const second = this.#tokens.add(now, refused === null ? counted : 0);
    return {
      refused,
      retry_after_ms: Math.max(...waits),
      requests: allowance(this.#requests, now, r),
      tokens: allowance(this.#tokens, now, t),
      second,
    };
  }

  /** Counts `delta` tokens more, or less, for the request that was admitted in that second. */
  correctTokens(second: number, delta: number): void {
    this.#tokens.correct(this.now(), second, delta);
  }

  /** Holds an amount for an answer, unless what is spent and held leaves less. It lapses after
   *  RESERVATION_MS_MAX, so that an isolate that vanished holds nothing for ever. The same id again
   *  holds nothing more. Throws `invalid_key` once the key was revoked, and `rate_limited` where
   *  RESERVATIONS_OPEN_MAX are held. */
  reserve(id: string, nanos: number, budget: Budget): Reservation {
    checkAmount(nanos);
    return this.ctx.storage.transactionSync(() => {
      this.#refuseRetired();
      const now = this.now();
      this.#sweep(now);
      const state = this.#state(budget.period, now);
      if (this.#find(id) !== null) return { held: true, ...state };
      if (state.spent_nanos + state.held_nanos + nanos > budget.nanos)
        return { held: false, ...state };
      const open = "SELECT count(*) AS n FROM reservations WHERE state = 'open'";
      if (Number(this.#sql.exec(open).one().n) >= RESERVATIONS_OPEN_MAX)
        throw new ServiceError(
          "rate_limited",
          `this key has ${RESERVATIONS_OPEN_MAX} answers under way, which is the most it may`,
        );
      const insert =
        "INSERT INTO reservations (id, day, nanos, state, until) VALUES (?, ?, ?, ?, ?)";
      this.#sql.exec(insert, id, dayOf(now), nanos, "open", now + RESERVATION_MS_MAX);
      return { held: true, ...state, held_nanos: state.held_nanos + nanos };
    });
  }

  /** Ends a reservation: the amount is spent, on the day on which it was reserved. Again, it does
   *  nothing; of one that lapsed, the amount is spent all the same. Whether it was known. */
  settle(id: string, nanos: number): boolean {
    checkAmount(nanos);
    return this.ctx.storage.transactionSync(() => {
      const now = this.now();
      const known = this.#find(id);
      if (known === null) return false;
      if (known.state === "settled") return true;
      const lapsed = known.state === "lapsed" ? -known.nanos : 0;
      this.#spend(known.day, nanos, lapsed);
      const update = "UPDATE reservations SET state = 'settled', until = ? WHERE id = ?";
      this.#sql.exec(update, now + SETTLED_KEPT_MS, id);
      return true;
    });
  }

  budget(period: Budget["period"]): BudgetState {
    return this.ctx.storage.transactionSync(() => {
      const now = this.now();
      this.#sweep(now);
      return this.#state(period, now);
    });
  }

  /** The key was revoked: nothing is admitted any more, and the counters go after a while. */
  async retire(): Promise<void> {
    this.#sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES ('retired', 1)");
    await this.ctx.storage.setAlarm(this.now() + QUOTA_RETIRED_MS);
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  #state(period: Budget["period"], now: number): BudgetState {
    const { first, next } = periodOf(period, now);
    const spent = "SELECT total(nanos) AS nanos, total(lapsed) AS lapsed FROM spent WHERE day >= ?";
    const { nanos, lapsed } = this.#sql.exec(spent, first ?? 0).one();
    const held = "SELECT total(nanos) AS nanos FROM reservations WHERE state = 'open'";
    return {
      spent_nanos: Number(nanos),
      held_nanos: Number(this.#sql.exec(held).one().nanos),
      lapsed_nanos: Number(lapsed),
      since: first === null ? null : startOf(first),
      resets_at: next === null ? null : startOf(next),
    };
  }

  /** Lets go of what is past its time. */
  #sweep(now: number): void {
    const late = "SELECT id, day, nanos FROM reservations WHERE state = 'open' AND until <= ?";
    for (const { id, day, nanos } of this.#sql.exec(late, now).toArray()) {
      this.#spend(Number(day), 0, Number(nanos));
      const lapse = "UPDATE reservations SET state = 'lapsed', until = ? WHERE id = ?";
      this.#sql.exec(lapse, now + LAPSED_KEPT_MS, id);
    }
    this.#sql.exec("DELETE FROM reservations WHERE state <> 'open' AND until <= ?", now);
  }

  /** Days that no period but all time can hold become one. */
  #spend(day: number, nanos: number, lapsed: number): void {
    const add = `INSERT INTO spent (day, nanos, lapsed) VALUES (?, ?, ?)
      ON CONFLICT (day) DO UPDATE SET nanos = nanos + excluded.nanos,
        lapsed = lapsed + excluded.lapsed`;
    this.#sql.exec(add, day, nanos, lapsed);
    const before = dayOf(this.now()) - BUDGET_DAYS_KEPT;
    const old = "DELETE FROM spent WHERE day > 0 AND day < ? RETURNING nanos, lapsed";
    for (const row of this.#sql.exec(old, before).toArray())
      this.#sql.exec(add, 0, Number(row.nanos), Number(row.lapsed));
  }

  #find(id: string): { state: string; day: number; nanos: number } | null {
    const select = "SELECT state, day, nanos FROM reservations WHERE id = ?";
    const row = this.#sql.exec(select, id).toArray()[0];
    if (row === undefined) return null;
    return { state: String(row.state), day: Number(row.day), nanos: Number(row.nanos) };
  }

  #refuseRetired(): void {
    const retired = "SELECT 1 FROM meta WHERE name = 'retired'";
    if (this.#sql.exec(retired).toArray().length > 0)
      throw new ServiceError("invalid_key", "the key was revoked");
  }
}

function allowance(window: MinuteWindow, now: number, limit: number | null): Allowance | null {
  if (limit === null) return null;
  const remaining = Math.max(0, limit - window.sum(now));
  return { limit, remaining, reset_ms: window.waitMs(now, 0) };
}

function checkAmount(nanos: number): void {
  assert(Number.isSafeInteger(nanos) && nanos >= 0, `an amount of ${nanos} nano-USD`);
}
