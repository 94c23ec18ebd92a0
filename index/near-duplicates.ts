/** Whether two passages say the same. Pure functions: what is indexed once because of them is
 *  decided in src/memory. */
import { normalForm } from "../src/model/normal-form.ts";

/** A text with one of these is compared as it is: in code every mark and every letter counts. */
const CODE = /[{}=<>`\\|^~]|\w\(|::|->/;
/** Words, numbers with their signs and points, and marks that are read: symbols (currencies,
 *  operators, degrees, emoji), percent and question marks, an @, an &, a slash, a section's mark;
 *  the number sign, the hyphen and the mark of exclamation where they touch what they belong to
 *  ("C#", "#1", "A-", "5!"), quotation marks behind a number ("5' long"), and the tags that tell
 *  flags apart. Other marks, case and whitespace are how it is set. */
const NUMBER = /[+\-\u2212]?\p{N}[\p{L}\p{M}\p{N}]*(?:[.,:/]\p{N}+)*/u;
const WORD = /[\p{L}\p{M}][\p{L}\p{M}\p{N}]*/u;
const MARKS = [
  /[\p{S}\p{Co}?%\u2030@&/\u00a7\u{e0020}-\u{e007f}]/u,
  /(?<=[\p{L}\p{N}])#|#(?=[\p{L}\p{N}])|(?<=\p{L})-(?![\p{L}\p{M}\p{N}-])|(?<=\p{N})['"!]/u,
];
const SAID = new RegExp([NUMBER, WORD, ...MARKS].map(({ source }) => source).join("|"), "gu");

/** The text without what does not change what it says: prose in NFKC and lower case, its words,
 *  numbers and marks that are read alone, one space apart; what looks like code with its whitespace
 *  collapsed and no more. Two passages say the same where these are equal. Linear. */
export function saidBy(text: string): string {
  if (CODE.test(text)) return text.replace(/\s+/g, " ").trim();
  return (normalOf(text).toLowerCase().match(SAID) ?? []).join(" ");
}

/** NFKC, in which 10² is no 102, with one form of each quotation mark. */
function normalOf(text: string): string {
  const apart = text
    .replace(/[\u00b2\u00b3\u00b9\u2070-\u207f]+/g, " ^$& ")
    .replace(/[\u201c\u201d\u2033]/g, '"');
  return normalForm(apart, "NFKC").replace(/[\u2018\u2019\u2032]/g, "'");
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
