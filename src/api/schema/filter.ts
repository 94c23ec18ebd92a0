/** The filter language of searches and deletions; index/filter.ts reads it. */
import { type Filter, parseFilter } from "../../../index/filter.ts";
import { codeOf } from "../../errors.ts";
import { FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX } from "../../limits.ts";
import { z } from "./common.ts";

/** A filter as `parseFilter` accepts it. */
export const FilterField = filterSchema(false).openapi("Filter", {
  type: "object",
  description:
    "A filter on metadata: {field: value}, {field: {eq|ne|in|nin|gt|gte|lt|lte|exists|prefix: " +
    "value}}, {and: [...]}, {or: [...]} or {not: filter}. Several fields must all hold. It has " +
    `${FILTER_DEPTH_MAX} levels and ${FILTER_NODES_MAX} conditions at most, and, or and not ` +
    `counted, and a list of in or nin ${FILTER_VALUES_MAX} values.`,
  example: { and: [{ language: "en" }, { year: { gte: 2024 } }] },
});

/** A filter with a condition at every level: an empty one matches everything, which a deletion
 *  must not do by accident. */
export const DeletionFilter = filterSchema(true).openapi("DeletionFilter", {
  type: "object",
  description: "A Filter that is not empty at any level.",
});

function filterSchema(refuseEmpty: boolean) {
  return z
    .custom<Filter>(() => true)
    .superRefine((value, ctx) => {
      const message = faultOf(value, refuseEmpty);
      if (message !== null) ctx.addIssue({ code: "custom", message, input: value });
    });
}

function faultOf(value: unknown, refuseEmpty: boolean): string | null {
  try {
    const filter = parseFilter(value);
    return refuseEmpty && hasEmpty(filter)
      ? "an empty filter would match every document: name a field"
      : null;
  } catch (error) {
    if (codeOf(error) === null) throw error;
    return (error as Error).message.replace(/^filter: /, "");
  }
}

/** Whether a part of a filter that `parseFilter` accepts says nothing. */
function hasEmpty(filter: Filter): boolean {
  const entries = Object.entries(filter);
  if (entries.length === 0) return true;
  return entries.some(([key, operand]) => {
    if (key === "not") return hasEmpty(operand as Filter);
    if (key !== "and" && key !== "or") return false;
    const parts = operand as unknown as Filter[];
    return parts.length === 0 || parts.some(hasEmpty);
  });
}
