/** Calls of the ledger's objects, when they may not answer. */
import { codeOf, ServiceError } from "../errors.ts";
import { LEDGER_LOG_MS, LEDGER_MS_MAX } from "../limits.ts";
import { usageLog } from "./usage-log.ts";
import { within } from "./within.ts";

/** What the call gives. Throws `ledger_unavailable` when it fails for another reason than an error
 *  of the list, or takes longer than LEDGER_MS_MAX. */
export async function reachLedger<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await within(LEDGER_MS_MAX, call);
  } catch (cause) {
    if (codeOf(cause) !== null) throw cause;
    usageLog.totals.ledger_failures++;
    throw new ServiceError(
      "ledger_unavailable",
      "the ledger of keys and limits cannot be reached, so the request is refused",
      { cause },
    );
  }
}

let loggedAt = Number.NEGATIVE_INFINITY;

/** As `reachLedger`; where the operator chose `allow` (LEDGER_UNREACHABLE), a ledger that cannot be
 *  reached gives `otherwise` instead, and the log says so, one line every LEDGER_LOG_MS. */
export async function reachOrAllow<T>(
  choice: "deny" | "allow",
  call: () => T | Promise<T>,
  otherwise: () => T,
): Promise<T> {
  try {
    return await reachLedger(call);
  } catch (error) {
    if (choice === "deny" || codeOf(error) !== "ledger_unavailable") throw error;
    usageLog.totals.ledger_allowed++;
    if (Date.now() - loggedAt >= LEDGER_LOG_MS) {
      loggedAt = Date.now();
      const { cause } = error as { cause?: unknown };
      const detail = { event: "ledger unreachable, limits not applied", cause: String(cause) };
      console.error(JSON.stringify(detail));
    }
    return otherwise();
  }
}
