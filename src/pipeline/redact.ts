/** Takes out of a text what tells of a person or opens a door, before it is kept. It knows forms,
 *  not meanings: names and addresses in words stay. */
import { TRACE_TEXT_CHARS_MAX } from "../limits.ts";

/** What stands before a secret's value. */
const SECRET = /(?:key|token|secret|password|passwd|pwd)["'`]?\s{0,4}[:=]\s{0,4}/;

/** A value in quotes runs to the one that closes, whatever is between. */
const QUOTED = ['"', "'", "`"].map((mark): [RegExp, string] => {
  const value = `(?:[^${mark}\\\\\\n]|\\\\.){4,4000}`;
  return [new RegExp(`(${SECRET.source}${mark})${value}`, "gi"), "$1[key]"];
});

/** What providers put before the random tail of a key, and - or _ between. Words go on after those
 *  of the second list too: a tail of theirs is long and in one piece. */
const PREFIXES = [
  ...["sk", "pk", "rk", "brink", "whsec", "gh[oprsu]", "glpat", "glrt", "xapp", "xox[abeprs]"],
  ...["nvapi", "figd", "dckr_pat", "GOCSPX", "NRAK", "PMAK", "AGE-SECRET-KEY", "tskey-[a-z]{1,9}"],
].join("|");
const WORDY = [
  ...["hf", "gsk", "r8", "xai", "pplx", "npm", "sbp", "sntry[su]", "tvly(?:-prod|-dev)?"],
  ...["shp(?:at|ss|ca|pa)", "do[opr]_v1", "lin_api"],
].join("|");

/** Letters of any script, as RFC 6531 has them. Where words have no spaces between, what stands
 *  before an address may go with it. */
const EMAIL = (() => {
  const [letter, local] = ["[\\p{L}\\p{M}\\p{N}-]", "[\\p{L}\\p{M}\\p{N}_.%+-]"];
  const domain = `${letter}{1,63}(?:\\.${letter}{1,63}){1,8}`;
  return new RegExp(`(?<!${local})${local}{1,254}@${domain}`, "gu");
})();

/** Every repetition has a bound and none can match in two ways what another matches too, so the
 *  time is linear in the text's length. */
const FORMS: [RegExp, string][] = [
  // PEM blocks hold what no other form would know. Single hyphens stand in their headers.
  [
    /-----BEGIN [A-Z ]{1,40}-----(?:[^-]|-(?!----)){0,8000}(?:-----END [A-Z ]{1,40}-----)?/g,
    "[key]",
  ],
  // JSON web tokens: three parts of base64url, of which the first is an object.
  [/(?<![\w-])eyJ[\w-]{5,4000}\.[\w-]{2,4000}\.?[\w-]{0,1000}/g, "[key]"],
  [/\b(bearer|basic|token)(\s{1,4})[A-Za-z0-9._~+/=-]{8,4000}/gi, "$1$2[key]"],
  // A user may be missing, as in Redis'.
  [/(:\/\/)[^\s/:@]{0,100}:[^\s/@]{1,200}@/g, "$1[key]@"],
  // NAME=VALUE and "name": "value" of what is called a secret.
  ...QUOTED,
  [new RegExp(`(${SECRET.source}"?)(?!["'\`]?\\[key\\])[^\\s",;]{4,400}`, "gi"), "$1[key]"],
  // Keys of providers: a short prefix of their own and a long random tail.
  [new RegExp(`(?<![\\w-])(?:${PREFIXES})[-_][\\w-]{12,400}`, "g"), "[key]"],
  [new RegExp(`(?<![\\w-])(?:${WORDY})[-_][A-Za-z0-9]{20,400}`, "g"), "[key]"],
  [/(?<![\w-])(?:AIza|ATATT3|EAAC|pypi-Ag)[\w=-]{28,400}/g, "[key]"],
  [/(?<![\w-])(?:SG|hv[bs]|ya29)\.[\w.-]{20,400}/g, "[key]"],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, "[key]"],
  [/\bgithub_pat_[A-Za-z0-9_]{20,400}/g, "[key]"],
  [EMAIL, "[email]"],
];

