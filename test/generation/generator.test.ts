/** Generation over fake models: text, ends, choices, speculation, the prefix cache, turns. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Generator } from "../../src/generation/generator.ts";
import type { GenerationPiece, GenerationRequest } from "../../src/generation/types.ts";
import { GENERATION_LEASE_MS_MAX, GENERATIONS_WAITING_MAX } from "../../src/limits.ts";
import { FakeModel, fakeTokenizer, hash, randomLogits, sayer } from "./fake-model.ts";

const tokenizer = fakeTokenizer(["the ", "lease ", "ends", ". "]);
const PROMPT = tokenizer.encode("a question");
const greedy = { temperature: 0 };

function saying(text: string, context = 512): Generator {
  const logits = sayer(tokenizer, PROMPT.length, text);
  return new Generator(new FakeModel(tokenizer.vocab_size, context, logits), tokenizer);
}

async function collect(generator: Generator, request: Partial<GenerationRequest>) {
  const pieces: GenerationPiece[] = [];
  for await (const piece of generator.generate({ prompt: PROMPT, scope: "a", ...request }))
    pieces.push(piece);
  return pieces;
}

const textOf = (pieces: GenerationPiece[], index = 0) =>
  pieces.flatMap((piece) => (piece.index === index ? [piece.text] : [])).join("");

describe("text and ends", () => {
  it("the end token ends with stop and leaves no text", async () => {
    const pieces = await collect(saying("Grüße 👋"), { sampling: greedy });
    expect(textOf(pieces)).toBe("Grüße 👋");
    expect(pieces.at(-1)).toMatchObject({
      finish_reason: "stop",
      usage: { prompt_tokens: 10, completion_tokens: 13, total_tokens: 23, cached_tokens: 0 },
    });
    expect(pieces.some(({ text }) => text.includes("\ufffd"))).toBe(false);
  });

  it("max_tokens ends with length, and a character that it cuts is left out", async () => {
    const pieces = await collect(saying("ab👋"), { sampling: greedy, max_tokens: 4 });
    expect(textOf(pieces)).toBe("ab");
    expect(pieces.at(-1)!.finish_reason).toBe("length");
    expect(pieces.at(-1)!.usage!.completion_tokens).toBe(4);
  });

  it("a full context ends with length after the one token that needs no position", async () => {
    const pieces = await collect(saying("x".repeat(50), 16), { sampling: greedy });
    expect(textOf(pieces)).toBe("x".repeat(7));
    expect(pieces.at(-1)!.finish_reason).toBe("length");
  });

  it("a stop string over several tokens is never shown, nor what follows it", async () => {
    const stop = ["STOP", "STAR"];
    const pieces = await collect(saying("a STA b STOP c"), { sampling: greedy, stop });
    expect(pieces.map(({ text }) => text)).toEqual(["a", " ", "STA ", "b", " ", ""]);
    expect(pieces.at(-1)!.finish_reason).toBe("stop");
    const unstopped = await collect(saying("a ST"), { sampling: greedy, stop });
    expect(textOf(unstopped)).toBe("a ST");
  });

  it("logprobs go with the text of their tokens and sum to one over the vocabulary", async () => {
    const pieces = await collect(saying("ab."), { sampling: greedy, top_logprobs: 2, stop: ["."] });
    const entries = pieces.flatMap(({ logprobs }) => logprobs ?? []);
    expect(entries.map(({ token }) => token)).toEqual(["a", "b"]);
    const others = tokenizer.vocab_size - 1;
    const expected = -Math.log(1 + others * Math.exp(-20));
    for (const { logprob } of entries) expect(logprob).toBeCloseTo(expected, 9);
    expect(entries[0]!.top_logprobs.map(({ bytes }) => bytes)).toEqual([[97], [0]]);
    expect(entries[0]!.top_logprobs[1]!.logprob).toBeCloseTo(expected - 20, 9);
  });

  it("a prompt beyond the context, an empty one and a foreign bias are refused", async () => {
    const generator = saying("x", 5);
    await expect(collect(generator, {})).rejects.toMatchObject({ code: "context_length_exceeded" });
    await expect(collect(generator, { prompt: [] })).rejects.toMatchObject({
      code: "invalid_request",
    });
    const logit_bias = new Map([[tokenizer.vocab_size, 1]]);
    await expect(
      collect(generator, { prompt: [1], sampling: { logit_bias } }),
    ).rejects.toMatchObject({ code: "invalid_request", param: "logit_bias" });
  });
});

/** A model that repeats itself: its next token depends on the last two, of a vocabulary of few. */
function repetitive(seed: number): FakeModel {
  const { vocab_size } = tokenizer;
  return new FakeModel(vocab_size, 300, (ids) => {
    const [a = 0, b = 0] = ids.slice(-2);
    const logits = new Float32Array(vocab_size);
    const noise = hash(seed, ids.length) % 5 === 0 ? ids.length : 0;
    for (let id = 97; id < 105; id++) logits[id] = (hash(seed, a, b, id, noise) / 2 ** 32) * 9;
    return logits;
  });
}

