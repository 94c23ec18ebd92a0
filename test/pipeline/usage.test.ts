import { expect, it } from "vitest";
import type { ChatMessage, EngineRequest } from "../../src/engine/engine.ts";
import { PART_TOKENS_MAX } from "../../src/limits.ts";
import {
  guessTokens,
  mostTokens,
  priceOf,
  pricesOf,
  unpricedOf,
  withBound,
} from "../../src/pipeline/usage.ts";

const BIG = { input_per_mtok: 0.1, output_per_mtok: 0.4 };
const priced = (prices: typeof BIG | null) => [{ name: "big", prices }];
const PRICES = {
  backends: priced(BIG),
  edgePrices: { input_per_mtok: 0, output_per_mtok: 0 },
};

function request(messages: ChatMessage[], parameters: object = {}): EngineRequest {
  return {
    scope: "t",
    question: "",
    messages,
    hits: [],
    parameters: { ...parameters },
    stream: false,
    signal: new AbortController().signal,
  };
}
const user = (content: ChatMessage["content"]): ChatMessage => ({ role: "user", content });

it("a backend costs what it charges, to the nano-USD; the edge costs nothing unless set", () => {
  const tokens = { prompt_tokens: 3, completion_tokens: 1 };
  expect(priceOf(PRICES, "backend:big", tokens)).toBe(700);
  expect(priceOf(PRICES, "brink-reader", tokens)).toBe(0);
  expect(priceOf({ ...PRICES, edgePrices: BIG }, "generator:x", tokens)).toBe(700);
  expect(priceOf({ ...PRICES, backends: priced(null) }, "backend:big", tokens)).toBeNull();
  expect(pricesOf(PRICES, "backend:big")).toEqual(BIG);
});

it("a fraction of a nano-USD is rounded up, and nothing is nothing", () => {
  const cheap = { ...PRICES, backends: priced({ input_per_mtok: 0.0001, output_per_mtok: 0 }) };
  expect(priceOf(cheap, "backend:big", { prompt_tokens: 1, completion_tokens: 0 })).toBe(1);
  expect(priceOf(cheap, "backend:big", { prompt_tokens: 0, completion_tokens: 5 })).toBe(0);
});

it.each(["hello", "日本語のテキスト", "👩‍👩‍👧‍👦 🏳️‍🌈", '"quotes" and \n lines'])(
  "no byte-level tokenizer makes more tokens of %j than are held for",
  (text) => {
    const bytes = new TextEncoder().encode(text).length;
    const { prompt_tokens } = mostTokens(request([user(text), user(text)]));
    expect(prompt_tokens).toBeGreaterThanOrEqual(2 * (bytes + 8));
  },
);

it("tools, schemas and earlier tool calls are held for; images by their number", () => {
  const plain = mostTokens(request([user("x")])).prompt_tokens;
  const tools = [{ type: "function", function: { name: "tide".repeat(50) } }];
  expect(mostTokens(request([user("x")], { tools })).prompt_tokens).toBeGreaterThan(plain + 1_200);
  const image = { type: "image_url", image_url: { url: `data:,${"A".repeat(1_000_000)}` } };
  const pictured = mostTokens(request([user([{ type: "text", text: "x" }, image])]));
  expect(pictured.prompt_tokens).toBeGreaterThan(PART_TOKENS_MAX);
  expect(pictured.prompt_tokens).toBeLessThan(PART_TOKENS_MAX + 200);
});

it("each choice is held for by its own bound, the greater of two, or by 4,096", () => {
  const most = (parameters: object) =>
    mostTokens(request([user("x")], parameters)).completion_tokens;
  expect(most({})).toBe(4_096);
  expect(most({ max_tokens: 10 })).toBe(10);
  expect(most({ max_tokens: 10, max_completion_tokens: 20, n: 3 })).toBe(60);
  expect(withBound({ temperature: 1 })).toEqual({ temperature: 1, max_tokens: 4_096 });
  expect(withBound({ max_completion_tokens: 5 })).toEqual({ max_completion_tokens: 5 });
});

it("what nobody counted is guessed from all that is read", () => {
  const text = "and eight ".repeat(100);
  const asked = request([user(text), user([{ type: "text", text }]), user(null)]);
  const { prompt_tokens, completion_tokens } = guessTokens(asked, 9);
  expect(completion_tokens).toBe(3);
  expect(prompt_tokens).toBe(Math.ceil(mostTokens(asked).prompt_tokens / 4));
  expect(prompt_tokens).toBeGreaterThan((2 * text.length) / 4);
  const tools = [{ type: "function", function: { name: "f", description: text } }];
  expect(guessTokens(request([user("x")], { tools }), 0).prompt_tokens).toBeGreaterThan(250);
  const image = { type: "image_url", image_url: { url: "data:,A" } };
  const pictured = request([user([{ type: "text", text: "x" }, image])]);
  expect(guessTokens(pictured, 0).prompt_tokens).toBeGreaterThan(PART_TOKENS_MAX);
  const cjk = guessTokens(request([user("日本語".repeat(100))]), 0).prompt_tokens;
  expect(cjk).toBeGreaterThan(200); // three bytes a character
});

it("what the prices do not cover is known by its name", () => {
  const tool = (type: string) => ({ tools: [{ type: "function" }, { type }] });
  for (const [parameters, name] of [
    [{ models: ["dear/model"] }, "models"],
    [{ plugins: [{ id: "web" }] }, "plugins"],
    [{ web_search_options: {} }, "web_search_options"],
    [{ max_tokens: 1, n_predict: 9_000 }, "n_predict"],
    [{ max_tokens: 1, best_of: 20 }, "best_of"],
    [{ service_tier: "priority" }, "service_tier"],
    [tool("web_search"), "tools"],
    [{ tools: [null] }, "tools"],
    [{ ...tool("custom"), service_tier: "flex", temperature: 1, models: null }, null],
    [{}, null],
  ] as const)
    expect(unpricedOf(request([user("x")], parameters))?.param, JSON.stringify(parameters)).toBe(
      name ?? undefined,
    );
});

it("no price covers a part that is neither text nor an image", () => {
  const asking = (part: { type: string }) => request([user([{ type: "text", text: "x" }, part])]);
  const file_data = `data:application/pdf;base64,${"A".repeat(1_000)}`;
  for (const part of [
    { type: "file", file: { file_data } },
    { type: "file", file: { file_id: "file-1" } },
    { type: "input_audio", input_audio: { data: "A", format: "wav" } },
    { type: "video_url", video_url: { url: "https://films.test/long" } },
  ])
    expect(unpricedOf(asking(part))).toEqual({
      param: "messages",
      what: `a content part of type ${part.type}`,
    });
  const image = { type: "image_url", image_url: { url: "data:,A" } };
  for (const part of [image, { type: "refusal", refusal: "no" }])
    expect(unpricedOf(asking(part))).toBeNull();
});

it("a refusal is held for as the text that it is", () => {
  const refusal = { type: "refusal", refusal: "no ".repeat(PART_TOKENS_MAX) };
  const { prompt_tokens } = mostTokens(request([user([refusal])]));
  expect(prompt_tokens).toBeGreaterThan(refusal.refusal.length);
});
