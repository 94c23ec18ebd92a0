/** Runs Jinja templates that come with model files, by @huggingface/jinja, within bounds: a file
 *  may be hostile, and an isolate has one thread and 128 MB. The library walks a syntax tree and
 *  neither compiles nor evals, so that workerd runs it. Every node that it evaluates passes through
 *  `evaluate` here, which charges for the result, and the few operations that can make much of
 *  little in one step (replace, split, join, indent, tojson, range) are checked before they run. */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { ServiceError } from "../errors.ts";
import {
  JSON_DEPTH_MAX,
  TEMPLATE_CHARS_MAX,
  TEMPLATE_ITEMS_MAX,
  TEMPLATE_SPACE_RUN_MAX,
  TEMPLATE_VALUE_MAX,
  TEMPLATE_WORK_MAX,
} from "../limits.ts";
import { invalidModel } from "./gguf.ts";
import { jinjaGlobals, tooMuch } from "./jinja-globals.ts";

type Program = ReturnType<typeof parse>;
type Node = Parameters<Interpreter["evaluate"]>[0];
type Value = ReturnType<Interpreter["evaluate"]>;

/** What a value costs beside its characters: an object of about this many bytes. */
const VALUE_COST = 16;
/** An item of a loop costs a scope, some 500 bytes that live as long as the loop. */
const LOOP_COST = 16 * VALUE_COST;
const FILTERS = new Set(
  (
    "abs bool capitalize default dictsort first float get indent int items join keys last length " +
    "list lower map rejectattr replace reverse safe selectattr sort string title tojson trim " +
    "unique upper values"
  ).split(" "),
);
const FUNCTIONS = ["caller", "namespace", "raise_exception", "range", "strftime_now"];

interface Weight {
  /** VALUE_COST a value, one a character, over all that the value contains. */
  size: number;
  depth: number;
}

/** A comparison or concatenation under way: lists in it may be written out to be compared. */
interface Operands {
  readonly left: Node;
  readonly right: Node;
  size: number;
}

/** What replace(old, new) or split(separator) makes of a text, at most, must stay in bounds. */
function checkText(text: string, name: string, args: readonly Value[]): void {
  const lengthOf = (value?: Value) =>
    value?.type === "StringValue" ? (value.value as string).length : 0;
  const places = text.length / Math.max(1, lengthOf(args[0])) + 1;
  if (name === "split" && places > TEMPLATE_ITEMS_MAX && text.length > TEMPLATE_ITEMS_MAX) {
    const pieces = lengthOf(args[0]) > 0 ? text.split(args[0]!.value as string).length : places;
    if (pieces > TEMPLATE_ITEMS_MAX) throw tooMuch(`splits a text into ${pieces} pieces`);
  }
  if (name === "replace" && text.length + places * lengthOf(args[1]) > 4 * TEMPLATE_VALUE_MAX)
    throw tooMuch("makes too much with replace");
}

/** Every string's methods pass here: the library makes them when they are first asked for. */
function boundStringMethods(): void {
  const prototype = Object.getPrototypeOf(new Environment().set("text", "")) as object;
  const { get } = Object.getOwnPropertyDescriptor(prototype, "builtins")!;
  const bounded = new WeakSet<object>();
  Object.defineProperty(prototype, "builtins", {
    get(this: { value: string }) {
      const methods = get!.call(this) as Map<string, Value>;
      if (bounded.has(methods)) return methods;
      bounded.add(methods);
      for (const name of ["replace", "split"]) {
        const method = methods.get(name) as { value: (args: Value[], scope: Environment) => Value };
        const run = method.value;
        method.value = (args, scope) => {
          checkText(this.value, name, args);
          return run(args, scope);
        };
      }
      return methods;
    },
  });
}
boundStringMethods();

/** Private to the library's types, not to its objects: all filters pass the one, arguments the
 *  other. */
interface Internals {
  applyFilter(operand: Value, filter: FilterNode, scope: Environment): Value;
  evaluateArguments(args: readonly Node[], scope: Environment): [Value[], Map<string, Value>];
}

/** An Identifier, or a CallExpression of one. */
interface FilterNode {
  value?: string;
  callee?: { value?: string };
  args?: readonly Node[];
}

