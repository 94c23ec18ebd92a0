/** Why a view that needs an admin key shows nothing. */
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { retrySession, session } from "./session.js";

/** For any session that may not look at what administrators see.
 * @param {string} forInference what an inference key's user is told */
export function explainAbsence(forInference) {
  if (session.role === "checking") return loadingNotice("Checking the key…");
  if (session.role === "inference") return emptyNotice(forInference);
  if (session.error !== null) return errorNotice(session.error, retrySession);
  return emptyNotice("Enter a key at the top of the page.");
}
