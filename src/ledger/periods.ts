/** Days and months, UTC's, as the ledger counts them. */
import type { BudgetPeriod } from "./types.ts";

const DAY_MS = 24 * 60 * 60_000;

/** Days since the beginning of Unix time. */
export function dayOf(unixMs: number): number {
  return Math.floor(unixMs / DAY_MS);
}

/** `2026-11-29` of a day. */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The first day of the period that holds `unixMs`, and the first of the next; both null where the
 *  period is all time. */
export function periodOf(
  period: BudgetPeriod,
  unixMs: number,
): { first: number; next: number } | { first: null; next: null } {
  const day = dayOf(unixMs);
  if (period === "total") return { first: null, next: null };
  if (period === "day") return { first: day, next: day + 1 };
  const date = new Date(unixMs);
  const month = (ahead: number) =>
    dayOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead, 1));
  return { first: month(0), next: month(1) };
}

/** The day's first moment, Unix time in ms. */
export function startOf(day: number): number {
  return day * DAY_MS;
}
