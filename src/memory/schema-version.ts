/** The number that the tables of each object carry, of all classes. */
import { ServiceError } from "../errors.ts";

/** Throws `storage_too_new` for an object's tables that newer code has brought up to date: a
 *  deployment that was rolled back must not write over what it does not understand. */
export function refuseNewerSchema(stored: number, known: number): void {
  if (stored <= known) return;
  throw new ServiceError(
    "storage_too_new",
    `storage has schema ${stored}, this version of Brink knows ${known}: what it holds is left ` +
      "as it is; deploy the newer version again",
  );
}
