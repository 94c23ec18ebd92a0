/** Documents, queries and comparisons for tests of namespaces of several objects. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import {
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type SearchMode,
  type SearchRequest,
} from "../../src/memory/types.ts";
import { embedWords, hitsOf, type Memory, prepared } from "./documents.ts";
import type { SteppedMemory } from "./worker.ts";

const WORDS = "lease rent tenant landlord deposit notice heating window garden key".split(" ");
const MODES = ["hybrid", "bm25", "vector"] as const;

export type Stepped = DurableObjectStub<SteppedMemory>;

/** Integers below n, the same every time. */
export function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) % n;
  };
}

/** A document of one of `ids` ids. */
export function someDocument(random: (n: number) => number, ids: number) {
  const line = () => Array.from({ length: 1 + random(6) }, () => WORDS[random(WORDS.length)]);
  const lines = Array.from({ length: 1 + random(3) }, () => line().join(" "));
  const metadata = { year: 2020 + random(4) };
  return prepared(`document ${random(ids)}`, lines.join("\n"), { metadata });
}

export function asking(query: string, rest: Partial<SearchRequest> = {}): SearchRequest {
  const vector = rest.mode === "bm25" ? null : embedWords(query);
  return { query, vector, k: 20, mode: "hybrid", filter: null, explain: true, ...rest };
}

/** Both find the same, scores and explanations included, and list the same. */
export async function expectSame(
  memory: Memory,
  twin: Memory,
  modes: readonly SearchMode[] = MODES,
): Promise<void> {
  for (const mode of modes)
    for (const filter of [null, { year: { gte: 2022 } }]) {
      const request = asking("the tenant and the landlord's garden key", { mode, filter });
      expect(await hitsOf(memory, request)).toEqual(await hitsOf(twin, request));
    }
  expect(await listed(memory)).toEqual(await listed(twin));
  const [stats, expected] = [await memory.stats(), await twin.stats()];
  for (const name of ["documents", "passages", "avgdl"] as const)
    expect(stats[name]).toBe(expected[name]);
}

/** All documents in their order, without when they were stored. */
export async function listed(memory: Memory) {
  const { documents } = await memory.list(null, 1_000);
  return documents.map(({ updated_at: _, ...rest }) => rest);
}

/** A namespace whose steps the test takes, and one of a single object to compare it with. */
export async function pair(name: string, options: Partial<NamespaceOptions> = {}) {
  const stepped = env.STEPPED_MEMORY.getByName(name);
  const memory = stepped as unknown as Memory;
  const twin = env.MEMORY.getByName(`${name}-twin`);
  await memory.configure({ ...NAMESPACE_DEFAULTS, ...options });
  await twin.configure({ ...NAMESPACE_DEFAULTS, ...options, shards: 1 });
  return { stepped, memory, twin };
}

/** Steps until no work is left and nothing is to be destroyed. */
export async function settle(stepped: Stepped, most = 200): Promise<void> {
  for (let i = 0; i < most; i++) {
    if (await stepped.isIdle()) return;
    await stepped.tick();
  }
  expect.unreachable("the work does not end");
}
