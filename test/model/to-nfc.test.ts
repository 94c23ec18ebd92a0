/** NFC in parts against the engine's own, of the whole. */
import { expect, it } from "vitest";
import { NFC_CHARS_MAX } from "../../src/limits.ts";
import { toNfc } from "../../src/model/to-nfc.ts";
import { seeded } from "./wordpiece-strings.ts";

const PIECES = [
  ...["a", "e", " ", "é", "Å", "\u212b", "\u0958", "猫", "🙂", "\ud800"],
  ...["\u0301", "\u0323", "\u0338", "\u0345", "\u09be", "\u{1d165}", "\u{16d63}", "\u{16d67}"],
  ...["\u1100", "\u1161", "\u11a8", "가", "ㄱ"],
];

it("is the engine's, wherever a long text is parted", () => {
  const below = seeded(7);
  for (let round = 0; round < 200; round++) {
    const length = NFC_CHARS_MAX - 20 + below(NFC_CHARS_MAX);
    const pieces = Array.from({ length }, () => PIECES[below(PIECES.length)]!);
    const text = pieces.join("");
    expect(toNfc(text) === text.normalize("NFC"), JSON.stringify(text)).toBe(true);
  }
  for (const text of ["", "a", "\u00e9", "e\u0301", "\u212a"])
    expect(toNfc(text)).toBe(text.normalize("NFC"));
});

it("a run of marks is put in order in parts, and takes no quadratic time", () => {
  const run = "\u0301\u0323".repeat(100_000);
  const part = run.slice(0, NFC_CHARS_MAX).normalize("NFC");
  const text = toNfc(run);
  expect(text.length).toBe(run.length);
  expect(text.startsWith(part + part)).toBe(true);
});
