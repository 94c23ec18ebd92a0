/** The JSON texts of a schema as a grammar over automata. */
import { GRAMMAR_ALTERNATIVES_MAX, GRAMMAR_DEPTH_MAX } from "../limits.ts";
import { Characters, charClasses, isPlain, Shorter } from "./json-text.ts";
import { inRange, numberText } from "./number-text.ts";
import type { SchemaReader } from "./schema-reader.ts";
import {
  type Json,
  matches,
  propertySchema,
  refuseSchema,
  type Schema,
  type Shape,
  type TypeName,
} from "./schema-shape.ts";
import { combine, oneOf, type Terminal } from "./terminal.ts";

export type Node = Terminal | Branch;

/** A choice between sequences, made when it is first asked for: recursion needs no care. No text
 *  of it is empty. */
export class Branch {
  private readonly make: () => Node[][];
  private made: Node[][] | null = null;
  private possible: Node[][] | null = null;
  private least: number | null = null;

  constructor(make: () => Node[][]) {
    this.make = make;
  }

  /** The alternatives that some text can satisfy. */
  get alternatives(): readonly (readonly Node[])[] {
    this.possible ??= this.all().filter((parts) => fewestOf(parts) < Number.POSITIVE_INFINITY);
    return this.possible;
  }

  /** The fewest bytes of any text of it, Infinity for none. A repetition asks for its own while
   *  that is being found: "none" is right then, for the shortest text repeats nothing. */
  get fewest(): number {
    if (this.least !== null) return this.least;
    // Not by recursion: arrays in arrays, each of a thousand items, are deeper than a stack.
    const open = [this.settle()];
    for (let last = open[0]; last !== undefined; last = open.at(-1)) {
      const { value: needed } = last.next();
      if (needed) open.push(needed.settle());
      else open.pop();
    }
    return this.least!;
  }

  /** Gives the branches whose own number is needed first; what may be shorter is looked at only
   *  as far as it may be. */
  private *settle(): Generator<Branch, void> {
    this.least = Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (const parts of this.all()) {
      let sum = 0;
      for (const node of parts) {
        if (sum + (node instanceof Branch ? 1 : 0) >= least) {
          sum = least;
          break;
        }
        if (node instanceof Branch && node.least === null) yield node;
        sum += node instanceof Branch ? node.least! : node.distance(node.start);
      }
      least = Math.min(least, sum);
    }
    this.least = least;
  }

  private all(): Node[][] {
    this.made ??= this.make();
    return this.made;
  }
}

/** The fewest bytes of a sequence. */
function fewestOf(sequence: readonly Node[]): number {
  let sum = 0;
  for (const node of sequence)
    sum += node instanceof Branch ? node.fewest : node.distance(node.start);
  return sum;
}

const indent = (char: string, most: number) =>
  Array.from({ length: most + 1 }, (_, i) => `\n${char.repeat(i)}`);
/** Between tokens of JSON: nothing, a space, or a new line and its indentation. No more, so that a
 *  model cannot fill the answer with it. */
const SPACE = oneOf(["", " ", ...indent(" ", 24), ...indent("\t", 6)]);
const NULL = oneOf(["null"]);
const BOOLEAN = oneOf(["true", "false"]);
const QUOTE = oneOf(['"']);
const COMMA = oneOf([","]);
const KEY_END = oneOf(['":']);
const OPEN_ARRAY = oneOf(["["]);
const OPEN_OBJECT = oneOf(["{"]);
const CLOSE_ARRAY = oneOf(["]"]);
const CLOSE_OBJECT = oneOf(["}"]);

/** A property that an object names. */
interface Member {
  readonly name: string;
  readonly key: Terminal;
  readonly schema: Schema;
  readonly required: boolean;
}

/** Builds the grammar of a document; parts that many places share are built once. */
export class JsonGrammar {
  private readonly reader: SchemaReader;
  private readonly branches = new Map<Schema, Branch[]>();
  private readonly scalars = new Map<Shape, Map<TypeName, Node[]>>();
  private readonly members = new Map<Shape, readonly Member[]>();
  private readonly keys = new Map<Shape, (readonly [Terminal, Schema])[]>();
  private alternatives = 0;

  constructor(reader: SchemaReader) {
    this.reader = reader;
  }

  /** The values of a schema, `depth` arrays and objects deep in the text. */
  value(schema: Schema, depth: number): Branch {
    const known = this.branches.get(schema) ?? [];
    this.branches.set(schema, known);
    known[depth] ??= this.branch("the schema", () =>
      this.reader.shapes(schema).flatMap((shape) => this.ofShape(shape, depth)),
    );
    return known[depth];
  }

