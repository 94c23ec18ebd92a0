/** How the index of metadata writes a value: as a key. SQLite orders keys as filters order what
 *  they stand for. */
import { METADATA_VALUE_CHARS_MAX } from "../limits.ts";

/** The blobs that stand for values which are neither numbers nor texts. */
const NULL = Uint8Array.of(0).buffer;
const FALSE = Uint8Array.of(1).buffer;
const TRUE = Uint8Array.of(2).buffer;
const OTHER = Uint8Array.of(3).buffer;

/** A number or a text as it is, but for a cut; a blob of one byte for everything else. */
export type Key = string | number | ArrayBuffer;

/** No filter can ask for a field of these names. */
export function isReserved(field: string): boolean {
  return field === "and" || field === "or" || field === "not";
}

/** The entries of a field's value, each once. */
export function keysOf(value: unknown): Iterable<Key> {
  if (!Array.isArray(value)) return [keyOf(value)];
  return value.length === 0 ? [OTHER] : new Set(value.map(keyOf));
}

/** The key of one value that is no list. */
export function keyOf(value: unknown): Key {
  if (typeof value === "string") return cut(value);
  if (typeof value === "number") return value === 0 ? 0 : value; // -0 equals 0
  if (value === null) return NULL;
  if (typeof value === "boolean") return value ? TRUE : FALSE;
  return OTHER;
}

/** The first METADATA_VALUE_CHARS_MAX code points. Whole code points, so that order is kept. */
export function cut(text: string): string {
  if (text.length <= METADATA_VALUE_CHARS_MAX) return text;
  const points = Array.from(text.slice(0, METADATA_VALUE_CHARS_MAX * 2));
  return points.slice(0, METADATA_VALUE_CHARS_MAX).join("");
}

/** Whether a longer text may have been cut to this key. */
export function isCut(key: Key): boolean {
  if (typeof key !== "string" || key.length < METADATA_VALUE_CHARS_MAX) return false;
  return Array.from(key).length === METADATA_VALUE_CHARS_MAX;
}

/** The least text after all those that begin with `prefix`; null where there is none. */
export function successor(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    if (last === 0x10ffff) continue;
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return null;
}
