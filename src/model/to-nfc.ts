/** Unicode's form NFC, of texts that anybody wrote. Source: https://unicode.org/reports/tr15 */
import { NFC_CHARS_MAX } from "../limits.ts";

/** Characters that what is before them may take in or change places with: marks, the vowels and
 *  finals of Hangul, and one vowel of Kirat Rai. */
const JOINING = /^[\p{M}\u1160-\u11ff\u{16d67}]/u;

/** The text in NFC. Engines put the marks of a run in order one by one, so that time is quadratic
 *  in its length; here a run that is longer than NFC_CHARS_MAX is put in order in parts. */
export function toNfc(text: string): string {
  if (!/[\u0300-\uffff]/.test(text)) return text; // what is below has no other form
  let out = "";
  for (let from = 0, to: number; from < text.length; from = to) {
    const most = Math.min(from + NFC_CHARS_MAX, text.length);
    to = most;
    while (to > from && joins(text, to)) to--;
    if (to === from) to = most;
    out += text.slice(from, to).normalize("NFC");
  }
  return out;
}

/** Whether the text must not be parted at `at`. */
function joins(text: string, at: number): boolean {
  if (at === text.length) return false;
  const unit = text.charCodeAt(at);
  if (unit >= 0xdc00 && unit <= 0xdfff) return true; // half of a character
  return JOINING.test(String.fromCodePoint(text.codePointAt(at)!));
}
