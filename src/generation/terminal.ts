/** Automata over bytes: what the grammars of constrained decoding are made of. */
import { ServiceError } from "../errors.ts";
import { GRAMMAR_DFA_STATES_MAX } from "../limits.ts";

/** The state from which nothing is accepted. */
export const DEAD = -1;

/** A language of byte strings. From every state but DEAD an accepting one can be reached. */
export interface Terminal {
  readonly start: number;
  /** The state after a byte, or DEAD. */
  step(state: number, byte: number): number;
  accepts(state: number): boolean;
  /** The fewest bytes from here to an accepting state; Infinity only where nothing is accepted. */
  distance(state: number): number;
}

/** Which bytes are never told apart: a class for each byte, from 0. */
export interface ByteClasses {
  readonly of: Uint8Array;
  readonly count: number;
}

/** Classes that tell apart what any of the ranges [first, last] tells apart. */
export function classesOf(ranges: Iterable<readonly [number, number]>): ByteClasses {
  const begins = new Uint8Array(257);
  for (const [first, last] of ranges) begins[first] = begins[last + 1] = 1;
  const of = new Uint8Array(256);
  let count = 0;
  for (let byte = 1; byte < 256; byte++) of[byte] = count += begins[byte]!;
  return { of, count: count + 1 };
}

/** A deterministic automaton in tables: next i32 [states, classes]. */
export class Dfa implements Terminal {
  readonly start: number;
  readonly classes: ByteClasses;
  private readonly next: Int32Array;
  private readonly accepting: readonly boolean[];
  private readonly distances: Int32Array;

  constructor(classes: ByteClasses, next: Int32Array, accepting: readonly boolean[]) {
    this.classes = classes;
    this.next = next;
    this.accepting = accepting;
    this.distances = distancesOf(next, classes.count, accepting);
    for (let i = 0; i < next.length; i++)
      if (next[i] !== DEAD && this.distances[next[i]!] === DEAD) next[i] = DEAD;
    this.start = 0;
  }

  /** Of its tables. */
  get bytes(): number {
    return this.next.byteLength + this.distances.byteLength + this.classes.of.length;
  }

  /** How many states it has. */
  get size(): number {
    return this.accepting.length;
  }

  step(state: number, byte: number): number {
    return this.next[state * this.classes.count + this.classes.of[byte]!]!;
  }

  accepts(state: number): boolean {
    return this.accepting[state]!;
  }

  distance(state: number): number {
    const distance = this.distances[state]!;
    return distance === DEAD ? Number.POSITIVE_INFINITY : distance;
  }
}

/** For each state the fewest steps to an accepting one, or DEAD: breadth first, backwards. */
function distancesOf(next: Int32Array, classes: number, accepting: readonly boolean[]): Int32Array {
  const before: number[][] = accepting.map(() => []);
  for (let i = 0; i < next.length; i++)
    if (next[i] !== DEAD) before[next[i]!]!.push(Math.trunc(i / classes));
  const distances = new Int32Array(accepting.length).fill(DEAD);
  const queue: number[] = [];
  for (const [state, accepts] of accepting.entries()) {
    if (!accepts) continue;
    distances[state] = 0;
    queue.push(state);
  }
  for (const state of queue)
    for (const earlier of before[state]!)
      if (distances[earlier] === DEAD) {
        distances[earlier] = distances[state]! + 1;
        queue.push(earlier);
      }
  return distances;
}

/** What an automaton does, before it is in tables. States of one key are one state. */
export interface Steps<S> {
  readonly start: S;
  readonly classes: ByteClasses;
  key(state: S): string;
  step(state: S, byte: number): S | null;
  accepts(state: S): boolean;
}

/** The automaton in tables, by exploring it from its start. Errors: unsupported_parameter beyond
 *  GRAMMAR_DFA_STATES_MAX states, naming `path`, the place in the schema. */
export function tabulate<S>(steps: Steps<S>, path: string): Dfa {
  const { classes } = steps;
  const bytes = Array.from({ length: classes.count }, (_, i) => classes.of.indexOf(i));
  const known = new Map([[steps.key(steps.start), 0]]);
  const states = [steps.start];
  const next: number[] = [];
  for (const state of states) {
    for (const byte of bytes) {
      const after = steps.step(state, byte);
      if (after === null) {
        next.push(DEAD);
        continue;
      }
      const key = steps.key(after);
      let number = known.get(key);
      if (number === undefined) {
        number = states.length;
        known.set(key, number);
        states.push(after);
        if (number >= GRAMMAR_DFA_STATES_MAX) refuseTooManyStates(path);
      }
      next.push(number);
    }
  }
  return new Dfa(
    classes,
    Int32Array.from(next),
    states.map((state) => steps.accepts(state)),
  );
}

function refuseTooManyStates(path: string): never {
  throw new ServiceError(
    "unsupported_parameter",
    `${path} takes an automaton of more than ${GRAMMAR_DFA_STATES_MAX} states; a shorter ` +
      "pattern, length or range is needed",
    { param: "response_format" },
  );
}

/** The strings that all of `included` and none of `excluded` accept. */
export function combine(
  included: readonly Terminal[],
  excluded: readonly Terminal[],
  classes: ByteClasses,
  path: string,
): Dfa {
  const all = [...included, ...excluded];
  const steps: Steps<number[]> = {
    start: all.map((terminal) => terminal.start),
    classes,
    key: (states) => states.join(),
    step: (states, byte) => {
      const after = states.map((s, i) => (s === DEAD ? DEAD : all[i]!.step(s, byte)));
      return included.some((_, i) => after[i] === DEAD) ? null : after;
    },
    accepts: (states) =>
      states.every((s, i) => (s !== DEAD && all[i]!.accepts(s)) === i < included.length),
  };
  return tabulate(steps, path);
}

const utf8 = new TextEncoder();

/** One of these texts, in UTF-8. */
export function oneOf(texts: readonly string[], path = "an enum"): Dfa {
  const all = texts.map((text) => utf8.encode(text));
  const bytes = new Set(all.flatMap((text) => Array.from(text)));
  const steps: Steps<{ at: number; left: Uint8Array[] }> = {
    start: { at: 0, left: all },
    classes: classesOf(Array.from(bytes, (byte) => [byte, byte] as const)),
    // What is left shares its beginning, so one text and the length tell which it is.
    key: ({ at, left }) => `${at}:${all.indexOf(left[0]!)}`,
    step: ({ at, left }, byte) => {
      const after = left.filter((text) => text[at] === byte);
      return after.length > 0 ? { at: at + 1, left: after } : null;
    },
    accepts: ({ at, left }) => left.some((text) => text.length === at),
  };
  return tabulate(steps, path);
}
