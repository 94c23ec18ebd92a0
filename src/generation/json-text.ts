/** The characters of JSON strings as bytes. One form of each is written: a character below U+0020,
 *  the quote and the backslash by their short escape or \u00xx, every other one as UTF-8; so two
 *  texts that differ are two strings that differ. */
import { ServiceError } from "../errors.ts";
import { GRAMMAR_NFA_STATES_MAX } from "../limits.ts";
import { ANY, type Range, type Regex, type Repeat } from "./regex.ts";
import {
  type ByteClasses,
  classesOf,
  DEAD,
  type Dfa,
  type Terminal,
  tabulate,
} from "./terminal.ts";

/** Byte ranges, one after the other. */
type Bytes = readonly (readonly [number, number])[];

const utf8 = new TextEncoder();

/** The byte strings that stand for the code points of a range in a JSON string. */
function* encodings([first, last]: Range): Generator<Bytes> {
  for (const point of [...Array(32).keys(), 0x22, 0x5c])
    if (point >= first && point <= last) {
      const text = JSON.stringify(String.fromCodePoint(point)).slice(1, -1);
      yield Array.from(utf8.encode(text), (byte) => [byte, byte] as const);
    }
  // What is left of the range without controls, quote, backslash and surrogates.
  for (const [from, to] of [
    [0x20, 0x21],
    [0x23, 0x5b],
    [0x5d, 0x7f],
    [0x80, 0x7ff],
    [0x800, 0xd7ff],
    [0xe000, 0xffff],
    [0x10000, 0x10ffff],
  ] as const) {
    const low = Math.max(first, from);
    const high = Math.min(last, to);
    if (low <= high) yield* utf8Ranges(low, high);
  }
}

/** Splits a range whose UTF-8 has one length where its bytes are not independent of each other.
 *  Source: Thompson's construction for UTF-8 as in RE2 (Cox, 2010). */
function* utf8Ranges(low: number, high: number): Generator<Bytes> {
  for (let bits = 6; bits <= 18 && high > 0x7f; bits += 6) {
    const mask = 2 ** bits - 1;
    if ((low & ~mask) === (high & ~mask)) continue;
    if ((low & mask) !== 0) {
      yield* utf8Ranges(low, low | mask);
      yield* utf8Ranges((low | mask) + 1, high);
      return;
    }
    if ((high & mask) !== mask) {
      yield* utf8Ranges(low, (high & ~mask) - 1);
      yield* utf8Ranges(high & ~mask, high);
      return;
    }
  }
  const last = utf8.encode(String.fromCodePoint(high));
  yield Array.from(utf8.encode(String.fromCodePoint(low)), (byte, i) => [byte, last[i]!] as const);
}

/** A nondeterministic automaton: state 0 starts, `end` accepts. */
class Nfa {
  readonly empty: number[][] = [[]];
  readonly edges: { first: number; last: number; to: number }[][] = [[]];
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  add(): number {
    if (this.empty.length >= GRAMMAR_NFA_STATES_MAX)
      throw new ServiceError(
        "unsupported_parameter",
        `${this.path}: the pattern needs more than ${GRAMMAR_NFA_STATES_MAX} states`,
        { param: "response_format" },
      );
    this.edges.push([]);
    return this.empty.push([]) - 1;
  }

  /** Adds what leads through `regex` from a state and gives the state behind it. */
  build(regex: Regex, from: number): number {
    if (regex.kind === "sequence")
      return regex.parts.reduce((state, part) => this.build(part, state), from);
    const end = this.add();
    if (regex.kind === "set") this.buildSet(regex.ranges, from, end);
    else if (regex.kind === "choice")
      for (const part of regex.parts) this.empty[this.build(part, from)]!.push(end);
    else this.buildRepeat(regex, from, end);
    return end;
  }

  /** Byte strings share the states of what they begin with and of what they end with, so that a
   *  set that is repeated some hundred times fits into the bounds: 13 states where most characters
   *  are in it, instead of 160. */
  private buildSet(ranges: readonly Range[], from: number, end: number): void {
    const known = new Map<string, number>();
    const lead = (state: number, strings: readonly Bytes[]) => {
      for (const group of Map.groupBy(strings, ([byte]) => byte!.join()).values()) {
        const [first, last] = group[0]![0]!;
        const rests = group.map((bytes) => bytes.slice(1));
        const key = JSON.stringify(rests);
        // No character's bytes begin another's: where one rest is empty, it is the only one.
        let to = rests[0]!.length === 0 ? end : known.get(key);
        if (to === undefined) {
          to = this.add();
          known.set(key, to);
          lead(to, rests);
        }
        this.edges[state]!.push({ first, last, to });
      }
    };
    lead(
      from,
      ranges.flatMap((range) => [...encodings(range)]),
    );
  }

