/** The numbers of a range as JSON texts, decided digit by digit in exact decimals. */
import { classesOf, type Dfa, oneOf, type Steps, tabulate } from "./terminal.ts";

export interface NumberRange {
  readonly integer: boolean;
  readonly min: number;
  readonly max: number;
  readonly exclusiveMin: number;
  readonly exclusiveMax: number;
  /** Each divides the number, as decimals and not as the doubles nearest to them. */
  readonly multiples: readonly number[];
}

export const ANY_NUMBER: NumberRange = {
  integer: false,
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
  exclusiveMin: Number.NEGATIVE_INFINITY,
  exclusiveMax: Number.POSITIVE_INFINITY,
  multiples: [],
};

/** Numbers are written without an exponent: at most 15 digits before the point, which a double
 *  holds exactly, and at most 15 behind it. */
const DIGITS_MAX = 15;
const DIGITS_BEHIND_USUAL = 6;

/** A double's shortest decimal form: the text that JSON has for it, as digits * 10^-places. */
function decimalOf(value: number): { digits: bigint; places: number } {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))!;
  const behind = match[3] ?? "";
  const places = behind.length - Number(match[4] ?? 0);
  const digits = BigInt(match[1]! + match[2] + behind);
  return places >= 0 ? { digits, places } : { digits: digits * 10n ** BigInt(-places), places: 0 };
}

/** floor or ceil of value * 10^places. */
function scaled(value: number, places: number, up: boolean): bigint {
  const { digits, places: own } = decimalOf(value);
  if (own <= places) return digits * 10n ** BigInt(places - own);
  const divisor = 10n ** BigInt(own - places);
  const quotient = digits / divisor;
  const exact = quotient * divisor === digits;
  if (exact) return quotient;
  return up ? quotient + (digits > 0n ? 1n : 0n) : quotient - (digits < 0n ? 1n : 0n);
}

/** Whether a value is in the range. */
export function inRange(value: number, range: NumberRange): boolean {
  if (range.integer && !Number.isInteger(value)) return false;
  if (value < range.min || value > range.max) return false;
  if (value <= range.exclusiveMin || value >= range.exclusiveMax) return false;
  return range.multiples.every((multiple) => {
    const places = Math.max(decimalOf(value).places, decimalOf(multiple).places);
    return scaled(value, places, false) % scaled(multiple, places, false) === 0n;
  });
}

interface State {
  readonly negative: boolean;
  /** Digits so far as a number, how many, and how many of them behind the point (-1: no point). */
  readonly value: bigint;
  readonly digits: number;
  readonly behind: number;
}

/** Bounds and multiples in units of 10^-places. */
class ScaledRange {
  readonly places: number;
  readonly multiple: bigint;
  private readonly low: bigint;
  private readonly high: bigint;

  constructor(range: NumberRange) {
    this.places = placesOf(range);
    const most = 10n ** BigInt(DIGITS_MAX + this.places) - 1n;
    const limit = (value: number, up: boolean, otherwise: bigint) =>
      Number.isFinite(value) ? scaled(value, this.places, up) : otherwise;
    this.low = larger(limit(range.min, true, -most), this.above(range.exclusiveMin, -most));
    this.high = -larger(-limit(range.max, false, most), -this.below(range.exclusiveMax, most));
    this.multiple = range.multiples
      .map((multiple) => scaled(multiple, this.places, false))
      .reduce((a, b) => (a / gcd(a, b)) * b, 1n);
  }

  /** The least value whose double is above `bound`: parsing rounds, but never changes an order. */
  private above(bound: number, otherwise: bigint): bigint {
    if (!Number.isFinite(bound)) return otherwise;
    const at = scaled(bound, this.places, true);
    for (let step = 0n; ; step = step * 2n + 1n)
      if (this.numberOf(at + step) > bound) return at + step;
  }

  private below(bound: number, otherwise: bigint): bigint {
    if (!Number.isFinite(bound)) return otherwise;
    const at = scaled(bound, this.places, false);
    for (let step = 0n; ; step = step * 2n + 1n)
      if (this.numberOf(at - step) < bound) return at - step;
  }

  private numberOf(value: bigint): number {
    return Number(`${value}e-${this.places}`);
  }

