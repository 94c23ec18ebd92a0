/** Against a double of the Workers AI binding that holds to its documented interface: `run` takes
 *  a model, inputs and options, gives an object or with `stream` the bytes of an event stream, and
 *  rejects with an Error whose message begins with Workers AI's number. */
import { expect, it } from "vitest";
import { AiBackend, type WorkersAi } from "../../src/engine/backend-ai.ts";
import type { ReplyLimits } from "../../src/engine/backend-reply.ts";
import { ask, collect, memberOf, poolOf } from "../support/backends.ts";

const MODEL = "@cf/meta/llama-3.1-8b-instruct";
const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

type Answer = object | string[] | Error | "hang" | null;

class AiDouble implements WorkersAi {
  readonly calls: { model: string; inputs: Record<string, unknown> }[] = [];
  cancelled = 0;
  readonly #answers: Answer[];

  constructor(...answers: Answer[]) {
    this.#answers = answers;
  }

  async run(
    model: string,
    inputs: Record<string, unknown>,
    options: { signal?: AbortSignal } = {},
  ): Promise<unknown> {
    this.calls.push({ model, inputs });
    const answer = this.#answers.shift()!;
    if (answer instanceof Error) throw answer;
    if (answer === "hang")
      return new Promise((_, reject) => {
        options.signal?.addEventListener("abort", () => reject(options.signal!.reason));
      });
    return Array.isArray(answer) ? this.#stream(answer) : answer;
  }

  #stream(events: string[]): ReadableStream<Uint8Array> {
    const rest = [...events];
    return new ReadableStream({
      pull: (controller) => {
        const data = rest.shift();
        if (data === "hang") return new Promise(() => {});
        if (data === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(`data: ${data}\n\n`));
      },
      cancel: () => {
        this.cancelled++;
      },
    });
  }
}

function engine(ai: WorkersAi, limits: Partial<ReplyLimits> = {}) {
  return poolOf([memberOf("workers", new AiBackend(ai, MODEL, limits))]);
}

it("a whole answer has its text and usage, from either shape", async () => {
  const native = { response: "Because so.", usage: USAGE };
  const openai = {
    choices: [{ message: { content: "Because so." }, finish_reason: "length" }],
    usage: USAGE,
  };
  const ai = new AiDouble(native, openai);
  const pool = engine(ai);
  const parameters = { temperature: 0.3, max_completion_tokens: 50, stream: true };
  const first = await collect(pool.answer(ask(false, { parameters })));
  expect(first.all).toEqual([{ text: "Because so.", finish_reason: "stop", usage: USAGE }]);
  const second = await collect(pool.answer(ask(false)));
  expect(second.all).toEqual([{ text: "Because so.", finish_reason: "length", usage: USAGE }]);
  expect(ai.calls[0]).toEqual({
    model: MODEL,
    inputs: {
      temperature: 0.3,
      max_tokens: 50,
      messages: [{ role: "user", content: "why?" }],
      stream: false,
    },
  });
});

it("a stream arrives in its pieces with the usage at its end, from either shape", async () => {
  const native = [
    '{"response":"Because "}',
    '{"response":"so."}',
    `{"response":"","usage":${JSON.stringify(USAGE)}}`,
    "[DONE]",
  ];
  const openai = [
    '{"choices":[{"delta":{"role":"assistant","content":""}}]}',
    '{"choices":[{"delta":{"content":"Because "}}]}',
    '{"choices":[{"delta":{"content":"so."},"finish_reason":"stop"}]}',
    `{"choices":[],"usage":${JSON.stringify(USAGE)}}`,
    "[DONE]",
  ];
  const ai = new AiDouble(native, openai);
  for (let run = 0; run < 2; run++) {
    const { all } = await collect(engine(ai).answer(ask(true)));
    expect(all).toEqual([
      { text: "Because " },
      { text: "so." },
      { text: "", finish_reason: "stop", usage: USAGE },
    ]);
  }
  expect(ai.calls[0]!.inputs.stream).toBe(true);
});

it("tool calls and objects come as OpenAI has them", async () => {
  const ai = new AiDouble(
    { response: null, tool_calls: [{ name: "tide", arguments: { port: "Skagen" } }] },
    { response: { port: "Skagen" } },
  );
  const called = await collect(engine(ai).answer(ask(false)));
  expect(called.last.finish_reason).toBe("tool_calls");
  expect(called.last.tool_calls).toMatchObject([
    { index: 0, type: "function", function: { name: "tide", arguments: '{"port":"Skagen"}' } },
  ]);
  expect((await collect(engine(ai).answer(ask(false)))).text).toBe('{"port":"Skagen"}');
});

it.each([
  ["5007: No such model @cf/x or task", "model_not_found", 1],
  ["AiError: 5004: Invalid data type", "invalid_request", 1],
  ["3006: Request is too large", "invalid_request", 1],
  ["3036: You have used up your daily free allocation", "backend_unavailable", 3],
  ["InferenceUpstreamError: 3040: No more data centers", "backend_unavailable", 3],
  ["5018: The account is not allowed to access this model", "backend_unavailable", 1],
  ["9999: something new", "backend_unavailable", 3],
  ["the network was lost", "backend_unavailable", 3],
])("an error %j is %s, after %i calls", async (message, code, calls) => {
  const ai = new AiDouble(...Array.from({ length: 3 }, () => new Error(message)));
  await expect(collect(engine(ai).answer(ask(true)))).rejects.toMatchObject({ code });
  expect(ai.calls.length).toBe(calls);
});

it("no object and no stream, and an object without an answer, are failures", async () => {
  for (const answer of [null, {}, { usage: USAGE }])
    await expect(collect(engine(new AiDouble(answer)).answer(ask(false)))).rejects.toMatchObject({
      code: "backend_unavailable",
    });
});

it("a stream that falls silent or is cut is an error after what came", async () => {
  for (const [events, code] of [
    [['{"response":"so far"}', "hang"], "backend_timeout"],
    [['{"response":"so far"}'], "backend_unavailable"],
  ] as const) {
    const pieces = engine(new AiDouble([...events]), { idleMs: 40 }).answer(ask(true));
    expect((await pieces.next()).value).toMatchObject({ text: "so far" });
    await expect(pieces.next()).rejects.toMatchObject({ code });
  }
});

it("a caller that leaves ends the call, and one that stops reading the stream", async () => {
  const gone = new AbortController();
  const ai = new AiDouble("hang", ['{"response":"so far"}', "hang"]);
  const answer = collect(engine(ai).answer(ask(true, { signal: gone.signal })));
  await expect.poll(() => ai.calls.length).toBe(1);
  gone.abort(new Error("the client has gone"));
  await expect(answer).rejects.toThrow("the client has gone");
  for await (const _ of engine(ai).answer(ask(true))) break;
  await expect.poll(() => ai.cancelled).toBe(1);
});