/** Costs at which every draft is worth its while. */
const FREE_ROWS = new Array<number>(9).fill(1);

describe("speculation", () => {
  it("answers are the same with it, at any temperature, and take fewer steps", async () => {
    let accepted = 0;
    let saved = 0;
    for (let seed = 0; seed < 30; seed++) {
      const sampling = { temperature: seed % 3 === 2 ? 0.4 : 0, seed, presence_penalty: seed % 2 };
      const request = { prompt: [97, 98, 99, 97, 98], sampling, max_tokens: 200 - seed, n: 2 };
      const plain = await collect(new Generator(repetitive(seed), tokenizer), {
        ...request,
        speculate: false,
      });
      const model = repetitive(seed);
      const drafted = await collect(new Generator(model, tokenizer, FREE_ROWS), request);
      for (const index of [0, 1]) expect(textOf(drafted, index)).toBe(textOf(plain, index));
      const { stats, usage } = drafted.at(-1)!;
      expect(usage).toEqual(plain.at(-1)!.usage);
      expect(stats!.accepted).toBeLessThanOrEqual(stats!.drafted);
      expect(stats!.steps + stats!.accepted).toBeGreaterThanOrEqual(usage!.completion_tokens - 2);
      accepted += stats!.accepted;
      saved += plain.at(-1)!.stats!.steps - stats!.steps;
    }
    expect(saved).toBeGreaterThan(0.9 * accepted);
    expect(accepted).toBeGreaterThan(1_000);
  });

  it("drafts that fail become rare", async () => {
    // The same two tokens recur, but what follows them is always new.
    const model = new FakeModel(5_000, 2_000, (ids) => {
      const logits = new Float32Array(5_000);
      logits[[1, 2, 300 + ids.length][ids.length % 3]!] = 9;
      return logits;
    });
    const generator = new Generator(model, tokenizer, [1, 1.2, 1.4, 1.6]);
    const pieces = await collect(generator, { sampling: greedy });
    expect(pieces.at(-1)!.stats!.drafted).toBeLessThan(0.01 * 2_000);
  });

  it("an answer that repeats the prompt is drafted at the real kernels' costs too", async () => {
    const passage = Array.from({ length: 80 }, (_, i) => 97 + (hash(3, i) % 26));
    const prompt = [...PROMPT, ...passage];
    const text = String.fromCharCode(...passage);
    const logits = sayer(tokenizer, prompt.length, text);
    const model = new FakeModel(tokenizer.vocab_size, 512, logits);
    const pieces = await collect(new Generator(model, tokenizer), { prompt, sampling: greedy });
    expect(textOf(pieces)).toBe(text);
    expect(pieces.at(-1)!.stats!.accepted).toBeGreaterThan(30);
  });
});

describe("choices", () => {
  it("n choices share one evaluation of the prompt and differ by seed alone", async () => {
    const { vocab_size } = tokenizer;
    const model = new FakeModel(vocab_size, 512, randomLogits(1, vocab_size, 2));
    const generator = new Generator(model, tokenizer);
    const request = { sampling: { seed: 5 }, n: 3, max_tokens: 20, speculate: false };
    const first = await collect(generator, request);
    expect(model.calls[0]).toBe(PROMPT.length);
    expect(model.calls.slice(1).every((ids) => ids === 1)).toBe(true);
    const texts = [0, 1, 2].map((index) => textOf(first, index));
    expect(new Set(texts).size).toBe(3);
    const again = await collect(generator, request);
    expect([0, 1, 2].map((index) => textOf(again, index))).toEqual(texts);
    expect(textOf(await collect(generator, { ...request, n: 1 }))).toBe(texts[0]);
    const other = await collect(generator, { ...request, sampling: { seed: 6 } });
    expect(textOf(other)).not.toBe(texts[0]);
    expect(first.filter(({ usage }) => usage)).toHaveLength(1);
  });
});