/** An interpreter that stops, with invalid_request, where a template does too much. */
class BoundedInterpreter extends Interpreter {
  private work = 0;
  private readonly weights = new WeakMap<object, Weight>();
  private readonly operands: Operands[] = [];
  /** What loops go through: an item of these costs the variables that the loop makes. */
  private readonly iterables = new WeakSet<object>();
  private readonly internals: Internals;

  constructor(environment: Environment) {
    super(environment);
    this.internals = this as unknown as Internals;
    const apply = this.internals.applyFilter.bind(this);
    this.internals.applyFilter = (operand, filter, scope) => {
      this.checkFilter(operand, filter, scope);
      return apply(operand, filter, scope);
    };
  }

  override evaluate(node: Node, scope: Environment): Value {
    if (node?.type === "For") {
      const { iterable } = node as unknown as { iterable: { lhs?: object } };
      this.iterables.add(iterable.lhs ?? iterable);
    }
    if (node?.type !== "BinaryExpression") return this.charged(node, super.evaluate(node, scope));
    const { left, right } = node as unknown as Operands;
    const operands = { left, right, size: 0 };
    this.operands.push(operands);
    const value = super.evaluate(node, scope);
    this.operands.pop();
    this.charge(operands.size);
    return this.charged(node, value);
  }

  private charge(work: number): void {
    this.work += work;
    if (this.work > TEMPLATE_WORK_MAX)
      throw tooMuch(`takes more than ${TEMPLATE_WORK_MAX} steps and characters`);
  }

  private charged(node: Node, value: Value): Value {
    const { size, depth } = this.weigh(value);
    if (size > TEMPLATE_VALUE_MAX)
      throw tooMuch(`makes a value of more than ${TEMPLATE_VALUE_MAX} characters`);
    if (depth > JSON_DEPTH_MAX) throw tooMuch(`nests values deeper than ${JSON_DEPTH_MAX}`);
    const compared = this.operands.at(-1);
    if (depth > 0 && compared && (node === compared.left || node === compared.right))
      compared.size += size;
    // A list costs its length, not what is in it: templates name their messages in every line.
    const items = Array.isArray(value.value) ? value.value.length : 0;
    const each = node && this.iterables.has(node) ? LOOP_COST : 1;
    this.charge(depth > 0 ? VALUE_COST + items * each : size);
    return value;
  }

  private weigh(value: Value): Weight {
    if (value.type === "StringValue")
      return { size: VALUE_COST + (value.value as string).length, depth: 0 };
    const inside: unknown = value.value;
    if (!Array.isArray(inside) && !(inside instanceof Map)) return { size: VALUE_COST, depth: 0 };
    const known = this.weights.get(value);
    if (known) return known;
    if (Array.isArray(inside) && inside.length > TEMPLATE_ITEMS_MAX)
      throw tooMuch(`makes a list of more than ${TEMPLATE_ITEMS_MAX} items`);
    const weight = { size: VALUE_COST, depth: 1 };
    for (const item of inside.values() as Iterable<Value>) {
      // What a namespace holds changes later, which would leave the weight of its container wrong.
      if (item.type === "NamespaceValue") throw tooMuch("puts a namespace into another value");
      const inner = this.weigh(item);
      weight.size += inner.size;
      weight.depth = Math.max(weight.depth, inner.depth + 1);
    }
    if (inside instanceof Map) for (const key of inside.keys()) weight.size += key.length;
    if (value.type !== "NamespaceValue") this.weights.set(value, weight);
    return weight;
  }

  private checkFilter(operand: Value, filter: FilterNode, scope: Environment): void {
    const { value, callee, args } = filter;
    const name = value ?? callee?.value ?? "";
    const { size, depth } = this.weigh(operand);
    if (/sort$/.test(name)) this.charge(20 * size);
    if (!args) return;
    const [given, named] = this.internals.evaluateArguments(args, scope);
    const lengthOf = (text?: Value) => (text?.type === "StringValue" ? this.weigh(text).size : 0);
    const numberOf = (n?: Value) => (typeof n?.value === "number" ? Math.max(0, n.value) : 0);
    let made = 0;
    if (name === "join") made = size * lengthOf(given[0] ?? named.get("separator"));
    if (name === "indent") made = size * numberOf(given[0] ?? named.get("width"));
    if (name === "tojson") {
      const separators = named.get("separators");
      const wide = separators ? this.weigh(separators).size : 0;
      made = size * (wide + (depth + 1) * numberOf(named.get("indent")));
    }
    // Each of `size` / VALUE_COST values, at most, is followed by what the filter adds.
    if (made > 4 * VALUE_COST * TEMPLATE_VALUE_MAX) throw tooMuch(`makes too much with ${name}`);
  }
}

