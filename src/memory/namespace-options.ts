/** Which options go together, and which are the same. */
import { ServiceError } from "../errors.ts";
import { NAMESPACE_DEFAULTS, type NamespaceOptions } from "./types.ts";

/** Throws `invalid_request` for options that no shard takes: passages are linked only where they
 *  are what BM25 counts. To be called before anything is kept of them. */
export function checkOptions({ near_duplicates, bm25_unit }: NamespaceOptions): void {
  if (near_duplicates !== "link" || bm25_unit !== "document") return;
  throw new ServiceError(
    "invalid_request",
    "near_duplicates: passages are linked only where bm25_unit is passage",
    { param: "near_duplicates" },
  );
}

export function equalOptions(a: NamespaceOptions, b: NamespaceOptions): boolean {
  const names = Object.keys(NAMESPACE_DEFAULTS) as (keyof NamespaceOptions)[];
  return names.every((name) => JSON.stringify(a[name]) === JSON.stringify(b[name]));
}
