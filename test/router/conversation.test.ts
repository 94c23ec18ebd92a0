import { expect, it } from "vitest";
import { CONVERSATIONS_MAX, PROMPT_CACHE_MS_MAX } from "../../src/limits.ts";
import { estimateTokens, RecentConversations, whyStay } from "../../src/router/conversation.ts";
import { COMPLETION_TOKENS_EXPECTED, type Prices } from "../../src/router/target.ts";

const held = { at: 1_000, cachedTokens: null };

it("a conversation stays while reading its prompt again costs more than leaving saves", () => {
  const newTokens = 50;
  const even = newTokens + COMPLETION_TOKENS_EXPECTED;
  const why = (earlierTokens: number) => whyStay(held, { earlierTokens, newTokens }, null, 1_000);
  expect(why(even)).toBeNull();
  expect(why(even + 1)).toContain(`${even + 1} tokens`);
});

it("with prices it is money that counts: a dear answer is worth leaving for", () => {
  const turn = { earlierTokens: 1_000, newTokens: 100 };
  const prices: Prices = {
    input_per_mtok: 1,
    output_per_mtok: 4,
    prompt_tokens: 1_000,
    completion_tokens: 200,
  };
  expect(whyStay(held, turn, prices, 1_000)).toContain("USD 0.0010");
  expect(whyStay(held, turn, { ...prices, output_per_mtok: 5 }, 1_000)).toBeNull();
});

it("what the backend did not cache, or has let go, keeps nobody", () => {
  const turn = { earlierTokens: 9_000, newTokens: 10 };
  expect(whyStay({ ...held, cachedTokens: 0 }, turn, null, 1_000)).toBeNull();
  expect(whyStay(held, turn, null, 1_000 + PROMPT_CACHE_MS_MAX)).not.toBeNull();
  expect(whyStay(held, turn, null, 1_001 + PROMPT_CACHE_MS_MAX)).toBeNull();
  expect(whyStay(null, turn, null, 1_000)).toBeNull();
});

it("the conversation that was longest without an answer is forgotten first", () => {
  const conversations = new RecentConversations();
  for (let i = 0; i < CONVERSATIONS_MAX; i++) conversations.hold(`c${i}`, { ...held, at: i });
  conversations.hold("c0", { ...held, at: -1 });
  conversations.hold("new", held);
  expect(conversations.find("c1")).toBeNull();
  expect(conversations.find("c0")?.at).toBe(-1);
  expect(conversations.find("new")).toEqual(held);
});

it("four characters are about a token", () => {
  expect([0, 1, 4, 5].map(estimateTokens)).toEqual([0, 1, 1, 2]);
});
