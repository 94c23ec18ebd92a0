import { expect, it, vi } from "vitest";
import { ResponsesReply } from "../../src/api/schema/responses-reply.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { ServiceError } from "../../src/errors.ts";
import type { AnswerRequest } from "../../src/pipeline/types.ts";
import { REPORT, startApi } from "./fake-service.ts";

const PATH = "/v1/responses";
const input = "When does the lease end?";

/** The data of named events, each checked to bear the name of its type and the next number. */
// biome-ignore lint/suspicious/noExplicitAny: tests read events of every shape
async function readEvents(response: Response): Promise<any[]> {
  const blocks = (await response.text()).split("\n\n");
  expect(blocks.pop()).toBe("");
  return blocks.map((block, i) => {
    const [, name, data] = /^event: ([\w.]+)\ndata: ([^\n]+)$/.exec(block)!;
    const event = JSON.parse(data!);
    expect([event.type, event.sequence_number]).toEqual([name, i]);
    return event;
  });
}

async function seen(json: object): Promise<AnswerRequest> {
  const { call, service } = startApi();
  const response = await call(PATH, { json });
  expect(response.status, await response.clone().text()).toBe(200);
  return service.calls.find(([name]) => name === "answer")![1] as AnswerRequest;
}

it("a whole response has OpenAI's shape, brink, and citations as annotations", async () => {
  const json = { input, metadata: { case: "7" }, instructions: "Be brief." };
  const response = await startApi().call(PATH, { json });
  expect(response.headers.get("x-brink-route")).toBe("edge");
  const reply = ResponsesReply.strict().parse(await response.json());
  expect(reply.id).toBe(`resp_${response.headers.get("x-brink-trace")}`);
  expect(reply).toMatchObject({ status: "completed", metadata: json.metadata, brink: REPORT });
  expect(reply.usage).toMatchObject({ input_tokens: 5, output_tokens: 4, total_tokens: 9 });
  expect(reply.output).toMatchObject([
    {
      role: "assistant",
      content: [
        {
          text: "It ends on 3 May.",
          annotations: [{ type: "file_citation", file_id: "d1", filename: "d1", index: 0 }],
        },
      ],
    },
  ]);
});

it("a stream tells of each part from response.created to response.completed", async () => {
  const response = await startApi().call(PATH, { json: { input, stream: true } });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const events = await readEvents(response);
  expect(events.map(({ type }) => type.replace("response.", ""))).toEqual([
    "created",
    "in_progress",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.delta",
    "output_text.annotation.added",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
  ]);
  expect(events[4]).toMatchObject({ output_index: 0, content_index: 0, delta: "It ends " });
  expect(events[7].text).toBe("It ends on 3 May.");
  const whole = ResponsesReply.strict().parse(events.at(-1).response);
  expect(whole.output).toEqual([events[9].item]);
});

it("what a backend thought is counted, whole and streamed", async () => {
  const { call, service } = startApi();
  const usage = { prompt_tokens: 5, completion_tokens: 9, total_tokens: 14, reasoning_tokens: 7 };
  service.pieces = async function* (): AsyncGenerator<EnginePiece> {
    yield { text: "Yes.", finish_reason: "stop", usage };
  };
  const whole = ResponsesReply.strict().parse(await (await call(PATH, { json: { input } })).json());
  const events = await readEvents(await call(PATH, { json: { input, stream: true } }));
  for (const told of [whole.usage, events.at(-1).response.usage])
    expect(told).toMatchObject({
      ...{ output_tokens: 9, output_tokens_details: { reasoning_tokens: 7 }, total_tokens: 14 },
    });
});

