/** Patterns to automata: ECMAScript's syntax with the u flag, as far as it is regular. */
import { ServiceError } from "../errors.ts";
import { GRAMMAR_GROUPS_MAX, GRAMMAR_PROPERTIES_KEPT_MAX, GRAMMAR_REPEAT_MAX } from "../limits.ts";

/** Code points, inclusive. */
export type Range = readonly [number, number];
export type Regex =
  | { readonly kind: "set"; readonly ranges: readonly Range[] }
  | { readonly kind: "sequence"; readonly parts: readonly Regex[] }
  | { readonly kind: "choice"; readonly parts: readonly Regex[] }
  | Repeat;
export interface Repeat {
  readonly kind: "repeat";
  readonly part: Regex;
  readonly min: number;
  readonly max: number;
}

const POINT_MAX = 0x10ffff;
export const ANY: Regex = { kind: "set", ranges: [[0, POINT_MAX]] };
const ANYTHING: Regex = { kind: "repeat", part: ANY, min: 0, max: Number.POSITIVE_INFINITY };

const DIGITS: Range[] = [[48, 57]];
const WORD: Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
/** WhiteSpace and LineTerminator of ECMA-262. */
const SPACES = [
  9, 10, 11, 12, 13, 32, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff,
];
const SPACE: Range[] = [...SPACES.map((point): Range => [point, point]), [0x2000, 0x200a]];
const LINE_ENDS: Range[] = [10, 13, 0x2028, 0x2029].map((point): Range => [point, point]);
const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };

/** The whole texts in which the pattern is found. Anchors stand at the ends of top-level
 *  alternatives. Errors: unsupported_parameter, naming `path` and what is not regular (look-around,
 *  back-references, word boundaries), not supported (anchors elsewhere) or above a bound. `spend`
 *  is told of work that is more than the pattern's length, and may throw. */
export function parsePattern(
  pattern: string,
  path: string,
  spend: (work: number) => void = () => {},
): Regex {
  return new PatternParser(pattern, path, spend).parse();
}

/** By \\p{...}, the ones used last: to ask all code points takes 50 ms and more. */
const properties = new Map<string, readonly Range[]>();

function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let from = 0;
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (first > from) out.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  if (from <= POINT_MAX) out.push([from, POINT_MAX]);
  return out;
}

/** The same code points, each named once: in a set's repetitions every range is an edge anew. */
const merged = (ranges: readonly Range[]): Range[] => complement(complement(ranges));

class PatternParser {
  private readonly points: string[];
  private readonly path: string;
  private readonly spend: (work: number) => void;
  private at = 0;
  private groups = 0;
  private readonly asked = new Set<string>();

  constructor(pattern: string, path: string, spend: (work: number) => void) {
    this.points = Array.from(pattern);
    this.path = path;
    this.spend = spend;
  }

  parse(): Regex {
    const parts: Regex[] = [];
    do {
      const begins = this.take("^");
      const middle = this.sequence();
      const ends = this.take("$");
      if (this.peek() !== undefined && this.peek() !== "|") this.refuse(this.peek()!);
      const whole = [begins ? null : ANYTHING, middle, ends ? null : ANYTHING];
      parts.push({ kind: "sequence", parts: whole.filter((part) => part !== null) });
    } while (this.take("|"));
    return { kind: "choice", parts };
  }

  private peek(): string | undefined {
    return this.points[this.at];
  }

  private take(text: string): boolean {
    const found = Array.from(text).every((point, i) => this.points[this.at + i] === point);
    if (found) this.at += text.length;
    return found;
  }

  private refuse(what: string): never {
    throw new ServiceError(
      "unsupported_parameter",
      `${this.path}: ${what} at character ${this.at + 1} is not supported in a pattern`,
      { param: "response_format" },
    );
  }

  private choice(): Regex {
    const parts = [this.sequence()];
    while (this.take("|")) parts.push(this.sequence());
    return { kind: "choice", parts };
  }

  private sequence(): Regex {
    const parts: Regex[] = [];
    for (;;) {
      const next = this.peek();
      if (next === undefined || next === "|" || next === ")" || next === "$") break;
      parts.push(this.repeats(this.atom()));
    }
    return { kind: "sequence", parts };
  }

  private repeats(part: Regex): Regex {
    let [min, max] = [1, 1];
    if (this.take("*")) [min, max] = [0, Number.POSITIVE_INFINITY];
    else if (this.take("+")) [min, max] = [1, Number.POSITIVE_INFINITY];
    else if (this.take("?")) [min, max] = [0, 1];
    else if (this.peek() === "{") [min, max] = this.counts();
    else return part;
    this.take("?");
    return { kind: "repeat", part, min, max };
  }

  private counts(): [number, number] {
    const end = this.points.indexOf("}", this.at);
    const text = this.points.slice(this.at, end + 1).join("");
    const match = /^\{(\d{1,6})(,(\d{0,6}))?\}$/.exec(text);
    if (!match) this.refuse("{");
    const min = Number(match[1]);
    const most = match[3] ? Number(match[3]) : Number.POSITIVE_INFINITY;
    const max = match[2] === undefined ? min : most;
    if (min > max) this.refuse(text);
    if (min > GRAMMAR_REPEAT_MAX || (max > GRAMMAR_REPEAT_MAX && max !== Number.POSITIVE_INFINITY))
      this.refuse(`${text} (more than ${GRAMMAR_REPEAT_MAX} times)`);
    this.at = end + 1;
    return [min, max];
  }

