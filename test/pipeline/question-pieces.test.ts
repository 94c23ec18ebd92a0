import { expect, it } from "vitest";
import { normalOf, piecesOf } from "../../src/pipeline/question-pieces.ts";

const plain = (question: string) => piecesOf(question).map((piece) => piece.plain);
const letters = (question: string) =>
  piecesOf(question).flatMap((piece) => (piece.letter ? [piece.found] : []));
const signs = (question: string) =>
  piecesOf(question).flatMap((piece) => (piece.kind === "sign" ? [piece.plain] : []));

it("a question is words, numbers and signs in order", () => {
  expect(plain("Who’s paid $1,234.50 — or €.5 – in C++?")).toEqual([
    "who's",
    "paid",
    "$",
    "1234.50",
    "-",
    "or",
    "€",
    "0.5",
    "-",
    "in",
    "c",
    "+",
    "+",
  ]);
  expect(plain("the '90s, 1990's and 1990s; 5sec")).toEqual([
    "the",
    "90s",
    "1990s",
    "and",
    "1990s",
    "5",
    "sec",
  ]);
  expect(plain("")).toEqual([]);
  expect(plain("?!... “”")).toEqual([]);
});

it("digits of all scripts are the same digits, and raised ones are none", () => {
  for (const year of ["1990", "١٩٩٠", "۱۹۹۰", "१९९०", "１９９０", "𝟏𝟗𝟗𝟎"])
    expect(plain(year), year).toEqual(["1990"]);
  expect(plain("5²")).toEqual(["5", "^", "2"]);
  expect(plain("1½")).toEqual(["1", "1", "⁄", "2"]);
  const digits = Array.from({ length: 0x11_0000 }, (_, code) => code).filter(
    (code) => !(code >= 0xd800 && code < 0xe000) && /\p{Nd}/u.test(String.fromCodePoint(code)),
  );
  for (const [i, code] of digits.entries())
    expect(normalOf(String.fromCodePoint(code)), code.toString(16)).toBe(String(i % 10));
});

it("commas are left out between thousands and nowhere else", () => {
  expect(plain("1,234,567 12,34,567 1,5 1,50 0,123.5")).toEqual([
    "1234567",
    "1234567",
    "1,5",
    "1,50",
    "0123.5",
  ]);
});

it.each([
  ["an invisible instruction", "gate\u{e0053}\u{e0061}", 2],
  ["a variation selector", "gate\ufe01", 1],
  ["squared letters", "gate 🆂🅰🆈", 3],
  ["a joiner in Persian", "می\u200cخواهم", 1],
  ["a soft hyphen and a mark of direction", "ga\u00adte\u200f", 2],
  ["a byte order mark", "\ufeffgate", 1],
  ["a private character and a control", "gate \ue000 \u0007", 2],
  ["half a pair", "gate \ud800", 1],
  ["brackets and a slash", "(a [b]) / c", 5],
  ["factorials and negations", "5! n!! !x a != b (2)!", 8],
  ["a ratio", "3:2", 1],
  ["dashes beside numbers and between spaces", "-5 3-2 x - y", 3],
])("%s is signs", (_, question, count) => {
  expect(signs(question)).toHaveLength(count);
});

it.each([
  "Stop! Who goes there?!",
  "a well-known covid-19 test",
  "a 20-year-old: “Who's”, «he»; …",
])("%s has none", (question) => expect(signs(question)).toEqual([]));

it.each([
  ["symptoms of vitamin A deficiency", ["A"]],
  ["symptoms of vitamin a deficiency", ["a"]],
  ["What is hepatitis a?", ["a"]],
  ["Where are gate S and gate T?", ["S", "T"]],
  ["What did Elizabeth I do when I met Charles I?", ["I", "I"]],
  ["an a-frame in C", ["a", "C"]],
  ["Who wrote Doctor Who I? Made of what I? Elizabeth I's mother", ["I", "I", "I's"]],
  ["Who am I? May I? Do you know when I'm late, as I said?", []],
  ["What is a T cell?", ["T"]],
  ["A cell? I ask. A cell, I say.", []],
  ["O'Brien's a man who I know? What can I, or do i, do?", []],
  ["Что я и он", ["я", "и"]],
])("%s has the letters %j", (question, found) => {
  expect(letters(question)).toEqual(found);
});
