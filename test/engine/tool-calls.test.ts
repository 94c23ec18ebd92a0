/** A backend's tool calls, which are handed on as they are only where a client can read them. */
import { expect, it } from "vitest";
import { readChunk, readCompletion } from "../../src/engine/completion.ts";

/** Of a whole reply and of a chunk. */
function read(tool_calls: unknown) {
  const said = { content: null, tool_calls };
  const whole = readCompletion(JSON.stringify({ choices: [{ message: said }] }));
  const chunk = readChunk(JSON.stringify({ choices: [{ delta: said }] }));
  return [whole.tool_calls, chunk.tool_calls];
}

const call = { index: 0, id: "c", type: "function", function: { name: "f", arguments: "{}" } };

it("calls and parts of calls are handed on unchanged, and counted where they are whole", () => {
  const part = { index: 1, function: { arguments: '{"a' } };
  expect(read([call, part])).toEqual([
    [call, part],
    [call, part],
  ]);
  const { index: _, ...bare } = call;
  expect(read([bare])).toEqual([[call], [bare]]);
  const custom = { index: 0, id: "c", type: "custom", custom: { name: "f", input: "x" } };
  expect(read([custom])).toEqual([[custom], [custom]]);
  expect(read(null)).toEqual([undefined, undefined]);
});

it("arguments that are an object are made text, which is what clients append to", () => {
  const given = { ...call, function: { name: "f", arguments: { day: "May" } } };
  const text = { ...call, function: { name: "f", arguments: '{"day":"May"}' } };
  expect(read([given])).toEqual([[text], [text]]);
});

it.each([
  ["null", null],
  ["a text", "f"],
  ["one of a number for its id", { ...call, id: 5 }],
  ["one of a number for its name", { ...call, function: { name: 7, arguments: "{}" } }],
  ["one of no place", { ...call, index: "0" }],
  ["one of a place below 0", { ...call, index: -1 }],
])("%s is no call, and the reply no answer", (_, wrong) => {
  const said = { tool_calls: [wrong] };
  const failure = expect.objectContaining({ code: "backend_unavailable" });
  const whole = JSON.stringify({ choices: [{ message: said }] });
  expect(() => readCompletion(whole)).toThrow(failure);
  expect(() => readChunk(JSON.stringify({ choices: [{ delta: said }] }))).toThrow(failure);
});