  private atom(): Regex {
    if (this.take("(")) return this.group();
    if (this.take("[")) return { kind: "set", ranges: this.set() };
    if (this.take("\\")) return { kind: "set", ranges: this.escape(false) };
    if (this.take(".")) return { kind: "set", ranges: complement(LINE_ENDS) };
    if ("^*+?{".includes(this.peek()!)) this.refuse(this.peek()!);
    const point = this.points[this.at++]!.codePointAt(0)!;
    return { kind: "set", ranges: [[point, point]] };
  }

  private group(): Regex {
    if (this.take("?") && !this.take(":")) {
      const end = this.points.indexOf(">", this.at);
      const name = this.points.slice(this.at, end + 1).join("");
      if (!/^<[A-Za-z_$][\w$]*>$/.test(name)) this.refuse("a group of this kind");
      this.at = end + 1;
    }
    if (++this.groups > GRAMMAR_GROUPS_MAX)
      this.refuse(`a group in more than ${GRAMMAR_GROUPS_MAX} others`);
    const inside = this.choice();
    this.groups--;
    if (!this.take(")")) this.refuse(this.peek() ?? "a group without its end");
    return inside;
  }

  private set(): readonly Range[] {
    const negated = this.take("^");
    const ranges: Range[] = [];
    while (!this.take("]")) {
      const first = this.member();
      if (this.peek() === "-" && this.points[this.at + 1] !== "]") {
        this.at++;
        const last = this.member();
        const [from, to] = [first[0]![0], last[0]![1]];
        if (first.length > 1 || last.length > 1 || from > to) this.refuse("a range");
        ranges.push([from, to]);
      } else ranges.push(...first);
    }
    return negated ? complement(ranges) : merged(ranges);
  }

  private member(): readonly Range[] {
    if (this.peek() === undefined) this.refuse("a set without its end");
    if (this.take("\\")) return this.escape(true);
    const point = this.points[this.at++]!.codePointAt(0)!;
    return [[point, point]];
  }

  private escape(inSet: boolean): readonly Range[] {
    const letter = this.points[this.at++] ?? this.refuse("a \\ at the end");
    const [lower, negated] = [letter.toLowerCase(), letter !== letter.toLowerCase()];
    const named = { d: DIGITS, w: WORD, s: SPACE }[lower];
    if (named) return negated ? complement(named) : named;
    if (lower === "p") return this.property(letter);
    const point = this.escapedPoint(letter, inSet);
    return [[point, point]];
  }

  private escapedPoint(letter: string, inSet: boolean): number {
    if (Object.hasOwn(CONTROLS, letter)) return CONTROLS[letter]!;
    if (inSet && letter === "b") return 8;
    if (letter === "x") return this.hex(2);
    if (letter === "u") {
      if (!this.take("{")) return this.units();
      const digits = this.points.indexOf("}", this.at) - this.at;
      const point = this.hex(digits);
      this.at++;
      return point;
    }
    if (/[A-Za-z0-9]/.test(letter)) this.refuse(`\\${letter}`);
    return letter.codePointAt(0)!;
  }

  /** After \\u: four digits, or those of two surrogates that are one code point. */
  private units(): number {
    const lead = this.hex(4);
    if (lead < 0xd800 || lead > 0xdbff) return lead;
    const text = this.points.slice(this.at, this.at + 6).join("");
    if (!/^\\u[dD][c-fC-F][0-9a-fA-F]{2}$/.test(text)) return lead;
    this.at += 6;
    return 0x10000 + (lead - 0xd800) * 0x400 + (Number.parseInt(text.slice(2), 16) - 0xdc00);
  }

  private hex(digits: number): number {
    const text = this.points.slice(this.at, this.at + digits).join("");
    if (digits < 1 || digits > 6 || !/^[0-9a-fA-F]+$/.test(text) || text.length !== digits)
      this.refuse("an escape without its digits");
    const point = Number.parseInt(text, 16);
    if (point > POINT_MAX) this.refuse(`\\u{${text}}`);
    this.at += digits;
    return point;
  }

  /** A Unicode property's code points, asked one by one of this engine's own tables. */
  private property(letter: string): readonly Range[] {
    const end = this.points.indexOf("}", this.at);
    const text = this.points.slice(this.at, end + 1).join("");
    if (!/^\{[A-Za-z_]{1,40}(=[A-Za-z_]{1,40})?\}$/.test(text)) this.refuse(`\\${letter}`);
    let test: RegExp;
    try {
      test = new RegExp(`^\\${letter}${text}$`, "u");
    } catch {
      this.refuse(`\\${letter}${text}`);
    }
    this.at = end + 1;
    // Counted once a pattern, known or not, so that a pattern's work does not depend on others.
    if (!this.asked.has(letter + text)) this.spend(POINT_MAX);
    this.asked.add(letter + text);
    const known = properties.get(letter + text);
    if (known) return known;
    const ranges: [number, number][] = [];
    for (let point = 0; point <= POINT_MAX; point++) {
      if (!test.test(String.fromCodePoint(point))) continue;
      const last = ranges.at(-1);
      if (last?.[1] === point - 1) last[1] = point;
      else ranges.push([point, point]);
    }
    properties.set(letter + text, ranges);
    if (properties.size > GRAMMAR_PROPERTIES_KEPT_MAX)
      properties.delete(properties.keys().next().value!);
    return ranges;
  }
}