/** Dates, which stay, and which what stands beside them is no part of. */
const DATE =
  /(?<![\w./-])((?:\d{4}-[01]\d-[0-3]\d|[0-3]?\d\.[01]?\d\.\d{4}|[0-3]?\d\/[0-3]?\d\/\d{4})(?!\d))/;

/** Groups of digits, of which some may be a card's. */
const GROUPS = /(?<![\w.])\d{1,19}(?:[\p{Zs}\p{Pd}\u2212\t()./]{1,3}\d{1,19}){0,4000}(?!\w)/gu;

/** Digits with single separators between, as telephones are written. */
const NUMBER = /(?<![\w.])\+?\(?\d(?:[\p{Zs}\p{Pd}\u2212()./]{0,2}\d){6,24}(?!\w)/gu;

/** Shows nothing and stands in no script's words: what is copied out of a page has some. */
const INVISIBLE = /[\u00ad\u200b\u2060\ufeff]/g;

/** Digits, letters and @ + - . : = _ of the width of a Chinese character, as input methods give. */
const WIDE = /[\uff0b\uff0d\uff0e\uff10-\uff1a\uff1d\uff20-\uff3a\uff3f\uff41-\uff5a]/g;

/** The text as the forms know it. */
function plainOf(text: string): string {
  const shown = text.replace(INVISIBLE, "");
  return shown.replace(WIDE, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0));
}

/** The text, redacted and cut to TRACE_TEXT_CHARS_MAX. It is cut to twice that first, so that what
 *  the cut leaves of a secret is still known as one. */
export function redact(text: string, charsMax: number = TRACE_TEXT_CHARS_MAX): string {
  let kept = plainOf(text.slice(0, 2 * charsMax).toWellFormed());
  for (const [form, instead] of FORMS) kept = kept.replace(form, instead);
  kept = kept
    .split(DATE)
    .map((part, i) => (i % 2 === 1 ? part : redactNumbers(part)))
    .join("");
  return kept.length <= charsMax ? kept : `${kept.slice(0, charsMax).toWellFormed()}…`;
}

function redactNumbers(text: string): string {
  const cardless = text.replace(GROUPS, (found) => withoutCards(found));
  return cardless.replace(NUMBER, (found) => (isPhone(found) ? "[phone]" : found));
}

/** Whole groups of 13 to 19 digits together that pass the check of card numbers are a card; what
 *  stands before or behind, as when it expires, is not checked with them. Where several would do
 *  that overlap, all of them go. */
function withoutCards(found: string): string {
  const groups = [...found.matchAll(/\d+/g)];
  let out = "";
  let kept = 0; // what lies before this is in `out`, or was a card's
  for (const [i, { index }] of groups.entries()) {
    const end = endOfCard(groups, i);
    if (end === null || end <= kept) continue;
    if (index >= kept) out += `${found.slice(kept, index)}[card]`;
    kept = end;
  }
  return out + found.slice(kept);
}

/** Where the longest card number ends that begins with the first of the groups; null: none does.
 *  The check is that of ISO/IEC 7812-1, annex B, whose every second digit from the right counts
 *  twice: both sums are carried on from the left, since where the right end is turns out last. */
function endOfCard(groups: readonly RegExpExecArray[], first: number): number | null {
  let end: number | null = null;
  let [sum, otherSum, digits] = [0, 0, 0];
  for (let i = first; i < groups.length && digits < 19; i++) {
    const { 0: group, index } = groups[i]!;
    for (const char of group) {
      const [digit, twice] = [Number(char), 2 * Number(char)];
      [sum, otherSum] = [otherSum + digit, sum + (twice > 9 ? twice - 9 : twice)];
    }
    digits += group.length;
    if (digits >= 13 && digits <= 19 && sum % 10 === 0) end = index + group.length;
  }
  return end;
}

/** What has an international prefix, or 9 to 15 digits in groups, is a telephone's. A plain number
 *  stays. */
function isPhone(found: string): boolean {
  const digits = found.replace(/\D/g, "");
  if (digits.length > 15) return false;
  return found.startsWith("+") || (digits.length >= 9 && /\d[^\d]{1,2}\d/.test(found));
}
