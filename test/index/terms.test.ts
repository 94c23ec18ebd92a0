import { expect, it } from "vitest";
import { STOPWORDS, stem, TERM_CHARS_MAX, terms } from "../../index/terms.ts";

/** From the published vocabulary of the Snowball English stemmer and from PostgreSQL 15's. */
const SNOWBALL = {
  consignment: "consign",
  consistently: "consist",
  knightly: "knight",
  generously: "generous",
  running: "run",
  dying: "die",
  happily: "happili",
  relational: "relat",
  national: "nation",
  news: "news",
  skies: "sky",
  succeeded: "succeed",
  by: "by",
  say: "say",
  cries: "cri",
  ties: "tie",
  gas: "gas",
  hopping: "hop",
  hoping: "hope",
  agreed: "agre",
  internationalization: "internation",
};

it("stems as Snowball English does", () => {
  for (const [word, stemmed] of Object.entries(SNOWBALL)) expect(stem(word)).toBe(stemmed);
});

it("a digit 3 is not taken for the stemmer's consonant y", () => {
  expect(["cd3", "2003", "p53", "h3k27s", "33"].map(stem)).toEqual([
    "cd3",
    "2003",
    "p53",
    "h3k27s",
    "33",
  ]);
});

it("ASCII text splits as Python's (?u)\\b\\w\\w+\\b does, without the 33 stopwords", () => {
  expect(STOPWORDS.size).toBe(33);
  expect(terms("It's the IL-2_a, x y, 3.14 and don't!", "document")).toEqual([
    "il",
    "2_a",
    "14",
    "don",
  ]);
});

it("accents, case and compatibility forms meet", () => {
  expect(terms("Café ＡＢＣ ﬁne", "document")).toEqual(terms("CAFE\u0301 abc fine", "query"));
});

it("ideographs are found by any stretch of them, by one character too", () => {
  const document = new Set(terms("東京都に住む猫。", "document"));
  for (const query of ["東京", "京都", "猫", "都に住"])
    for (const term of terms(query, "query")) expect(document).toContain(term);
  expect(terms("東京都", "query")).toEqual(["東京", "京都"]);
});

it("text beside ideographs keeps its words", () => {
  expect(terms("東京Tower計画", "document")).toEqual([
    "東",
    "京",
    "東京",
    "tower",
    "計",
    "画",
    "計画",
  ]);
});

it("a query of one character, of none, of an emoji or half a pair is no error", () => {
  for (const query of ["a", "", " ", "😀", "\ud800", "𝒳", "\u0301"])
    expect(terms(query, "query").every((term) => term.length > 0)).toBe(true);
});

it("a term has at most TERM_CHARS_MAX units and no half pair", () => {
  for (const text of ["a".repeat(10_000), `${"a".repeat(TERM_CHARS_MAX - 1)}${"𐐨".repeat(10)}`]) {
    const [term] = terms(text, "document");
    expect(term!.length).toBeLessThanOrEqual(TERM_CHARS_MAX);
    expect(term!.isWellFormed()).toBe(true);
  }
});