  /** A branch whose alternatives count. Making them throws unsupported_parameter beyond
   *  GRAMMAR_ALTERNATIVES_MAX, in the midst of an answer where only that went so far. */
  private branch(path: string, make: () => Node[][]): Branch {
    return new Branch(() => {
      const made = make();
      this.alternatives += made.length;
      if (this.alternatives > GRAMMAR_ALTERNATIVES_MAX)
        refuseSchema(
          path,
          `takes a grammar of more than ${GRAMMAR_ALTERNATIVES_MAX} alternatives; fewer ` +
            "properties, counts or levels are needed",
        );
      return made;
    });
  }

  private ofShape(shape: Shape, depth: number): Node[][] {
    if (shape.values !== null)
      return [this.scalar(shape, "null", () => enumOf(shape, shape.values!))];
    const out: Node[][] = [];
    for (const type of shape.types) {
      if (type === "array" && depth < GRAMMAR_DEPTH_MAX)
        out.push([OPEN_ARRAY, this.arrayTail(shape, depth)]);
      else if (type === "object" && depth < GRAMMAR_DEPTH_MAX)
        out.push([OPEN_OBJECT, this.objectTail(shape, depth)]);
      else if (type === "null") out.push([NULL]);
      else if (type === "boolean") out.push([BOOLEAN]);
      else if (type === "string")
        out.push(this.scalar(shape, type, () => [QUOTE, stringOf(shape), QUOTE]));
      else if (type === "number" || type === "integer")
        out.push(this.scalar(shape, "number", () => [numberText(shape.number, shape.path)]));
    }
    return out;
  }

  /** Scalars are the same at every depth. */
  private scalar(shape: Shape, type: TypeName, make: () => Node[]): Node[] {
    const known = this.scalars.get(shape) ?? new Map<TypeName, Node[]>();
    this.scalars.set(shape, known);
    const node = known.get(type) ?? make();
    known.set(type, node);
    return node;
  }

  /** What may follow the bracket or the last item: tails by the number of items, up to where more
   *  makes no difference. */
  private arrayTail(shape: Shape, depth: number): Branch {
    const { prefix, items, min, max } = shape.array;
    const most = max === Number.POSITIVE_INFINITY ? Math.max(prefix.length, min, 1) : max;
    const tails: Branch[] = [];
    const tail = (count: number): Branch => {
      tails[count] ??= this.branch(shape.path, () => {
        const out: Node[][] = [];
        if (count >= min) out.push([SPACE, CLOSE_ARRAY]);
        const item = count < prefix.length ? prefix[count]! : items;
        if (count < max && item !== false) {
          const rest = [SPACE, this.value(item, depth + 1), tail(Math.min(count + 1, most))];
          out.push(count > 0 ? [COMMA, ...rest] : rest);
        }
        return out;
      });
      return tails[count];
    };
    return tail(0);
  }

  /** What may follow the brace. Named properties are written in the order in which the schema names
   *  them, as OpenAI's are, each in its turn or, where it is not required, not at all; others come
   *  after them. Members count towards minProperties only where they are named: no other key is
   *  certain to be a new one. */
  private objectTail(shape: Shape, depth: number): Branch {
    const { object } = shape;
    const members = this.membersOf(shape);
    const names = members.map(({ name }) => name);
    const lastRequired = members.findLastIndex(({ required }) => required);
    const closed = object.additional === false && object.patterns.length === 0;
    const max = closed && object.max >= names.length ? Number.POSITIVE_INFINITY : object.max;
    const most = max === Number.POSITIVE_INFINITY ? object.min : max;
    const closes = (at: number, count: number) =>
      at > lastRequired && count >= object.min ? [[SPACE, CLOSE_OBJECT]] : [];
    const known = new Map<string, Branch>();
    const kept = (state: string, make: () => Node[][]): Branch => {
      const branch = known.get(state) ?? this.branch(shape.path, make);
      known.set(state, branch);
      return branch;
    };
    /** After a member: the brace, or one of the names `at` and later. */
    const after = (at: number, written: number): Branch => {
      const count = Math.min(written, most);
      return kept(`after ${at},${count}`, () =>
        count < max
          ? [...closes(at, count), [COMMA, SPACE, ...next(at, count)]]
          : closes(at, count),
      );
    };
    const member = (at: number, count: number): Node[] => {
      const { key, schema } = members[at]!;
      return [key, SPACE, this.value(schema, depth + 1), after(at + 1, count + 1)];
    };
    const next = (at: number, count: number): Node[] => {
      if (members[at]?.required) return member(at, count);
      const choose = (): Node[][] => {
        if (count + members.length - at < object.min) return [];
        if (at < members.length) return [next(at + 1, count), member(at, count)];
        return this.otherKeys(shape, names).map(([key, schema]) => {
          const value = this.value(schema, depth + 1);
          return [QUOTE, key, KEY_END, SPACE, value, after(at, count + 1)];
        });
      };
      return [kept(`${at},${count}`, choose)];
    };
    return this.branch(shape.path, () => [
      ...closes(0, 0),
      ...(max > 0 ? [[SPACE, ...next(0, 0)]] : []),
    ]);
  }