/** Calls `visit` with every node of a syntax tree. */
function walk(tree: unknown, visit: (node: Record<string, unknown>) => void): void {
  if (typeof tree !== "object" || tree === null) return;
  if (tree instanceof Map) {
    for (const [key, value] of tree) {
      walk(key, visit);
      walk(value, visit);
    }
    return;
  }
  if ("type" in tree) visit(tree as Record<string, unknown>);
  for (const child of Object.values(tree)) walk(child, visit);
}

/** Filters, tests and functions that a template names and nothing defines. */
function missing(program: Program): string[] {
  const functions = new Set(FUNCTIONS);
  const { tests } = new Environment();
  const absent = new Set<string>();
  const called: string[] = [];
  const nameOf = (node: unknown) =>
    (node as FilterNode).callee?.value ?? (node as FilterNode).value;
  const define = (tree: unknown) =>
    walk(tree, (node) => node.type === "Identifier" && functions.add(node.value as string));
  walk(program, (node) => {
    if (node.type === "FilterExpression" || node.type === "FilterStatement") {
      const name = nameOf(node.filter) ?? "?";
      if (!FILTERS.has(name)) absent.add(`filter ${name}`);
    }
    if (node.type === "TestExpression") {
      const name = nameOf(node.test) ?? "?";
      if (!tests.has(name)) absent.add(`test ${name}`);
    }
    if (node.type === "Set") define(node.assignee);
    if (node.type === "For") define(node.loopvar);
    if (node.type === "Macro") define([node.name, node.args]);
    const callee = node.callee as { type?: string; value?: string } | undefined;
    if (node.type === "CallExpression" && callee?.type === "Identifier") called.push(callee.value!);
  });
  // A filter with arguments is a call too.
  for (const name of called)
    if (!functions.has(name) && !FILTERS.has(name)) absent.add(`function ${name}`);
  return [...absent];
}

/** A template, parsed and checked. */
export class BoundedTemplate {
  private readonly program: Program;

  /** `rewrite` is applied to the text and the string literals of the source. Errors:
   *  invalid_model_file, naming what of Jinja is not supported. */
  constructor(source: string, rewrite: (text: string) => string) {
    if (source.length > TEMPLATE_CHARS_MAX)
      throw invalidModel(
        `the chat template has ${source.length} characters, the limit is ${TEMPLATE_CHARS_MAX}`,
      );
    // The library's lexer takes time that is quadratic in a run of spaces.
    if (new RegExp(String.raw`\s{${TEMPLATE_SPACE_RUN_MAX}}`).test(source))
      throw invalidModel(`the chat template has ${TEMPLATE_SPACE_RUN_MAX} spaces in a row`);
    let absent: string[];
    try {
      const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
      for (const token of tokens)
        if (token.type === "Text" || token.type === "StringLiteral")
          token.value = rewrite(token.value);
      this.program = parse(tokens);
      absent = missing(this.program);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      const error = invalidModel(`the chat template cannot be parsed: ${message.slice(0, 200)}`);
      error.cause = cause;
      throw error;
    }
    if (absent.length > 0)
      throw invalidModel(`the chat template needs what is not supported: ${absent.join(", ")}`);
  }

  /** The text for `variables`, JSON values. Errors: invalid_request where the template raises an
   *  exception or does too much; invalid_model_file where it cannot run. */
  render(variables: Record<string, unknown>, now: Date): string {
    const environment = new Environment();
    for (const [name, value] of Object.entries(jinjaGlobals(now))) environment.set(name, value);
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    try {
      return new BoundedInterpreter(environment).run(this.program).value as string;
    } catch (cause) {
      if (cause instanceof ServiceError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      const error = invalidModel(`the chat template cannot run: ${message.slice(0, 200)}`);
      error.cause = cause;
      throw error;
    }
  }
}
