/** Numbers, times and marked text as people read them. Pure. */

/** @param {number | null} value
 *  @param {number} digits after the point */
export function fixed(value, digits = 3) {
  return value === null ? "none" : value.toFixed(digits);
}

/** At most four significant digits, without trailing zeros.
 * @param {number} value */
export function short(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** @param {number} value */
export function count(value) {
  return value.toLocaleString("en");
}

/** @param {number} value
 *  @param {string} noun in the singular */
export function plural(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** @param {number} value */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let power = 0;
  let scaled = value;
  while (scaled >= 1024 && power < units.length - 1) {
    scaled /= 1024;
    power++;
  }
  return `${power === 0 ? scaled : scaled.toFixed(1)} ${units[power]}`;
}

/** @param {number} value */
export function milliseconds(value) {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${short(value)} ms`;
}

/** Unix ms as a local date and time.
 * @param {number} ms */
export function moment(ms) {
  return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Unix ms as a field for a date and a time takes it: local, to the minute.
 * @param {number} ms */
export function localMinute(ms) {
  const shift = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - shift).toISOString().slice(0, 16);
}

/** Unix ms as a local time with seconds, and the date unless it is today.
 * @param {number} ms */
export function instant(ms) {
  const at = new Date(ms);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(undefined, {
    ...(today ? {} : { dateStyle: "medium" }),
    timeStyle: "medium",
  });
}

/** A passage's id without its document's, which stands beside it.
 * @param {string} passageId
 * @param {string} documentId */
export function passageMark(passageId, documentId) {
  return passageId.startsWith(documentId) ? passageId.slice(documentId.length) : passageId;
}

/** So many UTF-16 units at most; none is half of a character.
 * @param {string} text
 * @param {number} charsMax */
export function clip(text, charsMax) {
  if (text.length <= charsMax) return text;
  return `${text.slice(0, charsMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** The text within a sentence, none of whose other words it turns around by its direction.
 * @param {string} text */
export function isolated(text) {
  return `\u2068${text}\u2069`;
}

/** `text` cut at the first place where `needle` stands in it, exactly; null where it does not.
 * @param {string} text
 * @param {string | null} needle
 * @returns {[before: string, marked: string, after: string] | null} */
export function cutAt(text, needle) {
  const at = needle ? text.indexOf(needle) : -1;
  if (!needle || at < 0) return null;
  return [text.slice(0, at), needle, text.slice(at + needle.length)];
}

/** The share of a bar, 0..1, for a value of any size: logarithmic, full from 20 on, so that flags
 *  of 1 and margins of 20 can stand in one list.
 * @param {number} value */
export function logShare(value) {
  return Math.min(1, Math.log1p(Math.abs(value)) / Math.log1p(20));
}

/** With its sign, three digits after the point.
 * @param {number} value */
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

/** Millionths of a USD as USD; "" where not known.
 * @param {number | null} micro */
export function usd(micro) {
  if (micro === null) return "";
  return micro === 0 ? "0" : (micro / 1e6).toFixed(micro < 10_000 ? 6 : 4);
}

/** A share, 0..1, as a percentage.
 * @param {number} share */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
