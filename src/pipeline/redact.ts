/** Takes out of a text what tells of a person or opens a door, before it is kept. It knows forms,
 *  not meanings: names and addresses in words stay. */
import { TRACE_TEXT_CHARS_MAX } from "../limits.ts";

/** Every repetition has a bound and none can match in two ways what another matches too, so the
 *  time is linear in the text's length. */
const FORMS: [RegExp, string][] = [
  // PEM blocks hold what no other form would know.
  [/-----BEGIN [A-Z ]{1,40}-----[^-]{0,8000}(?:-----END [A-Z ]{1,40}-----)?/g, "[key]"],
  // JSON web tokens: three parts of base64url, of which the first is an object.
  [/(?<![\w-])eyJ[\w-]{5,4000}\.[\w-]{2,4000}\.?[\w-]{0,1000}/g, "[key]"],
  [/\b(bearer|basic|token)(\s{1,4})[A-Za-z0-9._~+/=-]{8,4000}/gi, "$1$2[key]"],
  [/(:\/\/)[^\s/:@]{1,100}:[^\s/@]{1,200}@/g, "$1[key]@"],
  // NAME=VALUE and "name": "value" of what is called a secret.
  [/((?:key|token|secret|password|passwd|pwd)"?\s{0,4}[:=]\s{0,4}"?)[^\s",;]{4,400}/gi, "$1[key]"],
  // Keys of providers: a short prefix of their own and a long random tail.
  [/(?<![\w-])(?:sk|pk|rk|brink|gh[opsu]|glpat|xox[abprs])[-_][\w-]{12,400}/g, "[key]"],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, "[key]"],
  [/\bgithub_pat_[A-Za-z0-9_]{20,400}/g, "[key]"],
  [/(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g, "[email]"],
];

/** Digits with single separators between, as cards and telephones are written. */
const NUMBER = /(?<![\w.])\+?\(?\d(?:[ ()./-]{0,2}\d){6,24}(?![\w])/g;

/** The text, redacted and cut to TRACE_TEXT_CHARS_MAX. It is cut to twice that first, so that what
 *  the cut leaves of a secret is still known as one. */
export function redact(text: string, charsMax: number = TRACE_TEXT_CHARS_MAX): string {
  let kept = text.slice(0, 2 * charsMax).toWellFormed();
  for (const [form, instead] of FORMS) kept = kept.replace(form, instead);
  kept = kept.replace(NUMBER, (found) => nameNumber(found) ?? found);
  return kept.length <= charsMax ? kept : `${kept.slice(0, charsMax).toWellFormed()}…`;
}

/** 13 to 19 digits that pass the check of card numbers are one; what has an international prefix,
 *  or 9 to 15 digits in groups, is a telephone's. A plain number or a date stays. */
function nameNumber(found: string): string | null {
  const digits = found.replace(/\D/g, "");
  if (digits.length >= 13 && digits.length <= 19 && passesLuhn(digits)) return "[card]";
  const grouped = /\d[ ()./-]{1,2}\d/.test(found);
  if (/^\d{4}-\d{2}-\d{2}/.test(found) || digits.length > 15) return null;
  if (found.startsWith("+") && digits.length >= 7) return "[phone]";
  return grouped && digits.length >= 9 ? "[phone]" : null;
}

/** ISO/IEC 7812-1, annex B. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 0 ? digit : 2 * digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
