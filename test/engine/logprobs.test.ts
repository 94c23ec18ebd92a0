/** A backend's log probabilities: read where they were asked for, and checked like all else. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ReplyLimits } from "../../src/engine/backend-reply.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { TOP_LOGPROBS_MAX } from "../../src/limits.ts";
import { ask, collect, memberAt, poolOf } from "../support/backends.ts";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

const token = (text: string, logprob = -0.5, bytes: number[] | null = [...Buffer.from(text)]) => {
  return { token: text, logprob, bytes };
};
const withTop = (text: string, ...others: string[]) => {
  return { ...token(text), top_logprobs: [text, ...others].map((one) => token(one)) };
};

/** The backend's reply, of a message or of a stream's deltas, each with its choice's logprobs. */
function script(stream: boolean, ...parts: [said: object, logprobs?: unknown][]) {
  const choices = parts.map(([said, logprobs], i) => {
    const finish_reason = i === parts.length - 1 ? "stop" : null;
    return { index: 0, [stream ? "delta" : "message"]: said, logprobs, finish_reason };
  });
  const bodies = choices.map((choice) => JSON.stringify({ choices: [choice] }));
  if (!stream) server.script({ status: 200, body: bodies[0]! });
  else server.script({ chunks: bodies.map((body) => `data: ${body}\n\n`), ending: "end" });
}

async function read(stream: boolean, parameters: object, limits: Partial<ReplyLimits> = {}) {
  const engine = poolOf([memberAt(server.url, "big", {}, limits)]);
  const asked = ask(stream, { parameters: { ...parameters } });
  return (await collect(engine.answer(asked))).all;
}

const tokensOf = (pieces: EnginePiece[]) => pieces.flatMap(({ logprobs }) => logprobs ?? []);
const ASKED = { logprobs: true, top_logprobs: 2 };

it("they come with their text, whole and streamed, as many as were asked for", async () => {
  const content = [withTop("Yes", "No", "Maybe"), withTop(".")];
  const wanted = [withTop("Yes", "No"), withTop(".")];
  const extra = content.map((one) => ({ ...one, id: 7 }));
  script(false, [{ content: "Yes." }, { content: extra, refusal: null }]);
  expect((await read(false, ASKED))[0]).toMatchObject({ text: "Yes.", logprobs: wanted });
  script(
    true,
    ...content.map((one): [object, unknown] => [{ content: one.token }, { content: [one] }]),
  );
  const pieces = await read(true, ASKED);
  expect(pieces.map(({ text }) => text)).toEqual(["Yes", ".", ""]);
  expect(tokensOf(pieces)).toEqual(wanted);
  expect(server.requests.map(({ body }) => [body.logprobs, body.top_logprobs])).toEqual([
    [true, 2],
    [true, 2],
  ]);
});

it("none are read that were not asked for, and none of one that has none", async () => {
  const unasked: [object, unknown] = [{ content: "Yes" }, { content: [withTop("Yes")] }];
  for (const stream of [false, true])
    for (const parameters of [{}, { logprobs: false }]) {
      script(stream, unasked);
      expect(tokensOf(await read(stream, parameters))).toEqual([]);
    }
  for (const logprobs of [undefined, null, { content: null }, { tokens: ["Yes"] }]) {
    script(false, [{ content: "Yes" }, logprobs]);
    expect(await read(false, ASKED)).toEqual([{ text: "Yes", finish_reason: "stop" }]);
  }
});

it("a token without bytes has null, one without alternatives an empty list", async () => {
  const content = [
    { token: "Yes", logprob: -9999 },
    { ...token("!", 0, null), top_logprobs: [] },
  ];
  script(false, [{ content: "Yes!" }, { content }]);
  expect(tokensOf(await read(false, { logprobs: true }))).toEqual([
    { ...token("Yes", -9999, null), top_logprobs: [] },
    { ...token("!", 0, null), top_logprobs: [] },
  ]);
});

it("half a character's are kept, those of reasoning and of calls are not the text's", async () => {
  const call = { index: 0, id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const half = { ...token("\ufffd", -1, [0xc3]), top_logprobs: [] };
  script(
    true,
    [{ reasoning_content: "Hm" }, { content: [withTop("Hm")] }],
    [{ content: "" }, { content: [half] }],
    [{ content: "é" }, { content: [withTop("é")] }],
    [{ tool_calls: [call] }, { content: [withTop("{}")] }],
  );
  expect(tokensOf(await read(true, ASKED))).toEqual([half, withTop("é")]);
  script(false, [{ content: null, tool_calls: [call] }, { content: [withTop("{}")] }]);
  expect(tokensOf(await read(false, ASKED))).toEqual([]);
});

it.each([
  ["no object", "Yes"],
  ["no token", { logprob: -1 }],
  ["no number", { token: "Yes", logprob: null }],
  ["no byte", { token: "Yes", logprob: -1, bytes: [256] }],
  ["no bytes", { token: "Yes", logprob: -1, bytes: "WWVz" }],
  ["a wrong alternative", { ...token("Yes"), top_logprobs: [{ token: 1, logprob: -1 }] }],
])("what has %s is no answer, whole and streamed", async (_, entry) => {
  for (const stream of [false, true]) {
    script(stream, [{ content: "Yes" }, { content: [entry] }]);
    await expect(read(stream, ASKED)).rejects.toMatchObject({ code: "backend_unavailable" });
  }
});

it("a number that JSON cannot hand on is no answer", async () => {
  const body = '{"choices":[{"message":{"content":"a"},"logprobs":{"content":[TOKEN]}}]}';
  const endless = '{"token":"a","logprob":-1e999}';
  server.script({ status: 200, body: body.replace("TOKEN", endless) });
  await expect(read(false, ASKED)).rejects.toMatchObject({ code: "backend_unavailable" });
});

it("alternatives are cut at TOP_LOGPROBS_MAX, and the reply has a bound of its own", async () => {
  const many = Array.from({ length: TOP_LOGPROBS_MAX + 5 }, (_, i) => `t${i}`);
  const content = [withTop("Yes", ...many)];
  script(false, [{ content: "Yes" }, { content }]);
  const [first] = tokensOf(await read(false, { logprobs: true, top_logprobs: 1_000 }));
  expect(first!.top_logprobs).toHaveLength(TOP_LOGPROBS_MAX);

  const long: [object, unknown] = [{ content: "Yes".repeat(1_000) }, { content }];
  const limits = { bytes: 2_000, logprobsBytes: 3_500 };
  for (const stream of [false, true]) {
    script(stream, long);
    const refused = read(stream, {}, limits);
    await expect(refused).rejects.toThrow("longer than 2000 bytes");
    script(stream, long);
    await expect(read(stream, ASKED, limits)).rejects.toThrow("longer than 3500 bytes");
    script(stream, long);
    const wide = { ...limits, logprobsBytes: 20_000 };
    expect(tokensOf(await read(stream, ASKED, wide))).toHaveLength(1);
  }
});