  /** How the values of [from, to] * the sign lie: all, none or some of them in the range. */
  relation(negative: boolean, from: bigint, to: bigint): "all" | "none" | "some" {
    const low = larger(negative ? -this.high : this.low, negative ? 1n : 0n);
    const high = negative ? -this.low : this.high;
    if (to < low || from > high) return "none";
    return from >= low && to <= high ? "all" : "some";
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b);
}

function placesOf(range: NumberRange): number {
  if (range.integer && range.multiples.every(Number.isInteger)) return 0;
  const behind = (values: readonly number[]) =>
    Math.max(0, ...values.filter(Number.isFinite).map((value) => decimalOf(value).places));
  const { min, max, exclusiveMin, exclusiveMax, multiples } = range;
  if (multiples.length > 0) return behind(multiples);
  const bounds = behind([min, max, exclusiveMin, exclusiveMax]);
  return Math.min(DIGITS_MAX, Math.max(DIGITS_BEHIND_USUAL, bounds + 1));
}

/** The texts of the numbers in a range; none for an empty one. Errors: unsupported_parameter where
 *  a multiple has so many remainders that the automaton grows too large. */
export function numberText(range: NumberRange, path: string): Dfa {
  if (range.multiples.some((multiple) => decimalOf(multiple).places > DIGITS_MAX))
    return oneOf(inRange(0, range) ? ["0"] : []);
  const bounds = new ScaledRange(range);
  const { places, multiple } = bounds;
  const unit = 10n ** BigInt(places);
  const whole = ({ value, behind }: State) =>
    behind < 0 ? value * unit : value * 10n ** BigInt(places - behind);
  const steps: Steps<State> = {
    start: { negative: false, value: 0n, digits: 0, behind: -1 },
    classes: classesOf(
      [0x2d, 0x2e, ..."0123456789"].map((byte) => {
        const code = typeof byte === "string" ? byte.charCodeAt(0) : byte;
        return [code, code] as const;
      }),
    ),
    key: (state) => keyOf(state, bounds),
    step: (state, byte) => {
      const after = next(state, byte, range.integer ? 0 : places);
      return after && possible(after, bounds).some((part) => part !== "none") ? after : null;
    },
    accepts: (state) =>
      state.digits > 0 &&
      state.behind !== 0 &&
      bounds.relation(state.negative, whole(state), whole(state)) === "all" &&
      whole(state) % multiple === 0n,
  };
  return tabulate(steps, path);
}

function next(state: State, byte: number, places: number): State | null {
  const { negative, value, digits, behind } = state;
  if (byte === 0x2d)
    return digits === 0 && !negative ? { negative: true, value, digits, behind } : null;
  if (byte === 0x2e)
    return digits > 0 && behind < 0 && places > 0 ? { negative, value, digits, behind: 0 } : null;
  if (byte < 0x30 || byte > 0x39) return null;
  const longer = value * 10n + BigInt(byte - 0x30);
  if (behind >= 0)
    return behind < places
      ? { negative, value: longer, digits: digits + 1, behind: behind + 1 }
      : null;
  const full = digits === DIGITS_MAX || (digits === 1 && value === 0n);
  return full ? null : { negative, value: longer, digits: digits + 1, behind };
}

/** How the values of each longer text lie, by how many digits come before the point. */
function possible(state: State, bounds: ScaledRange): ("all" | "none" | "some")[] {
  const { negative, value, digits, behind } = state;
  const { places } = bounds;
  if (behind >= 0) {
    const unit = 10n ** BigInt(places - behind);
    return [bounds.relation(negative, value * unit, (value + 1n) * unit - 1n)];
  }
  const more = digits === 1 && value === 0n ? 0 : DIGITS_MAX - digits;
  return Array.from({ length: more + 1 }, (_, i) => {
    const unit = 10n ** BigInt(places + i);
    return bounds.relation(negative, value * unit, (value + 1n) * unit - 1n);
  });
}

/** Texts whose continuations are equally good are one state: the digits themselves count only
 *  where a bound runs through the values that begin with them. */
function keyOf(state: State, bounds: ScaledRange): string {
  const parts = possible(state, bounds);
  const zero = state.digits === 1 && state.value === 0n;
  const digits = parts.includes("some") || state.digits === 0 ? `=${state.value}` : "";
  const rest = state.value % bounds.multiple;
  const flags = `${state.negative}${state.behind < 0 ? `${state.digits}${zero}` : ""}`;
  return `${flags},${state.behind},${digits},${rest},${parts.join()}`;
}