it("calls of functions are items of their own, after the text", async () => {
  const { call, service } = startApi();
  const delta = (index: number, rest: object) => ({ text: "", tool_calls: [{ index, ...rest }] });
  service.pieces = async function* (): AsyncGenerator<EnginePiece> {
    yield { text: "Let me see." };
    yield delta(0, { id: "c1", type: "function", function: { name: "tide", arguments: "" } });
    yield delta(0, { function: { arguments: '{"at":' } });
    yield delta(0, { function: { arguments: "9}" } });
    yield delta(1, { id: "c2", type: "function", function: { name: "moon", arguments: "{}" } });
    yield { text: "", finish_reason: "tool_calls" };
  };
  const tools = [{ type: "function", name: "tide", parameters: { type: "object" } }];
  const events = await readEvents(await call(PATH, { json: { input, tools, stream: true } }));
  const { output, status } = events.at(-1).response;
  expect(status).toBe("completed");
  expect(output).toMatchObject([
    { type: "message", content: [{ text: "Let me see." }] },
    { type: "function_call", call_id: "c1", name: "tide", arguments: '{"at":9}' },
    { type: "function_call", call_id: "c2", name: "moon", arguments: "{}" },
  ]);
  const deltas = events.filter(({ type }) => type === "response.function_call_arguments.delta");
  expect(deltas.map((event) => [event.output_index, event.delta])).toEqual([
    [1, '{"at":'],
    [1, "9}"],
    [2, "{}"],
  ]);
});

it("an answer that ran out of tokens is incomplete", async () => {
  const { call, service } = startApi();
  service.pieces = async function* () {
    yield { text: "It en", finish_reason: "length" };
  };
  const json = { input, max_output_tokens: 2 };
  const reply = ResponsesReply.parse(await (await call(PATH, { json })).json());
  expect(reply.status).toBe("incomplete");
  expect(reply.incomplete_details).toEqual({ reason: "max_output_tokens" });
  const events = await readEvents(await call(PATH, { json: { ...json, stream: true } }));
  expect(events.at(-1).type).toBe("response.incomplete");
});

it("a failure after the first token is error and response.failed", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  service.pieces = async function* () {
    yield { text: "It ends" };
    throw new ServiceError("backend_unavailable", "the backend failed: it broke off");
  };
  const events = await readEvents(await call(PATH, { json: { input, stream: true } }));
  const [error, failed] = events.slice(-2);
  expect(error).toMatchObject({ type: "error", code: "backend_unavailable", param: null });
  expect(failed).toMatchObject({
    type: "response.failed",
    response: {
      ...{ status: "failed", error: { message: error.message } },
      output: [{ type: "message", status: "incomplete" }],
    },
  });
  vi.restoreAllMocks();
});

it("input items become the conversation, with calls and images where they stood", async () => {
  const { messages } = await seen({
    instructions: "Be brief.",
    input: [
      { role: "user", content: [{ type: "input_text", text: "And now?" }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look." }] },
      { type: "function_call", call_id: "c1", name: "tide", arguments: "{}" },
      { type: "function_call", call_id: "c2", name: "moon", arguments: "{}" },
      { type: "function_call_output", call_id: "c1", output: "low" },
      {
        role: "user",
        content: [
          { type: "input_image", image_url: "data:image/png;base64,AA==", detail: "low" },
          { type: "input_text", text: "What is this?" },
        ],
      },
    ],
  });
  const made = (id: string, name: string) => {
    return { id, type: "function", function: { name, arguments: "{}" } };
  };
  expect(messages).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "And now?" },
    {
      role: "assistant",
      content: "I look.",
      tool_calls: [made("c1", "tide"), made("c2", "moon")],
    },
    { role: "tool", tool_call_id: "c1", content: "low" },
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url: "data:image/png;base64,AA==", detail: "low" } },
        { type: "text", text: "What is this?" },
      ],
    },
  ]);
});

it("parameters go on by their names in a chat", async () => {
  const schema = { type: "object", properties: { day: { type: "string" } } };
  const { parameters, memory } = await seen({
    input,
    memory: false,
    max_output_tokens: 9,
    temperature: 0.5,
    top_logprobs: 2,
    include: ["message.output_text.logprobs"],
    text: { format: { type: "json_schema", name: "day", schema, strict: true } },
    tools: [{ type: "function", name: "tide", parameters: { type: "object" }, strict: null }],
    tool_choice: { type: "function", name: "tide" },
    reasoning: { effort: "low", summary: null },
    prompt_cache_retention: "24h",
    metadata: { case: "7" },
  });
  expect(memory).toBeNull();
  expect(parameters).toEqual({
    max_completion_tokens: 9,
    temperature: 0.5,
    logprobs: true,
    top_logprobs: 2,
    response_format: { type: "json_schema", json_schema: { name: "day", schema, strict: true } },
    tools: [{ type: "function", function: { name: "tide", parameters: { type: "object" } } }],
    tool_choice: { type: "function", function: { name: "tide" } },
    reasoning_effort: "low",
    prompt_cache_retention: "24h",
  });
});

