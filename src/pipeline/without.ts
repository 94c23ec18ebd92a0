/** Going on without what is not there for now. */
import { loggedOf, toldCodeOf } from "../errors.ts";
import { logEvent } from "../log-event.ts";

/** What the call gives, or what `otherwise` makes of its failure where a Worker or a store that
 *  a deployment may lack cannot be reached: `model_unavailable`, `storage_unavailable`. The log has
 *  a line of it under `event`. Throws every other failure. */
export async function unlessAway<T>(
  event: string,
  call: () => Promise<T>,
  otherwise: (failure: unknown) => T,
): Promise<T> {
  try {
    return await call();
  } catch (failure) {
    const code = toldCodeOf(failure);
    if (code !== "model_unavailable" && code !== "storage_unavailable") throw failure;
    logEvent(event, loggedOf(failure));
    return otherwise(failure);
  }
}
