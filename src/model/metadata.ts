/** Typed reads of GGUF metadata. Each refuses a key that is absent or of another type. */
import { type GgufValue, invalidModel, type Metadata } from "./gguf.ts";
import { PackedTexts, type TextList } from "./text-list.ts";

function refuse(key: string, value: GgufValue | undefined, wanted: string): never {
  const found =
    value === undefined ? "absent" : typeof value === "object" ? "an array" : String(value);
  throw invalidModel(`GGUF key ${key} is ${found.slice(0, 80)}, not ${wanted}`);
}

/** An integer in [min, max]. */
export function integerOf(metadata: Metadata, key: string, min: number, max: number): number {
  const value = metadata.get(key);
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
    return value;
  return refuse(key, value, `an integer between ${min} and ${max}`);
}

/** A finite number. */
export function numberOf(metadata: Metadata, key: string): number {
  const value = metadata.get(key);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return refuse(key, value, "a finite number");
}

export function stringOf(metadata: Metadata, key: string): string {
  const value = metadata.get(key);
  return typeof value === "string" ? value : refuse(key, value, "a string");
}

export function stringsOf(metadata: Metadata, key: string): TextList {
  const value = metadata.get(key);
  if (value instanceof PackedTexts) return value;
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  return refuse(key, value, "an array of strings");
}

/** An array of `length` finite numbers. */
export function numbersOf(metadata: Metadata, key: string, length: number): number[] {
  const value = metadata.get(key);
  if (
    Array.isArray(value) &&
    value.length === length &&
    value.every((item) => typeof item === "number" && Number.isFinite(item))
  )
    return value as number[];
  return refuse(key, value, `an array of ${length} finite numbers`);
}

/** A boolean, `absent` where there is no such key. */
export function booleanOf(metadata: Metadata, key: string, absent: boolean): boolean {
  const value = metadata.get(key) ?? absent;
  return typeof value === "boolean" ? value : refuse(key, value, "a boolean");
}
