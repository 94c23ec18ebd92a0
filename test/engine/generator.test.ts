import { expect, it } from "vitest";
import type { EngineRequest } from "../../src/engine/engine.ts";
import { GeneratorEngine } from "../../src/engine/generator.ts";
import { GENERATOR_LINE_CHARS_MAX } from "../../src/limits.ts";

/** The text that an engine gives whose generator sends these bytes. */
async function answerOf(...parts: string[]): Promise<string> {
  const body = new ReadableStream({
    start(stream) {
      for (const part of parts) stream.enqueue(new TextEncoder().encode(part));
      stream.close();
    },
  });
  const binding = { fetch: async () => new Response(body) } as unknown as Fetcher;
  const signal = new AbortController().signal;
  const request = { scope: "t", messages: [], hits: [], parameters: {}, signal };
  let text = "";
  const engine = new GeneratorEngine(binding, "tiny", 64);
  for await (const piece of engine.answer(request as unknown as EngineRequest)) text += piece.text;
  return text;
}

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const LAST = JSON.stringify({ text: "", finish_reason: "stop", usage });

it("a line that does not end is given up beyond its bound", async () => {
  const line = (chars: number) => {
    const frame = JSON.stringify({ text: "" }).length;
    return JSON.stringify({ text: "x".repeat(chars - frame) });
  };
  const most = line(GENERATOR_LINE_CHARS_MAX);
  expect((await answerOf(most, "\n", LAST)).length).toBeGreaterThan(most.length - 20);
  const more = line(GENERATOR_LINE_CHARS_MAX + 1);
  await expect(answerOf(more, "\n", LAST)).rejects.toMatchObject({
    code: "generator_unavailable",
    message: expect.stringContaining(`longer than ${GENERATOR_LINE_CHARS_MAX} characters`),
  });
});

it("an answer that ends before its last piece is an error", async () => {
  await expect(answerOf('{"text":"half"}\n')).rejects.toMatchObject({
    code: "generator_unavailable",
  });
});
