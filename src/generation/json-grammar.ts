/** The JSON texts of a schema as a grammar over automata. */
import { GRAMMAR_DEPTH_MAX } from "../limits.ts";
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

/** A choice between sequences, made when it is first asked for: recursion needs no care. */
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
    this.least = Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (const parts of this.all()) least = Math.min(least, fewestOf(parts, least));
    this.least = least;
    return least;
  }

  private all(): Node[][] {
    this.made ??= this.make();
    return this.made;
  }
}

/** The fewest bytes of a sequence, or any number from `enough` on when it is not less. */
function fewestOf(sequence: readonly Node[], enough = Number.POSITIVE_INFINITY): number {
  let sum = 0;
  for (const node of sequence) {
    if (sum >= enough) break;
    sum += node instanceof Branch ? node.fewest : node.distance(node.start);
  }
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

/** Builds the grammar of a document; parts that many places share are built once. */
export class JsonGrammar {
  private readonly reader: SchemaReader;
  private readonly branches = new Map<Schema, Branch[]>();
  private readonly scalars = new Map<Shape, Map<TypeName, Node[]>>();
  private readonly keys = new Map<Shape, (readonly [Terminal, Schema])[]>();

  constructor(reader: SchemaReader) {
    this.reader = reader;
  }

  /** The values of a schema, `depth` arrays and objects deep in the text. */
  value(schema: Schema, depth: number): Branch {
    const known = this.branches.get(schema) ?? [];
    this.branches.set(schema, known);
    known[depth] ??= new Branch(() =>
      this.reader.shapes(schema).flatMap((shape) => this.ofShape(shape, depth)),
    );
    return known[depth];
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
      tails[count] ??= new Branch(() => {
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

  /** What may follow the brace or the last member. Named properties are written in the order in
   *  which the schema names them, as OpenAI's are; others come after them. Members count towards
   *  minProperties only where they are named: no other key is certain to be a new one. */
  private objectTail(shape: Shape, depth: number): Branch {
    const { object } = shape;
    const names = Array.from(new Set([...object.properties.keys(), ...object.required]));
    const members = names.map((name) => ({
      key: oneOf([`${JSON.stringify(name)}:`]),
      schema: propertySchema(object, name),
      required: object.required.has(name),
    }));
    const lastRequired = members.findLastIndex(({ required }) => required);
    const most = object.max === Number.POSITIVE_INFINITY ? 1 : object.max;
    const tails = new Map<string, Branch>();
    const tail = (at: number, count: number, named: number): Branch => {
      const state = `${at},${count},${named}`;
      const known = tails.get(state);
      if (known) return known;
      const branch = new Branch(() => {
        const out: Node[][] = [];
        const complete = at > lastRequired;
        const before = count > 0 ? [COMMA, SPACE] : [SPACE];
        const after = (next: number, more: number) =>
          tail(next, Math.min(count + 1, most), Math.min(named + more, object.min));
        if (complete && named >= object.min) out.push([SPACE, CLOSE_OBJECT]);
        if (count >= object.max) return out;
        for (let next = at; next < members.length; next++) {
          const { key, schema, required } = members[next]!;
          const value = this.value(schema, depth + 1);
          out.push([...before, key, SPACE, value, after(next + 1, 1)]);
          if (required) break;
        }
        if (complete)
          for (const [key, schema] of this.otherKeys(shape, names)) {
            const value = this.value(schema, depth + 1);
            out.push([...before, QUOTE, key, KEY_END, SPACE, value, after(names.length, 0)]);
          }
        return out;
      });
      tails.set(state, branch);
      return branch;
    };
    return tail(0, 0, 0);
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
