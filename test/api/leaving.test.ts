/** Clients that go away before their answer is whole. */
import { expect, it, vi } from "vitest";
import type { AnswerRequest } from "../../src/pipeline/types.ts";
import { startApi } from "./fake-service.ts";

const PATH = "/v1/chat/completions";
const messages = [{ role: "user", content: "When does the lease end?" }];

function requestSeen(service: ReturnType<typeof startApi>["service"]): AnswerRequest {
  return service.calls.find(([name]) => name === "answer")![1] as AnswerRequest;
}

it("a client that goes away aborts the answer and ends its pieces", async () => {
  const { call, service } = startApi();
  let ended = false;
  service.pieces = async function* () {
    try {
      for (;;) yield { text: "and " };
    } finally {
      ended = true;
    }
  };
  const response = await call(PATH, { json: { messages, stream: true } });
  const reader = response.body!.getReader();
  await reader.read();
  await reader.read();
  await reader.cancel();
  expect(ended).toBe(true);
  expect(requestSeen(service).signal.aborted).toBe(true);

  const other = startApi();
  const gone = new AbortController();
  await other.call(PATH, { json: { messages }, signal: gone.signal });
  expect(requestSeen(other.service).signal.aborted).toBe(false);
  gone.abort();
  expect(requestSeen(other.service).signal.aborted).toBe(true);
});

it("a client that goes away while a piece is awaited leaves no line in the log", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  let ended = false;
  const awaited = Promise.withResolvers<void>();
  service.pieces = async function* () {
    try {
      yield { text: "and " };
      const { signal } = requestSeen(service);
      awaited.resolve();
      await new Promise((_, leave) => signal.addEventListener("abort", () => leave(signal.reason)));
    } finally {
      ended = true;
    }
  };
  const reader = (await call(PATH, { json: { messages, stream: true } })).body!.getReader();
  await reader.read();
  await awaited.promise;
  await reader.cancel();
  expect(ended).toBe(true);
  expect(log).not.toHaveBeenCalled();
  log.mockRestore();
});

it("the runtime is told to wait for an answer's end, though its client has gone", async () => {
  const log = vi.spyOn(console, "error");
  for (const stream of [true, false]) {
    const { call, service, kept } = startApi();
    const gone = new AbortController();
    let counted = false;
    service.pieces = async function* () {
      try {
        yield { text: "and " };
        gone.abort();
        await new Promise((go) => setTimeout(go, 5));
        throw gone.signal.reason;
      } finally {
        counted = true;
      }
    };
    const response = await call(PATH, { json: { messages, stream }, signal: gone.signal });
    await Promise.all([...kept, response.text()]);
    expect(kept.length).toBe(stream ? 2 : 1);
    expect(counted).toBe(true);
  }
  expect(log).not.toHaveBeenCalled();
  log.mockRestore();
});
