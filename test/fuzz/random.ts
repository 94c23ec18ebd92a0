/** Chances of a fuzz case: the same for the same seed, target and number. */
import { mulberry32 } from "../../eval/random.ts";

export class Random {
  readonly #next: () => number;

  constructor(seed: number, target: string, number: number) {
    // FNV-1a, so that cases of one number differ from target to target.
    let hash = 0x811c9dc5;
    for (const unit of `${seed} ${target} ${number}`)
      hash = Math.imul(hash ^ unit.charCodeAt(0), 0x01000193);
    this.#next = mulberry32(hash);
    for (let i = 0; i < 4; i++) this.#next(); // near seeds begin alike
  }

  /** Uniform in [0, 1). */
  next = (): number => this.#next();

  /** A whole number, uniform below n. */
  below = (n: number): number => Math.floor(this.#next() * n);

  /** True once in n times. */
  once = (n: number): boolean => this.below(n) === 0;

  pick = <T>(items: readonly T[]): T => items[this.below(items.length)]!;

  /** Up to `max` things. */
  some = <T>(max: number, make: () => T): T[] => Array.from({ length: this.below(max + 1) }, make);

  /** Up to `max` of the pieces, joined. */
  joined = (pieces: readonly string[], max: number): string =>
    this.some(max, () => this.pick(pieces)).join("");
}

/** Texts at which programs stumble. */
export const ODD_TEXTS: readonly string[] = [
  ...["", " ", "\n", "\r\n", "\t", "\u0000", "\ufeff", "\ud800", "\udc00", "\ufffd", "\u2028"],
  ..."é ü 猫 ｆｕｌｌ ①".split(" "),
  ...["😀", "👩‍👩‍👧", "e\u0301\u0301\u0301", "\u202e", "\u200b", "\u00ad", "\ufdd0", "\ufdd1"],
  ...["__proto__", "constructor", "toString", "null", "NaN", "-0", "1e400", "0x10"],
];

/** A text cut, doubled, swapped or interrupted somewhere, a few times. */
export function mutatedText(text: string, random: Random, pieces: readonly string[]): string {
  let out = text;
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(out.length + 1);
    const end = Math.min(out.length, at + 1 + random.below(12));
    const kind = random.below(5);
    if (kind === 0) out = out.slice(0, at) + out.slice(end);
    else if (kind === 1) out = out.slice(0, at) + random.pick(pieces) + out.slice(at);
    else if (kind === 2) out = out.slice(0, end) + out.slice(at);
    else if (kind === 3) out = out.slice(0, at);
    else out = out.slice(0, at) + random.pick(ODD_TEXTS) + out.slice(end);
  }
  return out;
}
