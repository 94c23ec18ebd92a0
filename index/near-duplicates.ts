/** Whether two passages say the same, and how much of what they say is the same. Pure functions:
 *  what is stored once because of them is decided in src/memory. */

/** A text with one of these is compared as it is: in code every mark and every letter counts. */
const CODE = /[{}=<>`\\|^~]|\w\(|::|->/;
/** Words, numbers with their signs and points, currencies, operators, percent, degree and question
 *  marks: what a sentence says. Other marks, case and whitespace are how it is set. */
const NUMBER = /[+\-\u2212]?\p{N}[\p{L}\p{M}\p{N}]*(?:[.,:/]\p{N}+)*/u;
const WORD = /[\p{L}\p{M}][\p{L}\p{M}\p{N}]*/u;
const MARK = /[\p{Sm}\p{Sc}?%\u2030\u00b0]/u;
const SAID = new RegExp(`${NUMBER.source}|${WORD.source}|${MARK.source}`, "gu");
/** Scripts that put no spaces between words: each character counts as one. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}]/gu;

/** The text without what does not change what it says: prose in NFKC and lower case, its words and
 *  numbers alone, one space apart; what looks like code with its whitespace collapsed and no more.
 *  Two passages say the same where these are equal. Linear. */
export function saidBy(text: string): string {
  if (CODE.test(text)) return text.replace(/\s+/g, " ").trim();
  return (text.normalize("NFKC").toLowerCase().match(SAID) ?? []).join(" ");
}

/** 64 bits of `saidBy(text)`, in 8 bytes: equal for passages that say the same, and for others once
 *  in 2^64 pairs, so that who finds one must compare. Source of the mixing: cyrb53 (public domain,
 *  bryc), with both its words kept. */
export function fingerprint(said: string): Uint8Array {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < said.length; i++) {
    const unit = said.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x9e3779b1);
    b = Math.imul(b ^ unit, 0x5f356495);
  }
  const high = mix(a, 0x85ebca6b) ^ mix(b, 0xc2b2ae35);
  const low = mix(b, 0x85ebca6b) ^ mix(a, 0xc2b2ae35);
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, high >>> 0);
  view.setUint32(4, low >>> 0);
  return bytes;
}

function mix(word: number, factor: number): number {
  const mixed = Math.imul(word ^ (word >>> 16), factor);
  return mixed ^ (mixed >>> 13);
}

/** How many words a shingle has. */
const SHINGLE_WORDS = 3;
/** Values of a sketch: the estimate's standard error is sqrt(J (1 - J) / 128), .03 at J = .9. */
const SKETCH_VALUES = 128;

/** What `resemblance` compares: u8 [128], the lowest 8 bits of a one-permutation MinHash of the
 *  text's shingles of three words. A text of fewer words is one shingle; one that says nothing has
 *  a sketch of zeros. Sources: Broder 1997 (resemblance); Li & König, WWW 2010 (b bits);
 *  Shrivastava, ICML 2017 (empty bins take from others by hashing). */
export function sketch(said: string): Uint8Array {
  const words = wordHashes(said);
  const values = new Uint8Array(SKETCH_VALUES);
  if (words.length === 0) return values;
  const least = new Float64Array(SKETCH_VALUES).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i === 0 || i + SHINGLE_WORDS <= words.length; i++) {
    let hash = 0;
    const end = Math.min(words.length, i + SHINGLE_WORDS);
    for (let j = i; j < end; j++) hash = Math.imul(hash, 0x01000193) ^ words[j]!;
    const mixed = mix(mix(hash, 0x85ebca6b), 0xc2b2ae35) >>> 0;
    const bin = mixed % SKETCH_VALUES;
    least[bin] = Math.min(least[bin]!, Math.floor(mixed / SKETCH_VALUES));
  }
  for (let bin = 0; bin < SKETCH_VALUES; bin++) {
    let from = bin;
    for (let attempt = 1; least[from] === Number.POSITIVE_INFINITY; attempt++)
      from = (mix(Math.imul(bin + 1, 0x9e3779b1) + attempt, 0x85ebca6b) >>> 0) % SKETCH_VALUES;
    values[bin] = mix(least[from]! + Math.imul(bin, 0x5f356495), 0xc2b2ae35) & 0xff;
  }
  return values;
}

/** The estimated share of both texts' shingles that both have, 0 to 1: 1 for what says the same. */
export function resemblance(a: Uint8Array, b: Uint8Array): number {
  let same = 0;
  for (let i = 0; i < SKETCH_VALUES; i++) if (a[i] === b[i]) same++;
  // Of values that differ, one in 256 agrees in its lowest 8 bits.
  return Math.max(0, (same / SKETCH_VALUES - 1 / 256) / (1 - 1 / 256));
}

function wordHashes(said: string): number[] {
  const units = said.replace(UNSPACED, " $& ");
  const words: number[] = [];
  let hash = 0;
  let any = false;
  for (let i = 0; i < units.length; i++) {
    const unit = units.charCodeAt(i);
    if (unit !== 32) {
      hash = Math.imul(hash ^ unit, 0x9e3779b1);
      any = true;
    }
    if (any && (unit === 32 || i === units.length - 1)) {
      words.push(mix(hash, 0x85ebca6b));
      hash = 0;
      any = false;
    }
  }
  return words;
}
