import { expect, it } from "vitest";
import type { ChatMessage } from "../../src/engine/engine.ts";
import { EVIDENCE_TOKENS_MAX } from "../../src/limits.ts";
import { conversationKeys } from "../../src/pipeline/conversations.ts";
import { conversed, turnOf } from "../../src/pipeline/conversing.ts";
import { tapped } from "../../src/pipeline/tap.ts";
import type { AnswerRequest, AnswerStream, Caller } from "../../src/pipeline/types.ts";
import { RecentConversations } from "../../src/router/conversation.ts";

const caller = (tenant: string): Caller => {
  return { tenant, scopes: ["inference"], namespaces: null, default_namespace: null };
};
const user = (content: ChatMessage["content"]): ChatMessage => ({ role: "user", content });
const said = (content: string): ChatMessage => ({ role: "assistant", content });

function keys(messages: ChatMessage[], conversation?: string, tenant = "a") {
  return conversationKeys({ caller: caller(tenant), conversation, messages });
}

it("a conversation that sends again what it sent is known by that", () => {
  const first = keys([user("One?")]);
  expect(first.before).toBeNull();
  const second = keys([user("One?"), said("1"), user("Two?")]);
  expect(second.before).toBe(first.now);
  const third = keys([user("One?"), said("1"), user("Two?"), said("2"), user("Three?")]);
  expect(third.before).toBe(second.now);
  const edited = keys([user("One?"), said("11"), user("Two?"), said("2"), user("Three?")]);
  expect(edited.before).not.toBe(second.now);
});

it("a named conversation is known by its name, and never by another tenant's", () => {
  const one = keys([user("One?")], "c1");
  const two = keys([user("Two?"), said("2"), user("Three?")], "c1");
  expect(two).toEqual(one);
  expect(one.before).toBe(one.now);
  expect(keys([user("One?")], "c1", "b").now).not.toBe(one.now);
  expect(keys([user("One?")], undefined, "b").now).not.toBe(keys([user("One?")]).now);
  expect(keys([user("One?")], "c2").now).not.toBe(one.now);
});

it("a turn's tokens are the earlier messages', and the question's with its passages", () => {
  const parts = [
    { type: "text", text: "12345678" },
    { type: "image_url", image_url: {} },
  ];
  const messages = [user(parts), said("1234"), user("12345678")];
  const hit = (text: string) => ({ text }) as Parameters<typeof turnOf>[1][number];
  const turn = turnOf({ messages } as AnswerRequest, [hit("1234"), hit("1234")]);
  expect(turn).toEqual({ earlierTokens: 3, newTokens: 4 });
  const long = turnOf({ messages } as AnswerRequest, [hit("x".repeat(100_000))]);
  expect(long.newTokens).toBe(2 + EVIDENCE_TOKENS_MAX);
});

function streamOf(engine: string, cached_tokens?: number, fails = false): AnswerStream {
  async function* pieces() {
    if (fails) throw new Error("broken");
    const usage = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10, cached_tokens };
    yield { text: "Yes.", finish_reason: "stop", usage };
  }
  const report = {
    ...{ route: "backend" as const, engine, answer: null, difficulty: null, reason: "" },
    ...{ citations: [], timings_ms: {} },
  };
  const frame = { model: engine, route: "backend" as const, difficulty: null };
  return { ...frame, pieces: pieces(), report: () => report };
}

it("who answered is remembered, and a switch counts what was not cached", async () => {
  const recent = new RecentConversations();
  const conversations = {
    find: async (key: string) => recent.find(key),
    hold: recent.hold.bind(recent),
  };
  const turn = { earlierTokens: 1_000, newTokens: 10 };
  const prices = {
    ...{ input_per_mtok: 2, output_per_mtok: 1 },
    ...{ prompt_tokens: 1, completion_tokens: 1 },
  };
  const run = async (stream: AnswerStream) => {
    const conversing = { keys: { before: "k", now: "k" }, before: recent.find("k") };
    const told = conversed(conversing, turn, stream, conversations, () => prices);
    for await (const _ of tapped(stream.pieces, [told.tap]));
    return told.report();
  };
  expect((await run(streamOf("brink-reader"))).switched).toBeUndefined();
  expect(await run(streamOf("backend:big", 400))).toMatchObject({
    switched: true,
    switch_cost: { from: "brink-reader", recached_tokens: 600, usd: 0.0012 },
  });
  expect((await run(streamOf("backend:big", 900))).switched).toBeUndefined();
  expect(recent.find("k")).toMatchObject({ held: { tokens: 1_000, cachedTokens: 900 } });
  const held = recent.find("k");
  await expect(run(streamOf("backend:big", 0, true))).rejects.toThrow("broken");
  expect(recent.find("k")).toBe(held); // a backend that failed holds what it held
});
