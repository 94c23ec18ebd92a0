/** A filter over a document's metadata, in the shape of the HTTP contract. */
import { ServiceError } from "../src/errors.ts";
import { FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX } from "../src/limits.ts";

export type FilterValue = string | number | boolean | null;

export interface FieldTest {
  eq?: FilterValue;
  ne?: FilterValue;
  in?: FilterValue[];
  nin?: FilterValue[];
  gt?: number | string;
  gte?: number | string;
  lt?: number | string;
  lte?: number | string;
  exists?: boolean;
  prefix?: string;
}

export type Filter =
  | { and: Filter[] }
  | { or: Filter[] }
  | { not: Filter }
  | { [field: string]: FilterValue | FieldTest };

type Fields = { [field: string]: FilterValue | FieldTest };

/** Whether a value is a plain JSON object. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isValue(value: unknown): value is FilterValue {
  if (typeof value === "number") return Number.isFinite(value);
  return value === null || typeof value === "string" || typeof value === "boolean";
}

const isOrdered = (value: unknown) =>
  typeof value === "string" || (typeof value === "number" && Number.isFinite(value));
const isList = (value: unknown) =>
  Array.isArray(value) && value.length <= FILTER_VALUES_MAX && value.every(isValue);

/** What each operator takes. */
const OPERANDS: Record<keyof FieldTest, { takes: string; valid: (value: unknown) => boolean }> = {
  eq: { takes: "a string, number, boolean or null", valid: isValue },
  ne: { takes: "a string, number, boolean or null", valid: isValue },
  in: { takes: `a list of at most ${FILTER_VALUES_MAX} plain values`, valid: isList },
  nin: { takes: `a list of at most ${FILTER_VALUES_MAX} plain values`, valid: isList },
  gt: { takes: "a number or a string", valid: isOrdered },
  gte: { takes: "a number or a string", valid: isOrdered },
  lt: { takes: "a number or a string", valid: isOrdered },
  lte: { takes: "a number or a string", valid: isOrdered },
  exists: { takes: "true or false", valid: (value) => typeof value === "boolean" },
  prefix: { takes: "a string", valid: (value) => typeof value === "string" },
};

function refuse(message: string): never {
  throw new ServiceError("invalid_request", `filter: ${message}`, { param: "filter" });
}

/** Untrusted JSON as a filter. `and`, `or` and `not` are operators and stand alone in their object;
 *  any other key is a metadata field, and several fields must all match. Throws `invalid_request`
 *  for any other shape and beyond FILTER_DEPTH_MAX levels or FILTER_NODES_MAX nodes. */
export function parseFilter(input: unknown): Filter {
  let nodes = 0;
  const check = (value: unknown, depth: number): void => {
    if (depth > FILTER_DEPTH_MAX) refuse(`nests deeper than ${FILTER_DEPTH_MAX} levels`);
    if (!isObject(value)) refuse("must be an object");
    if (Object.keys(value).length === 0) nodes++;
    for (const [key, operand] of Object.entries(value)) {
      nodes++;
      if (nodes > FILTER_NODES_MAX) refuse(`has more than ${FILTER_NODES_MAX} conditions`);
      if (key !== "and" && key !== "or" && key !== "not") {
        checkField(key, operand);
        continue;
      }
      if (Object.keys(value).length > 1) refuse(`"${key}" must stand alone in its object`);
      if (key === "not") check(operand, depth + 1);
      else if (Array.isArray(operand)) for (const part of operand) check(part, depth + 1);
      else refuse(`"${key}" takes a list of filters`);
    }
  };
  check(input, 1);
  if (nodes > FILTER_NODES_MAX) refuse(`has more than ${FILTER_NODES_MAX} conditions`);
  return input as Filter;
}

function checkField(field: string, test: unknown): void {
  if (isValue(test)) return;
  if (!isObject(test)) refuse(`field "${field}" takes a plain value or an object of operators`);
  const operators = Object.entries(test);
  if (operators.length === 0) refuse(`field "${field}" has no operator`);
  for (const [operator, operand] of operators) {
    if (!Object.hasOwn(OPERANDS, operator))
      refuse(`"${operator}" is none of ${Object.keys(OPERANDS).join(", ")}`);
    const { takes, valid } = OPERANDS[operator as keyof FieldTest];
    if (!valid(operand)) refuse(`"${operator}" takes ${takes}`);
  }
}

/** Whether metadata passes the filter. Where a metadata value is a list, a test holds if it holds
 *  for one of its elements; `ne` and `nin` are the negations of `eq` and `in`, so a missing field
 *  passes them. A missing field fails every other test but `exists: false`: it does not equal
 *  null. Order is that of numbers or of strings by UTF-16 unit; across types nothing compares. */
export function matches(filter: Filter, metadata: Record<string, unknown>): boolean {
  if ("and" in filter && Array.isArray(filter.and))
    return filter.and.every((part) => matches(part, metadata));
  if ("or" in filter && Array.isArray(filter.or))
    return filter.or.some((part) => matches(part, metadata));
  if ("not" in filter) return !matches(filter.not as Filter, metadata);
  return Object.entries(filter as Fields).every(([field, test]) => {
    const present = Object.hasOwn(metadata, field);
    const value = present ? metadata[field] : undefined;
    const tests = isObject(test) ? (test as FieldTest) : { eq: test as FilterValue };
    return Object.entries(tests).every(([operator, operand]) =>
      holds(operator as keyof FieldTest, operand, present, value),
    );
  });
}

function holds(
  operator: keyof FieldTest,
  operand: unknown,
  present: boolean,
  value: unknown,
): boolean {
  if (operator === "exists") return present === operand;
  if (operator === "ne") return !holds("eq", operand, present, value);
  if (operator === "nin") return !holds("in", operand, present, value);
  if (!present) return false;
  const elements: unknown[] = Array.isArray(value) ? value : [value];
  return elements.some((element) => compares(operator, operand, element));
}

function compares(operator: keyof FieldTest, operand: unknown, value: unknown): boolean {
  if (operator === "eq") return value === operand;
  if (operator === "in") return (operand as unknown[]).includes(value);
  if (typeof value !== typeof operand || !isOrdered(value)) return false;
  const [left, right] = [value as string, operand as string];
  if (operator === "gt") return left > right;
  if (operator === "gte") return left >= right;
  if (operator === "lt") return left < right;
  if (operator === "lte") return left <= right;
  return left.startsWith(right);
}