  private membersOf(shape: Shape): readonly Member[] {
    const { properties, required } = shape.object;
    const known = this.members.get(shape);
    const members =
      known ??
      Array.from(new Set([...properties.keys(), ...required]), (name) => ({
        name,
        key: oneOf([`${JSON.stringify(name)}:`]),
        schema: propertySchema(shape.object, name),
        required: required.has(name),
      }));
    this.members.set(shape, members);
    return members;
  }

  /** Keys that are not named: for each pattern those of it alone, then those of none. */
  private otherKeys(shape: Shape, names: readonly string[]) {
    const known = this.keys.get(shape);
    if (known) return known;
    const { patterns, additional } = shape.object;
    const contents = patterns.map(([pattern]) => pattern.content);
    const named = oneOf(names.map((name) => JSON.stringify(name).slice(1, -1)));
    const classes = charClasses([...contents, named]);
    const keys = patterns.map(([pattern, schema], i) => {
      const others = contents.filter((_, other) => other !== i);
      return [combine([pattern.content], [named, ...others], classes, shape.path), schema] as const;
    });
    if (additional !== false) {
      const any = new Characters();
      const free = names.length + patterns.length === 0;
      const key = free ? any : combine([any], [named, ...contents], classes, shape.path);
      keys.push([key as (typeof keys)[number][0], additional]);
    }
    const possible = keys.filter(
      ([key, schema]) => schema !== false && key.distance(key.start) < Number.POSITIVE_INFINITY,
    );
    this.keys.set(shape, possible);
    return possible;
  }
}

/** The contents of the strings of a shape. */
function stringOf({ string, path }: Shape): Terminal {
  const { min, max, patterns } = string;
  const contents = patterns.map(({ content }) => content);
  if (contents.length === 0 || min > max) return new Characters(min, max);
  const all = (...counted: Characters[]) =>
    contents.length + counted.length === 1
      ? contents[0]!
      : combine([...contents, ...counted], [], charClasses(contents), path);
  if (min === 0 && max === Number.POSITIVE_INFINITY) return all();
  if (!contents.some(isPlain)) return all(new Characters(min, max));
  const content = all();
  // Mostly the shortest has minLength anyway, and then there is nothing to count.
  const longer = min > content.distance(content.start) ? all(new Characters(min)) : content;
  return max < Number.POSITIVE_INFINITY ? new Shorter(longer, max) : longer;
}

/** Those of the values that are of the shape's type and within its bounds. */
function enumOf(shape: Shape, values: readonly Json[]): Node[] {
  return [
    oneOf(values.filter((value) => isOf(shape, value)).map((value) => JSON.stringify(value))),
  ];
}

function isOf({ types, number, string, array, object, path }: Shape, value: Json): boolean {
  if (value === null) return types.has("null");
  if (typeof value === "boolean") return types.has("boolean");
  if (typeof value === "number")
    return (types.has("number") || types.has("integer")) && inRange(value, number);
  if (typeof value === "string") {
    const length = Array.from(value).length;
    if (!types.has("string") || length < string.min || length > string.max) return false;
    return string.patterns.every((pattern) => matches(pattern, value));
  }
  const isArray = Array.isArray(value);
  if (!types.has(isArray ? "array" : "object")) return false;
  const free = isArray
    ? array.prefix.length === 0 && array.items === true && array.min === 0
    : object.patterns.length + object.properties.size + object.required.size === 0 &&
      object.additional === true &&
      object.min === 0;
  const counts = isArray ? array.max : object.max;
  if (!free || counts < Number.POSITIVE_INFINITY)
    refuseSchema(path, "enum and const of arrays or objects take no other keyword than type");
  return true;
}
