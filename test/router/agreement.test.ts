import { expect, it } from "vitest";
import { isWrongBy } from "../../src/router/agreement.ts";

it("an answer that the backend's text has as whole words is right", () => {
  expect(isWrongBy("the 3 May", "The lease ends on 3 May, 2027 [1].")).toBe(false);
  expect(isWrongBy("Søren", "It was SØREN who did.")).toBe(false);
});

it("a run of words counts wherever it stands in a long text", () => {
  const rest = "as everybody knows who has read the contract of the house";
  expect(isWrongBy("3 May", `3 May ${rest}`)).toBe(false);
  expect(isWrongBy("3 May", `${rest}: 3 May`)).toBe(false);
  expect(isWrongBy("3 May", `3 ${rest} May`)).toBe(true);
});

it("a token F1 of exactly a half is enough", () => {
  expect(isWrongBy("May 3", "3 May five six seven eight")).toBe(false); // 2 x 2 / (2 + 6)
  expect(isWrongBy("May 3", "3 May five six seven eight nine")).toBe(true);
});

it("a part of a word or of a number is none", () => {
  expect(isWrongBy("3", "It ends on 30 May and costs 13 crowns.")).toBe(true);
  expect(isWrongBy("May 3", "It ends on 3 May, as people say around here")).toBe(true);
});

it("the same words in another order are enough in a short text", () => {
  expect(isWrongBy("May 3", "3 May.")).toBe(false);
  expect(isWrongBy("in the old harbour of Skagen", "Skagen harbour")).toBe(false);
});

it("marks are no words of the text", () => {
  expect(isWrongBy("2", "Nobody knows [2].")).toBe(true);
  expect(isWrongBy("2", "[1, 2]")).toBe(null);
});

it("nothing is said of an answer or a text without words", () => {
  expect(isWrongBy("?", "3 May")).toBe(null);
  expect(isWrongBy("3 May", " … ")).toBe(null);
});

it("an article alone is still a word", () => {
  expect(isWrongBy("The", "The")).toBe(false);
});
