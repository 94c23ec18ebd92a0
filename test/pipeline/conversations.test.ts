import { afterEach, expect, it, vi } from "vitest";
import { PROMPT_CACHE_TOKENS_MIN } from "../../src/limits.ts";
import { SharedConversations } from "../../src/pipeline/conversations.ts";

afterEach(() => vi.unstubAllGlobals());

/** What is put into the data centre's cache for a prompt of so many tokens. */
async function sharedAt(tokens: number): Promise<string[]> {
  const put: string[] = [];
  vi.stubGlobal("caches", { open: async () => ({ put: async (url: string) => put.push(url) }) });
  const work: Promise<unknown>[] = [];
  const held = { engine: "backend:big", at: Date.now(), tokens, cachedTokens: null };
  const standing = { engine: "backend:big", held };
  const conversations = new SharedConversations((one) => work.push(one));
  conversations.hold(`key-${tokens}`, standing);
  expect(await conversations.find(`key-${tokens}`)).toEqual(standing); // the isolate knows it
  await Promise.all(work);
  return put;
}

it("a conversation is shared once its prompt is one that backends cache", async () => {
  expect(await sharedAt(PROMPT_CACHE_TOKENS_MIN - 1)).toEqual([]);
  expect(await sharedAt(PROMPT_CACHE_TOKENS_MIN)).toHaveLength(1);
});
