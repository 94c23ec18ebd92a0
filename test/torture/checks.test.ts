import { expect, it } from "vitest";
import { evenRanges, HASHES } from "../../src/memory/shard-map.ts";
import { checkShards } from "./checks.ts";

const IDS = ["d1", "d2", "d3", "d4", "d5"]; // by their hashes one lies in the upper half
const map = (names: string[], counts: number[]) =>
  evenRanges(0, HASHES, names).map((range, i) => ({ ...range, documents: counts[i]! }));

it("every hash has one shard, and every document one that counts it", () => {
  const whole = map(["a", "b"], [4, 1]);
  checkShards(whole, IDS);
  const wrong = (shards: typeof whole) => expect(() => checkShards(shards, IDS));
  wrong(map(["a", "b"], [4, 2])).toThrow("b counts 2 documents, 1 fall to it");
  wrong(map(["a", "a"], [4, 1])).toThrow("named by two ranges");
  wrong(whole.slice(0, 1)).toThrow("ends at");
  wrong(whole.slice(1)).toThrow("goes on at");
});
