/** What a backend says of itself, and what becomes of its words. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { readBackends } from "../../src/env-backends.ts";
import { loggedOf } from "../../src/errors.ts";
import { ask, collect, KEY, memberAt, poolOf } from "../support/backends.ts";
import { type OpenAiServer, type Step, startOpenAiServer } from "../support/openai-server.ts";

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

const json = (body: object): Step => ({ status: 200, body: JSON.stringify(body) });
const stream = (...bodies: object[]): Step => ({
  chunks: bodies.map((body) => `data: ${JSON.stringify(body)}\n\n`),
  ending: "end",
});

function answerTo(step: Step, streamed: boolean) {
  server.script(step);
  return collect(poolOf([memberAt(server.url, "big", {})]).answer(ask(streamed)));
}

async function failureOf(step: Step, streamed: boolean): Promise<Error> {
  return answerTo(step, streamed).then(
    () => expect.unreachable("it was answered"),
    (error) => error,
  );
}

const SAID = { error: { message: `key ${KEY} may not ask "my private question"` } };

it.each<[string, Step, boolean]>([
  ["a stream's error event", stream(SAID), true],
  ["a reply of 200", json(SAID), false],
  ["a refusal", { status: 400, body: JSON.stringify(SAID) }, false],
  ["a failure", { status: 501, body: JSON.stringify(SAID) }, true],
])("the words of %s are the caller's, without the key; the log has none of them", async (...of) => {
  const [, step, streamed] = of;
  const error = await failureOf(step, streamed);
  expect(error.message).toContain('key [key] may not ask "my private question"');
  expect(error.message).not.toContain(KEY);
  const logged = [error, error.cause].map(loggedOf).join();
  expect(logged).not.toContain("private");
  expect(logged).not.toContain(KEY);
});

it.each([false, true])(
  "of a reply that is no JSON the log has nothing (stream: %s)",
  async (is) => {
    const step: Step = is
      ? { chunks: ["data: my private answer\n\n"], ending: "end" }
      : { status: 200, body: "my private answer" };
    const error = await failureOf(step, is);
    expect(error.message).toContain("is not JSON");
    expect([error, error.cause].map(loggedOf).join()).not.toContain("private");
  },
);

it("a key is used and hidden without the newline that a shell put behind it", () => {
  const variables = {
    BACKENDS: JSON.stringify([
      { name: "a", model: "m", url: "https://a.example", key_secret: "A_KEY" },
    ]),
    A_KEY: "secret\n",
  };
  expect(readBackends(variables, false)[0]!.key).toBe("secret");
  const one = { BACKEND_URL: "https://a.example", BACKEND_MODEL: "m", BACKEND_KEY: " secret\n" };
  expect(readBackends(one, false)[0]!.key).toBe("secret");
});

const COUNTED = { prompt_tokens: 5, completion_tokens: 2 };

it.each<[string, unknown, object | undefined]>([
  ["both", COUNTED, { ...COUNTED, total_tokens: 7 }],
  ["both and a sum", { ...COUNTED, total_tokens: 9 }, { ...COUNTED, total_tokens: 9 }],
  ["none of the answer", { prompt_tokens: 5, completion_tokens: 0 }, { total_tokens: 5 }],
  ["nothing", {}, undefined],
  ["the sum alone", { total_tokens: 7 }, undefined],
  ["one of the two", { prompt_tokens: 5 }, undefined],
  ["zeros", { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, undefined],
  ["less than zero", { prompt_tokens: -5, completion_tokens: 2 }, undefined],
  ["parts of tokens", { prompt_tokens: 5.5, completion_tokens: 2 }, undefined],
  ["texts", { prompt_tokens: "5", completion_tokens: "2" }, undefined],
  ["more than can be counted", { prompt_tokens: 2 ** 53, completion_tokens: 2 }, undefined],
])("a usage that counts %s is told, or taken as not told", async (_, usage, told) => {
  const choice = { index: 0, finish_reason: "stop" };
  const whole = json({ choices: [{ ...choice, message: { content: "yes" } }], usage });
  const parts = stream({ choices: [{ ...choice, delta: { content: "yes" } }] }, { usage });
  for (const [step, streamed] of [
    [whole, false],
    [parts, true],
  ] as const) {
    const { text, last } = await answerTo(step, streamed);
    expect(text).toBe("yes");
    if (told === undefined) expect(last.usage).toBeUndefined();
    else expect(last.usage).toMatchObject(told);
  }
});

it("a later usage that counts nothing does not undo one that was told", async () => {
  const choice = { delta: { content: "yes" }, finish_reason: "stop" };
  const step = stream({ choices: [choice], usage: COUNTED }, { choices: [], usage: {} });
  expect((await answerTo(step, true)).last.usage).toMatchObject(COUNTED);
});

it("an answer in parts is the text of those that are text", async () => {
  const content = [
    { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
    { type: "text", text: "yes, " },
    { type: "text", text: "it is" },
  ];
  const whole = json({ choices: [{ message: { content }, finish_reason: "stop" }] });
  expect((await answerTo(whole, false)).text).toBe("yes, it is");
  const parts = stream({ choices: [{ delta: { content }, finish_reason: "stop" }] });
  expect((await answerTo(parts, true)).text).toBe("yes, it is");
});
