import { expect, it } from "vitest";
import { startApi } from "./fake-service.ts";

const PATH = "/v1/chat/completions";
const messages = [{ role: "user", content: "When does the lease end?" }];

it("the headers reach the pipeline, and other values are refused with their name", async () => {
  const { call, service, outcome } = startApi();
  const json = { messages };
  const longest = "c".repeat(128);
  const headers = { "x-brink-route": "backend", "x-brink-conversation": longest };
  expect((await call(PATH, { json, headers })).status).toBe(200);
  const [, seen] = service.calls.find(([name]) => name === "answer")!;
  expect(seen).toMatchObject({ route: "backend", conversation: longest });
  for (const [name, value, model] of [
    ["x-brink-route", "generator", "auto"],
    ["x-brink-route", "", "auto"],
    ["x-brink-route", "edge", "backend"],
    ["x-brink-conversation", "", "auto"],
    ["x-brink-conversation", "a b", "auto"],
    ["x-brink-conversation", `${longest}c`, "auto"],
  ] as const) {
    const options = { json: { ...json, model }, headers: { [name]: value } };
    expect(await outcome(PATH, options), `${name}: ${value}`).toEqual([400, "invalid_request"]);
    const body = (await (await call(PATH, options)).json()) as { error: { param: string } };
    expect(body.error.param).toBe(name);
  }
});
