/** One kind of input and what must hold of every one of its cases. */
import { codeOf } from "../../src/errors.ts";
import type { Random } from "./random.ts";

/** What became of a case, in a word: "read", an error's code, or what the target calls it. */
export type End = string;

/** Makes an input by the chances and holds what comes of it to what must hold; throws where it
 *  does not. `show` remembers the input for whoever reads the failure. */
export type Case = (random: Random, show: (input: unknown) => void) => End | Promise<End>;

export interface Target {
  name: string;
  /** What it makes, and what it holds that to. */
  about: string;
  /** How many cases the command tries unless told, and the tests. */
  cases: number;
  short: number;
  /** What becomes of cases; each must come of some of `short` cases. */
  ends: readonly End[];
  /** What else may become of one. */
  rare?: readonly End[];
  prepare(): Promise<Case> | Case;
}

/** The code of an expected refusal. Throws on what is a bug: an error without a code, and one that
 *  calls itself a bug. */
export function refusalOf(error: unknown): End {
  const code = codeOf(error);
  if (code === null || code === "internal") throw error;
  return code;
}

/** Throws, where a test's library is not at hand. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** `must` of two values that are equal as JSON. */
export function mustEqual(got: unknown, wanted: unknown, what: string): void {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  must(left === right, `${what}: ${left?.slice(0, 400)}, not ${right?.slice(0, 400)}`);
}
