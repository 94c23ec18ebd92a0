import { expect, it } from "vitest";
import { ServiceError } from "../../src/errors.ts";
import { type Available, findDemands, refuseTheImpossible } from "../../src/pipeline/demands.ts";
import type { AnswerRequest } from "../../src/pipeline/types.ts";

function request(parameters: Record<string, unknown>, content: unknown = "why?"): AnswerRequest {
  return { messages: [{ role: "user", content }], parameters } as unknown as AnswerRequest;
}

type Model = Parameters<typeof refuseTheImpossible>[0];
const NONE: Available = { generator: false, backend: false };
const GENERATOR: Available = { generator: true, backend: false };
const BACKEND: Available = { generator: false, backend: true };
const BOTH: Available = { generator: true, backend: true };

/** The code and parameter of the refusal, or "taken". */
function outcome(model: Model, parameters: Record<string, unknown>, available: Available) {
  try {
    refuseTheImpossible(model, findDemands(request(parameters)), available);
    return "taken";
  } catch (error) {
    const { code, param } = error as ServiceError;
    return [code, param];
  }
}

const SCHEMA = { response_format: { type: "json_schema" } };
const TOOLS = { tools: [{ type: "function" }] };

it("sampling parameters and a plain format demand nothing", () => {
  const parameters = { temperature: 1, top_k: 5, seed: 1, n: 1, response_format: { type: "text" } };
  expect(findDemands(request({ ...parameters, logit_bias: {}, tools: [] }))).toEqual({
    backendOnly: null,
    writtenOnly: null,
    generatorOnly: null,
  });
});

it("tools, images and a search of the web need a backend", () => {
  expect(findDemands(request(TOOLS)).backendOnly).toBe("tools");
  const search = { web_search_options: {} };
  expect(findDemands(request(search)).backendOnly).toBe("web_search_options");
  expect(outcome("auto", search, GENERATOR)).toEqual([
    "unsupported_parameter",
    "web_search_options",
  ]);
  const image = [{ type: "text", text: "a" }, { type: "image_url" }];
  expect(findDemands(request({}, image)).backendOnly).toBe("a content part of type image_url");
  for (const model of ["auto", "backend"] as const)
    expect(outcome(model, TOOLS, BOTH)).toBe("taken");
  for (const model of ["edge", "generator"] as const)
    expect(outcome(model, TOOLS, BOTH)).toEqual(["unsupported_parameter", "tools"]);
  expect(outcome("auto", TOOLS, GENERATOR)).toEqual(["unsupported_parameter", "tools"]);
  expect(() => refuseTheImpossible("auto", findDemands(request({}, image)), NONE)).toThrow(
    expect.objectContaining({ code: "unsupported_parameter", param: "messages" }),
  );
});

it.each([
  ["auto", GENERATOR, "taken"],
  ["auto", BACKEND, "taken"],
  ["auto", NONE, ["unsupported_parameter", "response_format"]],
  ["edge", GENERATOR, "taken"],
  ["edge", BACKEND, ["unsupported_parameter", "response_format"]],
  ["generator", NONE, "taken"],
  ["backend", BACKEND, "taken"],
] as const)("a schema for %s with %o: %o", (model, available, expected) => {
  expect(outcome(model, SCHEMA, available)).toEqual(expected);
});

it.each([
  ["auto", BOTH, "taken"],
  ["auto", BACKEND, ["unsupported_parameter", "n"]],
  ["edge", GENERATOR, "taken"],
  ["edge", NONE, ["unsupported_parameter", "n"]],
  ["generator", NONE, "taken"],
  ["backend", BOTH, ["unsupported_parameter", "n"]],
] as const)("two choices for %s with %o: %o", (model, available, expected) => {
  expect(outcome(model, { n: 2 }, available)).toEqual(expected);
});

it.each([
  ["auto", GENERATOR, "taken"],
  ["auto", BACKEND, "taken"],
  ["auto", NONE, ["unsupported_parameter", "logprobs"]],
  ["edge", GENERATOR, "taken"],
  ["edge", BACKEND, ["unsupported_parameter", "logprobs"]],
  ["generator", NONE, "taken"],
  ["backend", BACKEND, "taken"],
] as const)("log probabilities for %s with %o: %o", (model, available, expected) => {
  expect(outcome(model, { logprobs: true }, available)).toEqual(expected);
  expect(outcome(model, { logprobs: false }, BACKEND)).toBe("taken");
});

it("choices and tools together are refused, and so is a backend that is not there", () => {
  expect(outcome("auto", { ...TOOLS, n: 2 }, BOTH)).toEqual(["unsupported_parameter", "n"]);
  expect(outcome("backend", {}, GENERATOR)).toEqual(["backend_not_configured", "model"]);
  expect(() => refuseTheImpossible("backend", findDemands(request({})), NONE)).toThrow(
    ServiceError,
  );
});
