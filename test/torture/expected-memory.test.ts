import { describe, expect, it } from "vitest";
import { ExpectedMemory, type Found, type TortureDocument } from "./expected-memory.ts";

function document(id: string, turn: number): TortureDocument {
  const vector = Float32Array.of(1, 0);
  return { id, text: `text of turn ${turn}`, metadata: { shelf: 1, turn }, vector };
}

function found(...documents: TortureDocument[]): Map<string, Found> {
  return new Map(documents.map(({ id, text, metadata }) => [id, { text, metadata }]));
}

/** a, b and c as turn 1 left them. */
function memory(): ExpectedMemory {
  const expected = new ExpectedMemory();
  expected.apply({ kind: "put", documents: ["a", "b", "c"].map((id) => document(id, 1)) });
  return expected;
}

const A = document("a", 1);
const B = document("b", 1);
const C = document("c", 1);

describe("what was acknowledged", () => {
  it("is found whole, or the document that is not is named", () => {
    expect(() => memory().settle(null, found(A, B, C))).not.toThrow();
    expect(() => memory().settle(null, found(A, C))).toThrow(/^b was acknowledged and is lost$/);
    expect(() => memory().settle(null, found(A, document("b", 2), C))).toThrow(/^b has /);
  });

  it("stays deleted", () => {
    const expected = memory();
    expected.apply({ kind: "remove", ids: ["b"] });
    expect(() => expected.settle(null, found(A, C))).not.toThrow();
    expect(() => expected.settle(null, found(A, B, C))).toThrow(/^b is back/);
  });

  it("keeps the place that its last change gave it", () => {
    const expected = memory();
    expected.apply({ kind: "put", documents: [document("a", 2), B] });
    expect([...expected.contents.keys()]).toEqual(["b", "c", "a"]);
  });
});

describe("what was under way", () => {
  it("may have happened or not, document by document", () => {
    const [newA, newD] = [document("a", 2), document("d", 2)];
    const pending = { kind: "put", documents: [newA, newD] } as const;
    const put = { ...pending, documents: [...pending.documents] };
    for (const outcome of [
      [A, B, C],
      [newA, B, C],
      [A, B, C, newD],
      [B, C, newA, newD],
    ]) {
      const expected = memory();
      expected.settle(put, found(...outcome));
      expect(expected.contents.size).toBe(outcome.length);
    }
    const expected = memory();
    expect(() => expected.settle(put, found(document("a", 3), B, C))).toThrow(/^a has /);
    expect(() => memory().settle(put, found(newA, B))).toThrow(/^c was acknowledged/);
  });

  it("may be half a deletion, and nothing that was not to be deleted", () => {
    const pending = { kind: "remove" as const, ids: ["a", "b"] };
    expect(() => memory().settle(pending, found(B, C))).not.toThrow();
    expect(() => memory().settle(pending, found(A, B))).toThrow(/^c was acknowledged/);
  });

  it("a restore gives one whole snapshot or leaves all as it was", () => {
    const snapshot = new Map([document("x", 5), document("y", 5)].map((d) => [d.id, d]));
    const pending = { kind: "replace" as const, contents: [snapshot] };
    const whole = memory();
    whole.settle(pending, found(...snapshot.values()));
    expect([...whole.contents.keys()]).toEqual(["x", "y"]);
    expect(() => memory().settle(pending, found(A, B, C))).not.toThrow();
    expect(() => memory().settle(pending, found(document("x", 5)))).toThrow(/lost$/);
    expect(() => memory().settle(pending, found(A, B, C, document("x", 5)))).toThrow(/^x is back/);
  });
});
