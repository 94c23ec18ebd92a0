import { ServiceError } from "./errors.ts";

/** A variable as wrangler hands it over: without quotes in `[vars]` a number stays one. */
export type NumberVariable = string | number;

/** Its number; null where it is absent or blank, NaN where it is none. */
export function readNumberVariable(value: unknown): number | null {
  if (value == null || (typeof value === "string" && value.trim() === "")) return null;
  return typeof value === "string" || typeof value === "number" ? Number(value) : Number.NaN;
}

const MEMORY_MB_MAX = 999_999;

/** What BRINK_ISOLATE_MEMORY_MB gives, bytes; null where it is absent. Throws `misconfigured`. */
export function readIsolateBytes(value: unknown): number | null {
  const megabytes = readNumberVariable(value);
  if (megabytes === null) return null;
  if (Number.isInteger(megabytes) && megabytes >= 1 && megabytes <= MEMORY_MB_MAX)
    return megabytes * 1_000_000;
  throw new ServiceError(
    "misconfigured",
    `BRINK_ISOLATE_MEMORY_MB must be a whole number of MB from 1 to ${MEMORY_MB_MAX}`,
  );
}

/** Throws `misconfigured` where one of the variables is there and is no text: of a number, `false`
 *  or a list, which wrangler hands over as they are, nobody could say what they mean. */
export function checkTexts(variables: object, names: readonly string[]): void {
  for (const name of names) {
    const value = (variables as Record<string, unknown>)[name];
    if (value == null || typeof value === "string") continue;
    const what = Array.isArray(value) ? "list" : typeof value;
    throw new ServiceError(
      "misconfigured",
      `${name} must be text, in quotes: it is of type ${what}`,
    );
  }
}
