/** A variable as wrangler hands it over: without quotes in `[vars]` a number stays one. */
export type NumberVariable = string | number;

/** Its number; null where it is absent or blank, NaN where it is none. */
export function readNumberVariable(value: unknown): number | null {
  if (value == null || (typeof value === "string" && value.trim() === "")) return null;
  return typeof value === "string" || typeof value === "number" ? Number(value) : Number.NaN;
}
