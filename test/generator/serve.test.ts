import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { GenerateCall } from "../../src/engine/generator-protocol.ts";
import { failedResponse, generate } from "../../src/generator/serve.ts";
import type { ModelStore } from "../../src/store/model-store.ts";

let log: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => log.mockRestore());

const CALL = { model: "m", context: 8, scope: "a", messages: [], hits: [] } as unknown;

/** What a call is answered with a store that fails, and nothing else that is there. */
function answer(signal: AbortSignal): Promise<Response> {
  const store = { find: () => Promise.reject(new Error("no bucket")) } as unknown as ModelStore;
  const call = generate(store, CALL as GenerateCall, signal, () => {});
  return call.catch((error) => failedResponse(error, signal));
}

it("a caller that left before its first line is no failure for the log", async () => {
  await answer(AbortSignal.abort());
  expect(log).not.toHaveBeenCalled();
});

it("a bug before the first line is logged, and told without its words", async () => {
  const response = await answer(new AbortController().signal);
  expect(await response.json()).toMatchObject({ error: { message: "the generator failed" } });
  expect(log).toHaveBeenCalledWith(expect.stringContaining("no bucket"));
});