  private buildRepeat(regex: Repeat, from: number, end: number): void {
    const { part, min, max } = regex;
    // A part may begin with a loop of its own, so each round begins at a state of its own.
    const fresh = (before: number) => {
      const state = this.add();
      this.empty[before]!.push(state);
      return state;
    };
    let state = fresh(from);
    for (let i = 0; i < min; i++) state = fresh(this.build(part, state));
    if (max === Number.POSITIVE_INFINITY) this.empty[this.build(part, state)]!.push(state);
    else
      for (let i = min; i < max; i++) {
        this.empty[state]!.push(end);
        state = fresh(this.build(part, state));
      }
    this.empty[state]!.push(end);
  }

  closure(states: readonly number[]): number[] {
    const all = new Set(states);
    for (const state of all) for (const next of this.empty[state]!) all.add(next);
    return Array.from(all).sort((a, b) => a - b);
  }
}

/** The JSON string contents, without quotes, of the texts that a regex matches whole. `spend` is
 *  told how many states and edges were looked at, and may throw. */
export function contentOf(
  regex: Regex,
  path: string,
  spend: (work: number) => void = () => {},
): Dfa {
  const nfa = new Nfa(path);
  const end = nfa.build(regex, 0);
  const ranges = nfa.edges.flat().map(({ first, last }) => [first, last] as const);
  return tabulate(
    {
      start: nfa.closure([0]),
      classes: classesOf(ranges),
      key: (states) => states.join(),
      step: (states, byte) => {
        const after: number[] = [];
        let work = states.length;
        for (const state of states) {
          work += nfa.edges[state]!.length;
          for (const { first, last, to } of nfa.edges[state]!)
            if (byte >= first && byte <= last) after.push(to);
        }
        const all = after.length > 0 ? nfa.closure(after) : null;
        spend(work + (all?.length ?? 0));
        return all;
      },
      accepts: (states) => states.includes(end),
    },
    path,
  );
}

const character = contentOf(ANY, "a character");

/** The byte classes that tell JSON's characters and those of `others` apart. */
export function charClasses(others: readonly Dfa[]): ByteClasses {
  const all = [character, ...others];
  const ranges: [number, number][] = [];
  for (let byte = 1; byte < 256; byte++)
    if (all.some(({ classes }) => classes.of[byte] !== classes.of[byte - 1]))
      ranges.push([byte, 255]);
  return classesOf(ranges);
}

/** JSON string contents of min to max characters (code points). States are numbers that are
 *  computed, not tabulated: a length of 100,000 costs nothing. */
export class Characters implements Terminal {
  readonly start = 0;
  private readonly min: number;
  private readonly max: number;
  /** Where counting further makes no difference. */
  private readonly most: number;

  constructor(min = 0, max = Number.POSITIVE_INFINITY) {
    this.min = min;
    this.max = max;
    this.most = max === Number.POSITIVE_INFINITY ? min : max;
  }

  // A state is count * STRIDE + the state inside a character, 0 between two.
  step(state: number, byte: number): number {
    const count = Math.floor(state / STRIDE);
    const inside = state % STRIDE;
    if (inside === 0 && count >= this.max) return DEAD;
    const after = character.step(inside, byte);
    if (after === DEAD) return DEAD;
    if (!character.accepts(after)) return count * STRIDE + after;
    return Math.min(count + 1, this.most) * STRIDE;
  }

  accepts(state: number): boolean {
    return state % STRIDE === 0 && Math.floor(state / STRIDE) >= this.min;
  }

  distance(state: number): number {
    if (this.min > this.max) return Number.POSITIVE_INFINITY;
    const missing = Math.max(0, this.min - Math.floor(state / STRIDE));
    const inside = state % STRIDE;
    return inside === 0 ? missing : character.distance(inside) + Math.max(0, missing - 1);
  }
}

/** Whether each character of what an automaton of JSON string contents accepts is one byte: none is
 *  above U+007F, and none is written with a backslash. */
export function isPlain(content: Dfa): boolean {
  for (let state = 0; state < content.size; state++) {
    if (content.step(state, 0x5c) !== DEAD) return false;
    for (let byte = 0x80; byte < 256; byte++) if (content.step(state, byte) !== DEAD) return false;
  }
  return true;
}

/** Those strings of a plain automaton that have at most `max` characters. States are computed: in a
 *  table each would be there once for every count, and 200 times a maxLength of 254 is too many. */
export class Shorter implements Terminal {
  readonly start: number;
  private readonly content: Dfa;
  private readonly max: number;

  constructor(content: Dfa, max: number) {
    this.content = content;
    this.max = max;
    this.start = content.start;
  }

  // A state is count * size + the content's own.
  step(state: number, byte: number): number {
    const { size } = this.content;
    const after = this.content.step(state % size, byte);
    if (after === DEAD) return DEAD;
    const next = (Math.floor(state / size) + 1) * size + after;
    return this.distance(next) === Number.POSITIVE_INFINITY ? DEAD : next;
  }

  accepts(state: number): boolean {
    return this.content.accepts(state % this.content.size);
  }

  distance(state: number): number {
    const { size } = this.content;
    const distance = this.content.distance(state % size);
    const left = this.max - Math.floor(state / size);
    return distance <= left ? distance : Number.POSITIVE_INFINITY;
  }
}

/** More than the states inside a character. */
const STRIDE = 64;
