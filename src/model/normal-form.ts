/** Unicode's normal forms, of texts that anybody wrote. Source: https://unicode.org/reports/tr15 */

/** UTF-16 code units that are put in a form at once. */
export const PART_CHARS_MAX = 1_024;

/** Characters that what is before them may take in or change places with: marks, the vowels and
 *  finals of Hangul, a vowel of Kirat Rai, and what begins with one of these in NFKC. */
const JOINING =
  /^[\p{M}\u1160-\u11ff\u{16d67}\u{16d68}\u0e33\u0eb3\u3131-\u318e\uff9e\uff9f\uffa0-\uffdc]/u;
const BELOW_MARKS = /^[\0-\u009f]*$/;

/** The text in NFC or NFKC. Engines put the marks of a run in order one by one, so that time is
 *  quadratic in its length: 7 s for 160,000. Here a run that is longer than PART_CHARS_MAX is put
 *  in order in parts. O(characters). */
export function normalForm(text: string, form: "NFC" | "NFKC"): string {
  if (BELOW_MARKS.test(text)) return text; // none of these has another form
  let out = "";
  for (let from = 0, to: number; from < text.length; from = to) {
    const most = Math.min(from + PART_CHARS_MAX, text.length);
    to = most;
    while (to > from && joins(text, to)) to--;
    if (to === from) to = most;
    out += text.slice(from, to).normalize(form);
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
