import { expect, it } from "vitest";
import { CONVERSATIONS_MAX, PROMPT_CACHE_MS_MAX } from "../../src/limits.ts";
import {
  estimateTokens,
  type HeldPrompt,
  RecentConversations,
  standingAfter,
  switchCost,
  whyStay,
} from "../../src/router/conversation.ts";
import { COMPLETION_TOKENS_EXPECTED, type Prices } from "../../src/router/target.ts";

const BIG = "backend:big";
const held: HeldPrompt = { engine: BIG, at: 1_000, tokens: 10_000, cachedTokens: null };
const prices: Prices = {
  input_per_mtok: 1,
  output_per_mtok: 4,
  prompt_tokens: 1_000,
  completion_tokens: 200,
};

it("a conversation stays while reading its prompt again costs more than leaving saves", () => {
  const newTokens = 50;
  const even = newTokens + COMPLETION_TOKENS_EXPECTED;
  const why = (earlierTokens: number) => whyStay(held, { earlierTokens, newTokens }, null, 1_000);
  expect(why(even)).toBeNull();
  expect(why(even + 1)).toContain(`stays with ${BIG}: to read its prompt`);
  expect(why(even + 1)).toContain(`${even + 1} tokens`);
});

it("with prices it is money that counts: a dear answer is worth leaving for", () => {
  const turn = { earlierTokens: 1_000, newTokens: 100 };
  expect(whyStay(held, turn, prices, 1_000)).toContain("USD 0.0010");
  expect(whyStay(held, turn, { ...prices, output_per_mtok: 5 }, 1_000)).toBeNull();
  // 1,000 x 4 is lost, 100 x 4 + 200 x 17.5 = 3,900 gained; 4,000 at 18.
  const dear = { ...prices, input_per_mtok: 4, output_per_mtok: 17.5 };
  expect(whyStay(held, turn, dear, 1_000)).toMatch(/cost USD 0\.0040, .* save USD 0\.0039$/);
  expect(whyStay(held, turn, { ...dear, output_per_mtok: 18 }, 1_000)).toBeNull();
});

it("what is held but was not earlier in this turn's messages counts for nothing", () => {
  const turn = { earlierTokens: 200, newTokens: 60 };
  expect(whyStay(held, turn, null, 1_000)).toBeNull(); // 200 < 60 + 150
  expect(
    whyStay({ ...held, cachedTokens: 211 }, { ...turn, earlierTokens: 300 }, null, 1_000),
  ).toMatch(/cost 211 tokens, .* save 210 tokens$/);
});

it("what the backend did not cache, or has let go, keeps nobody", () => {
  const turn = { earlierTokens: 9_000, newTokens: 10 };
  expect(whyStay({ ...held, cachedTokens: 0 }, turn, null, 1_000)).toBeNull();
  expect(whyStay({ ...held, tokens: 0 }, turn, null, 1_000)).toBeNull();
  expect(whyStay(held, turn, null, 1_000 + PROMPT_CACHE_MS_MAX)).not.toBeNull();
  expect(whyStay(held, turn, null, 1_001 + PROMPT_CACHE_MS_MAX)).toBeNull();
  expect(whyStay(null, turn, null, 1_000)).toBeNull();
});

it("the conversation that was longest without an answer is forgotten first", () => {
  const conversations = new RecentConversations();
  const standing = (engine: string) => ({ engine, held: null });
  for (let i = 0; i < CONVERSATIONS_MAX; i++) conversations.hold(`c${i}`, standing(`e${i}`));
  expect(conversations.find("c0")).toEqual(standing("e0"));
  conversations.hold("c0", standing("again"));
  conversations.hold("new", standing("new"));
  expect(conversations.find("c1")).toBeNull();
  expect(conversations.find("c0")).toEqual(standing("again"));
  expect(conversations.find("new")).toEqual(standing("new"));
});

const turn = { earlierTokens: 3_000, newTokens: 100 };

it("nothing cached is a finding only where there could have been something", () => {
  const first = standingAfter(null, BIG, turn, 0, 1_000);
  expect(first).toEqual({
    engine: BIG,
    held: { engine: BIG, at: 1_000, tokens: 3_000, cachedTokens: null },
  });
  expect(standingAfter(first, BIG, turn, 0, 2_000).held?.cachedTokens).toBe(0);
  expect(standingAfter(first, BIG, turn, 2_900, 2_000).held?.cachedTokens).toBe(2_900);
  expect(standingAfter(first, "backend:other", turn, 0, 2_000).held?.cachedTokens).toBeNull();
  const late = 1_001 + PROMPT_CACHE_MS_MAX;
  expect(standingAfter(first, BIG, turn, 0, late).held?.cachedTokens).toBeNull();
  const atOnce = standingAfter(null, BIG, { earlierTokens: 0, newTokens: 9 }, 0, 1_000);
  expect(standingAfter(atOnce, BIG, turn, 0, 2_000).held?.cachedTokens).toBeNull();
  const little = standingAfter(null, BIG, { earlierTokens: 1, newTokens: 9 }, 0, 1_000);
  expect(standingAfter(little, BIG, turn, 0, 2_000).held?.cachedTokens).toBe(0);
});

it("a turn at the edge leaves what the backend holds as it was", () => {
  const before = { engine: BIG, held };
  expect(standingAfter(before, "brink-reader", turn, null, 9)).toEqual({
    engine: "brink-reader",
    held,
  });
});

it("a switch costs what the backend's cache lacked of the earlier turns", () => {
  const cost = (from: string, to: string, cached: number | null, now = 2_000) =>
    switchCost({ engine: from, held }, to, turn, cached, prices, now);
  expect(cost("brink-reader", "backend:other", null)).toEqual({
    from: "brink-reader",
    recached_tokens: 3_000,
    usd: 0.003,
  });
  expect(cost("brink-reader", "backend:other", 1_000)?.recached_tokens).toBe(2_000);
  // Back in time, the held prompt is taken for cached where the backend does not say.
  expect(cost("brink-reader", BIG, null)?.recached_tokens).toBe(0);
  expect(cost("brink-reader", BIG, 500)?.recached_tokens).toBe(2_500);
  const late = 1_001 + PROMPT_CACHE_MS_MAX;
  expect(cost("brink-reader", BIG, null, late)?.recached_tokens).toBe(3_000);
  // To the edge, which reads no earlier turns, a switch costs nothing yet.
  expect(cost(BIG, "brink-reader", null)).toEqual({ from: BIG, recached_tokens: 0, usd: 0 });
});

it("the same backend twice is no switch, nor are two engines of the edge", () => {
  const same = (from: string, to: string) =>
    switchCost({ engine: from, held: null }, to, turn, null, null, 0);
  expect(same(BIG, BIG)).toBeNull();
  expect(same("brink-reader", "brink-note")).toBeNull();
  expect(switchCost(null, BIG, turn, null, prices, 0)).toBeNull();
  expect(same("brink-note", BIG)).toMatchObject({ recached_tokens: 3_000, usd: null });
  // What is read nowhere costs nothing, whether or not prices are known.
  expect(same(BIG, "brink-reader")).toMatchObject({ recached_tokens: 0, usd: 0 });
});

it("four characters are about a token", () => {
  expect([0, 1, 4, 5].map(estimateTokens)).toEqual([0, 1, 1, 2]);
});
