/** Strings of a pattern or a format that also have a least or a most length. */
import { expect, it } from "vitest";
import { grammarOf } from "../../src/generation/grammar.ts";
import { acceptor, accepts, formatOf } from "./schemas.ts";

/** Every text of these characters, up to so many. */
function textsOf(characters: string, most: number): string[] {
  let texts = [""];
  for (let length = 0; length < most; length++)
    texts = [...new Set(["", ...texts.flatMap((text) => [...characters].map((c) => text + c))])];
  return texts;
}

const BOUNDS = [0, 1, 2, 3, 4].flatMap((minLength) =>
  [0, 1, 3, 4].map((more) => ({ minLength, maxLength: minLength + more })),
);

it.each([
  ["^(a|bc)+$", "abc"],
  ["^(abc|b{2,9})?$", "abc"],
  ["^c{4}$", "abc"],
  // Characters of two bytes, in UTF-8 and in JSON.
  ['^(aé|é|"+)*$', 'aé"'],
])("those of %s are what the definition says, at all bounds", (pattern, characters) => {
  const texts = textsOf(characters, 6);
  const found = new RegExp(pattern);
  for (const bounds of BOUNDS) {
    const schema = { type: "string", pattern, ...bounds };
    const within = texts.filter(
      (text) =>
        text.length >= bounds.minLength && text.length <= bounds.maxLength && found.test(text),
    );
    const told = JSON.stringify(bounds);
    if (within.length === 0) expect(() => accepts(schema, ""), told).toThrow(/no value/);
    else {
      const isAnswer = acceptor(schema);
      const accepted = texts.filter((text) => isAnswer(JSON.stringify(text)));
      expect(accepted, told).toEqual(within);
      const fewest = Math.min(...within.map((text) => Buffer.byteLength(JSON.stringify(text))));
      expect(grammarOf(formatOf(schema))!.automaton.start.fewest, told).toBe(fewest);
    }
  }
});

it("a maxLength may be longer than an automaton that counts to it", () => {
  const url = { type: "string", format: "uri", minLength: 1, maxLength: 2_083 };
  expect(accepts(url, '"https://example.com/a"')).toBe(true);
  const email = { type: "string", format: "email", maxLength: 254 };
  expect(accepts(email, '"a@example.com"')).toBe(true);
  const slug = { type: "string", pattern: "^[a-z0-9]{1,20}(-[a-z0-9]{1,20})*$", maxLength: 1_000 };
  const parts = "ab-".repeat(333);
  expect(accepts(slug, `"${parts}a"`)).toBe(true);
  expect(accepts(slug, `"${parts}ab"`)).toBe(false);
});

it.each([
  "^[^\\uD83D\\uDE00]*$",
  "^\\uD83D\\uDE00$",
  "^(\\ud83d\\ude00){2}$",
  "[\\uD83D\\uDE00-\\uD83D\\uDE4F]",
  "^[\\uD83D\\u0061]+$",
  "^[\\u{D83D}\\u{DE00}]*$",
  "^[^\\uDE00\\uD83D]*$",
])("escaped surrogates in %s are what ECMAScript's u flag makes of them", (pattern) => {
  const found = new RegExp(pattern, "u");
  const isAnswer = acceptor({ type: "string", pattern });
  for (const text of ["", "a", "\u{1f5ff}", "😀", "😏", "🙏", "\u{1f650}", "😀😀", "a😀", "é"])
    expect(isAnswer(JSON.stringify(text)), text).toBe(found.test(text));
});
