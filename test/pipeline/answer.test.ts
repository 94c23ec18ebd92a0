import { expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { answer } from "../../src/pipeline/answer.ts";
import { NO_NOTES } from "../../src/pipeline/notes-find.ts";
import type { AnswerRequest, AnswerStream } from "../../src/pipeline/types.ts";
import type { AnswerDeps } from "../../src/pipeline/work.ts";
import type { Rung } from "../../src/router/ladder.ts";
import { shippedDifficulty } from "../../src/router/shipped.ts";

/** Says one thing, or fails with `code`. */
function engineOf(id: string, code?: ErrorCode): Engine {
  const [kind, model] = id.split(":") as ["generator" | "backend", string];
  return {
    ...{ kind, id, model },
    async *answer() {
      if (code !== undefined) throw new ServiceError(code, "it failed");
      yield { text: "Yes.", finish_reason: "stop" };
    },
  };
}

interface Given {
  backend?: Engine;
  generator?: Engine;
  rung?: Engine;
  parameters?: Record<string, unknown>;
}

/** What the cache is handed of an answer to a question that the memory knows nothing of. */
async function handedOn({ backend, generator, rung, parameters = {} }: Given) {
  const handed: AnswerStream[] = [];
  const encoder = { countTokens: () => 1 };
  const ladder: Rung[] = rung === undefined ? [] : [{ engine: rung.id, threshold: 1 }];
  const deps = {
    ...{ backend: backend ?? null, generator: generator ?? null },
    models: async () => ({ encoder, reader: { read: () => [], choose: () => null } }),
    router: async () => ({ model: shippedDifficulty(), threshold: 0.3, ladder }),
    search: async () => [],
    findBackend: (id: string) => (id === rung?.id ? rung : null),
    notes: { find: async () => [], choose: async () => NO_NOTES },
    conversations: { find: async () => null, hold: () => {} },
    ...{ pricesOf: () => null, observe: () => {} },
    openCache: async () => ({
      hit: null,
      like: async () => null,
      keeping: (stream: AnswerStream) => ({ taps: [], handed: handed.push(stream) }),
      named: () => {},
    }),
  } as unknown as AnswerDeps;
  const request = {
    caller: { tenant: "t" },
    ...{ model: "auto", memory: { namespace: "docs" }, parameters },
    messages: [{ role: "user", content: "Why?" }],
  } as unknown as AnswerRequest;
  await answer(deps, request);
  return { model: handed[0]!.model, standIn: handed[0]!.standIn };
}

it("an answer in the place of an engine that failed says so to the cache", async () => {
  const backend = engineOf("backend:big");
  const generator = engineOf("generator:tiny", "generator_busy");
  const written = { response_format: { type: "json_object" } };
  expect(await handedOn({ generator })).toEqual({ model: "brink-reader", standIn: true });
  expect(await handedOn({ generator, backend, parameters: written })).toEqual({
    ...{ model: "big", standIn: true },
  });
  const rung = engineOf("backend:small", "backend_timeout");
  expect(await handedOn({ rung, backend })).toEqual({ model: "big", standIn: true });
  expect(await handedOn({ backend })).toEqual({ model: "big", standIn: undefined });
});
