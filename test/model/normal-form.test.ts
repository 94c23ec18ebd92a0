/** Normal forms in parts against the engine's own, of the whole. */
import { expect, it } from "vitest";
import { normalForm, PART_CHARS_MAX } from "../../src/model/normal-form.ts";
import { seeded } from "./wordpiece-strings.ts";

const PIECES = [
  ...["a", "e", " ", "é", "Å", "\u212b", "\u0958", "猫", "🙂", "\ud800"],
  ...["\u0301", "\u0323", "\u0338", "\u0345", "\u09be", "\u{1d165}", "\u{16d63}", "\u{16d67}"],
  ...["\u1100", "\u1161", "\u11a8", "가", "ㄱ"],
  ...["½", "\u00b4", "\ufb01", "\u0e01", "\u0e33", "\u{16d68}", "ｶ", "\uff9e", "\uffa1", "\uffc2"],
];

it.each(["NFC", "NFKC"] as const)("%s is the engine's, wherever a long text is parted", (form) => {
  const below = seeded(7);
  for (let round = 0; round < 200; round++) {
    const length = PART_CHARS_MAX - 20 + below(PART_CHARS_MAX);
    const pieces = Array.from({ length }, () => PIECES[below(PIECES.length)]!);
    const text = pieces.join("");
    expect(normalForm(text, form) === text.normalize(form), JSON.stringify(text)).toBe(true);
  }
  for (const text of ["", "a", "\u00a0", "\u00b5", "\u00e9", "e\u0301", "\u212a"])
    expect(normalForm(text, form)).toBe(text.normalize(form));
});

it.each(["NFC", "NFKC"] as const)("%s parts before no character that may join", (form) => {
  const before = "e".padStart(PART_CHARS_MAX, "x");
  const parted: string[] = [];
  for (let point = 0x80; point < 0x110000; point++) {
    if (point >= 0xd800 && point < 0xe000) continue;
    for (const last of ["", "\u1100", "\u{16d63}"]) {
      const text = before.slice(last.length) + last + String.fromCodePoint(point);
      const joined = (last || "e") + String.fromCodePoint(point);
      const ends = joined.normalize(form);
      if (!normalForm(text, form).endsWith(ends)) parted.push(point.toString(16));
    }
  }
  expect(parted).toEqual([]);
});

it("a run of marks is put in order in parts, and takes no quadratic time", () => {
  const run = "\u0301\u0323".repeat(100_000);
  const part = run.slice(0, PART_CHARS_MAX).normalize("NFC");
  const text = normalForm(run, "NFC");
  expect(text.length).toBe(run.length);
  expect(text.startsWith(part + part)).toBe(true);
});