describe("the prefix cache", () => {
  const { vocab_size } = tokenizer;
  const fresh = () => new FakeModel(vocab_size, 2_000, randomLogits(3, vocab_size, 40));

  it("reuse changes no answer and says how many tokens were reused", async () => {
    const stable = Array.from({ length: 600 }, (_, i) => hash(9, i) % 256);
    const model = fresh();
    const generator = new Generator(model, tokenizer);
    for (const [i, question] of ["first?", "second?", "sec", "second? more"].entries()) {
      const prompt = [...stable, ...tokenizer.encode(question)];
      const before = model.calls.length;
      const request = { prompt, sampling: { seed: i }, max_tokens: 10 };
      const pieces = await collect(generator, request);
      const alone = await collect(new Generator(fresh(), tokenizer), request);
      expect(textOf(pieces)).toBe(textOf(alone));
      const { cached_tokens } = pieces.at(-1)!.usage!;
      expect(cached_tokens).toBe([0, 600, 602, 603][i]);
      const appended = model.calls.slice(before).slice(0, i === 0 ? 3 : 1);
      expect(appended.reduce((a, b) => a + b)).toBe(prompt.length - cached_tokens);
    }
  });

  it("the answer is part of the prefix of a conversation that goes on", async () => {
    const generator = saying("yes, then");
    await collect(generator, { sampling: greedy });
    const prompt = [...PROMPT, ...tokenizer.encode("yes, then"), tokenizer.end, 97];
    const again = await collect(generator, { prompt, max_tokens: 1 });
    expect(again.at(-1)!.usage!.cached_tokens).toBe(PROMPT.length + "yes, then".length);
  });

  it("another scope reuses nothing", async () => {
    const generator = new Generator(fresh(), tokenizer);
    await collect(generator, { scope: "a", max_tokens: 1 });
    const other = await collect(generator, { scope: "b", max_tokens: 1 });
    expect(other.at(-1)!.usage!.cached_tokens).toBe(0);
    const back = await collect(generator, { scope: "a", max_tokens: 1 });
    expect(back.at(-1)!.usage!.cached_tokens).toBe(0);
  });

  it("after an abort, a break or a failure the next answer is right", async () => {
    const model = repetitive(4);
    const generator = new Generator(model, tokenizer);
    const request = { prompt: [97, 98, 97, 98], sampling: greedy, max_tokens: 60 };
    const expected = textOf(await collect(new Generator(repetitive(4), tokenizer), request));
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      let taken = 0;
      const pieces = generator.generate({ ...request, scope: "a", signal: controller.signal });
      const run = async () => {
        for await (const _ of pieces) {
          if (taken++ < round) continue;
          if (round % 2) break;
          controller.abort(new Error("the caller left"));
        }
      };
      if (round % 2) await run();
      else await expect(run()).rejects.toThrow("the caller left");
      expect(textOf(await collect(generator, request))).toBe(expected);
    }
    const append = model.append.bind(model);
    model.append = () => {
      throw new Error("trap");
    };
    await expect(collect(generator, request)).rejects.toThrow("trap");
    model.append = append;
    expect(textOf(await collect(generator, request))).toBe(expected);
  });
});

describe("turns", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("who takes no pieces loses the turn, and disturbs no other by coming back", async () => {
    vi.useFakeTimers({
      toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "Date"],
    });
    const text = "an answer of many words";
    const generator = saying(text);
    const away = generator.generate({ prompt: PROMPT, scope: "a", sampling: greedy });
    await away.next();
    const other = generator.generate({ prompt: PROMPT, scope: "b", sampling: greedy });
    const first = other.next();
    await vi.advanceTimersByTimeAsync(GENERATION_LEASE_MS_MAX);
    const pieces = [(await first).value as GenerationPiece];
    await expect(away.next()).rejects.toMatchObject({ code: "generator_busy" });
    for await (const piece of other) pieces.push(piece);
    expect(textOf(pieces)).toBe(text);
    expect(textOf(await collect(generator, { sampling: greedy }))).toBe(text);
  });

  it("requests are answered one at a time, in order, and only so many wait", async () => {
    const generator = saying("ok");
    const order: number[] = [];
    const answers = Array.from({ length: GENERATIONS_WAITING_MAX + 3 }, async (_, i) => {
      await collect(generator, { sampling: greedy });
      order.push(i);
    });
    const settled = await Promise.allSettled(answers);
    expect(order).toEqual(Array.from({ length: GENERATIONS_WAITING_MAX + 1 }, (_, i) => i));
    for (const result of settled.slice(GENERATIONS_WAITING_MAX + 1))
      expect(result).toMatchObject({ status: "rejected", reason: { code: "generator_busy" } });
  });

  it("who leaves the list gives its place back", async () => {
    const generator = saying("ok");
    const first = collect(generator, { sampling: greedy });
    const controller = new AbortController();
    const waiting = collect(generator, { sampling: greedy, signal: controller.signal });
    await Promise.resolve();
    controller.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    expect(textOf(await first)).toBe("ok");
    expect(textOf(await collect(generator, { sampling: greedy }))).toBe("ok");
  });
});
