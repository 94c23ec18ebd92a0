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

const TOO_MANY = `has more than ${FILTER_NODES_MAX} conditions, and, or and not counted`;

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
      if (nodes > FILTER_NODES_MAX) refuse(TOO_MANY);
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
  if (nodes > FILTER_NODES_MAX) refuse(TOO_MANY);
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

/** One test of one field: what a filter comes down to. */
export interface Condition {
  field: string;
  operator: keyof FieldTest;
  operand: FilterValue | FilterValue[];
}

/** A filter one level deep. Several conditions must all hold. */
export type FilterNode =
  | { kind: "and"; parts: Filter[] }
  | { kind: "or"; parts: Filter[] }
  | { kind: "not"; part: Filter }
  | { kind: "all"; conditions: Condition[] };

/** What a checked filter says at its top. A plain value is the operator `eq`. */
export function readNode(filter: Filter): FilterNode {
  if ("and" in filter && Array.isArray(filter.and)) return { kind: "and", parts: filter.and };
  if ("or" in filter && Array.isArray(filter.or)) return { kind: "or", parts: filter.or };
  if ("not" in filter) return { kind: "not", part: filter.not as Filter };
  const conditions = Object.entries(filter as Fields).flatMap(([field, test]) => {
    const tests = isObject(test) ? (test as FieldTest) : { eq: test as FilterValue };
    return Object.entries(tests).map(([operator, operand]) => {
      return { field, operator: operator as keyof FieldTest, operand };
    });
  });
  return { kind: "all", conditions };
}

/** Whether metadata passes the filter. Where a metadata value is a list, a test holds if it holds
 *  for one of its elements; `ne` and `nin` are the negations of `eq` and `in`, so a missing field
 *  passes them. A missing field fails every other test but `exists: false`: it does not equal
 *  null. Order is that of numbers, or of strings by code point as in UTF-8 (upper case before
 *  lower, no locale); across types nothing compares. */
export function matches(filter: Filter, metadata: Record<string, unknown>): boolean {
  const node = readNode(filter);
  if (node.kind === "and") return node.parts.every((part) => matches(part, metadata));
  if (node.kind === "or") return node.parts.some((part) => matches(part, metadata));
  if (node.kind === "not") return !matches(node.part, metadata);
  return node.conditions.every((condition) => holds(condition, metadata));
}

/** A condition with the value that it was tested on. */
export interface FilterDecision extends Condition {
  /** The document's value; null also where it lacks the field. */
  value: unknown;
  present: boolean;
  passed: boolean;
}

/** Every condition of a filter, in its order, with what it found in the metadata; conditions under
 *  a `not` are given as they stand, unnegated. */
export function explainFilter(filter: Filter, metadata: Record<string, unknown>): FilterDecision[] {
  const node = readNode(filter);
  if (node.kind === "not") return explainFilter(node.part, metadata);
  if (node.kind !== "all") return node.parts.flatMap((part) => explainFilter(part, metadata));
  return node.conditions.map((condition) => {
    const present = Object.hasOwn(metadata, condition.field);
    const value = present ? metadata[condition.field] : null;
    return { ...condition, value, present, passed: holds(condition, metadata) };
  });
}

/** Whether metadata passes one condition. */
export function holds(
  { field, operator, operand }: Condition,
  metadata: Record<string, unknown>,
): boolean {
  const present = Object.hasOwn(metadata, field);
  if (operator === "exists") return present === operand;
  if (operator === "ne") return !holds({ field, operator: "eq", operand }, metadata);
  if (operator === "nin") return !holds({ field, operator: "in", operand }, metadata);
  if (!present) return false;
  const value = metadata[field];
  const elements: unknown[] = Array.isArray(value) ? value : [value];
  return elements.some((element) => compares(operator, operand, element));
}

function compares(operator: keyof FieldTest, operand: unknown, value: unknown): boolean {
  if (operator === "eq") return value === operand;
  if (operator === "in") return (operand as unknown[]).includes(value);
  if (typeof value !== typeof operand || !isOrdered(value)) return false;
  if (operator === "prefix") return (value as string).startsWith(operand as string);
  const order =
    typeof value === "string"
      ? compareCodePoints(value, operand as string)
      : (value as number) - (operand as number);
  if (operator === "gt") return order > 0;
  if (operator === "gte") return order >= 0;
  if (operator === "lt") return order < 0;
  return order <= 0;
}

/** Below, at or above 0 as `a` stands before, at or after `b` in the order of code points, which is
 *  that of UTF-8's bytes and of SQLite. JavaScript's own order is by UTF-16 unit and puts U+10000
 *  and above, whose units begin with 0xD800, before U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left !== right) return rankOfUnit(left) - rankOfUnit(right);
  }
  return a.length - b.length;
}

/** Surrogates after all other units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