it("without tools nothing is said of them, and none can be asked for", async () => {
  for (const tools of [undefined, null, []])
    for (const tool_choice of ["auto", "none", null]) {
      const { parameters } = await seen({ input, tools, tool_choice, parallel_tool_calls: true });
      expect(parameters).toEqual({});
    }
  const { call } = startApi();
  for (const tool_choice of ["required", { type: "function", name: "tide" }]) {
    const response = await call("/v1/responses", { json: { input, tool_choice, tools: [] } });
    const { error } = (await response.json()) as { error: { code: string; param: string } };
    expect([response.status, error.code, error.param]).toEqual([
      400,
      "invalid_request",
      "tool_choice",
    ]);
  }
});

it("stored state and tools of OpenAI's own are unsupported_parameter, by name", async () => {
  const { call } = startApi();
  const refused: [object, string][] = [
    [{ previous_response_id: "resp_1" }, "previous_response_id"],
    [{ conversation: "conv_1" }, "conversation"],
    [{ background: true }, "background"],
    [{ store: true }, "store"],
    [{ prompt: { id: "p" } }, "prompt"],
    [{ truncation: "auto" }, "truncation"],
    [{ reasoning: { summary: "auto" } }, "reasoning.summary"],
    [{ include: ["reasoning.encrypted_content"] }, "include[0]"],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ input: [{ type: "item_reference", id: "msg_1" }] }, "input[0].type"],
    [
      { input: [{ role: "user", content: [{ type: "input_file", file_id: "f" }] }] },
      "input[0].content[0].type",
    ],
  ];
  for (const [rest, param] of refused) {
    const response = await call(PATH, { json: { input, ...rest } });
    const { error } = (await response.json()) as { error: object };
    expect([response.status, error]).toMatchObject([400, { code: "unsupported_parameter", param }]);
  }
  const quiet = { store: false, background: false, previous_response_id: null, conversation: null };
  expect((await call(PATH, { json: { input, ...quiet } })).status).toBe(200);
});

it("what no engine can do is told by the field's own name, not by a chat's", async () => {
  const { call, service } = startApi();
  const told = async (param: string | null) => {
    const fault = new ServiceError("unsupported_parameter", "no", param === null ? {} : { param });
    Object.assign(service, { answer: () => Promise.reject(fault) });
    const response = await call(PATH, { json: { input } });
    const { error } = (await response.json()) as { error: object };
    expect([response.status, error]).toMatchObject([400, { code: fault.code, message: "no" }]);
    return (error as { param: string | null }).param;
  };
  expect(await told("messages")).toBe("input");
  expect(await told("response_format")).toBe("text.format");
  expect(await told("logprobs")).toBe("include");
  expect(await told("tools")).toBe("tools");
  expect(await told(null)).toBeNull();
});

it("what is not a request is invalid_request, by the field at fault", async () => {
  const { call } = startApi();
  const refused: [object, string][] = [
    [{}, "input"],
    [{ input: "" }, "input"],
    [{ input: [] }, "input"],
    [{ input: [{ role: "assistant", content: "x" }] }, "input"],
    [{ input: "x".repeat(400_001) }, "input"],
    [{ input: [{ type: "function_call", name: "x" }] }, "input[0]"],
    [{ input, temprature: 1 }, "temprature"],
    [{ input, text: { format: { type: "json_schema" } } }, "text.format.name"],
    [{ input, text: { format: { type: "xml" } } }, "text.format.type"],
    [{ input, metadata: { a: 1 } }, "metadata.a"],
    [{ input, tools: [{ type: "function" }] }, "tools[0].name"],
    [{ input, top_logprobs: 5 }, "top_logprobs"],
  ];
  for (const [json, param] of refused) {
    const response = await call(PATH, { json });
    const { error } = (await response.json()) as { error: { param: string } };
    expect([response.status, error.param], JSON.stringify(error)).toEqual([400, param]);
  }
});
