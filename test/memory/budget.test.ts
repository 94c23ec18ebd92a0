import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { IndexBudget } from "../../src/memory/budget.ts";
import { xxh32 } from "../../src/memory/xxh32.ts";

/** A budget beside models of `models` bytes; three owners, with the order they were dropped in. */
function setUp(models: number) {
  const budget = new IndexBudget(() => models);
  const dropped: string[] = [];
  const owners = { a: {}, b: {}, c: {} };
  const use = (name: keyof typeof owners, bytes: number, limit: number) =>
    budget.use(owners[name], bytes, limit, () => dropped.push(name));
  const admit = (name: keyof typeof owners, more: number, limit: number) =>
    budget.admit(owners[name], more, limit);
  return { budget, dropped, owners, use, admit };
}

it("drops the index used longest ago, as far as needed, and never the one in use", () => {
  const { budget, dropped, use } = setUp(10);
  use("a", 30, 100);
  use("b", 30, 100);
  use("a", 30, 100);
  expect(dropped).toEqual([]);
  use("c", 40, 100);
  expect(dropped).toEqual(["b"]);
  expect(budget.bytes).toBe(70);
  use("c", 95, 100);
  expect(dropped).toEqual(["b", "a"]);
  expect(budget.bytes).toBe(95);
});

it("admits what others make room for, and refuses the rest as memory_full", () => {
  const { budget, dropped, owners, use, admit } = setUp(40);
  use("a", 20, 100);
  use("b", 20, 100);
  admit("b", 20, 100);
  expect(dropped).toEqual([]);
  admit("b", 30, 100);
  expect(dropped).toEqual(["a"]);
  const refused = () => admit("b", 41, 100);
  expect(refused).toThrow(/limit of an isolate/);
  try {
    refused();
  } catch (error) {
    expect(codeOf(error)).toBe("memory_full");
  }
  expect(budget.bytes).toBe(20);
  budget.release(owners.b);
  expect(budget.bytes).toBe(0);
});

it("xxh32 is that of the specification, wherever bytes begin", () => {
  const expected = {
    "": "2cc5d05",
    a: "550d7456",
    abc: "32d153ff",
    "Nobody inspects the spammish repetition": "e2293b2f",
  };
  for (const [text, hash] of Object.entries(expected)) {
    const bytes = new TextEncoder().encode(`x${text}`).subarray(1);
    expect(xxh32(bytes).toString(16)).toBe(hash);
    expect(xxh32(bytes.slice())).toBe(xxh32(bytes));
  }
});
