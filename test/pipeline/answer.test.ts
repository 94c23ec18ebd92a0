import { expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { answer } from "../../src/pipeline/answer.ts";
import { NO_NOTES } from "../../src/pipeline/notes-find.ts";
import type { AnswerRequest, AnswerStream } from "../../src/pipeline/types.ts";
import type { AnswerDeps } from "../../src/pipeline/work.ts";
import type { Standing } from "../../src/router/conversation.ts";
import type { Rung } from "../../src/router/ladder.ts";
import { shippedDifficulty } from "../../src/router/shipped.ts";

/** Says one thing, or fails with `code`; `asked` is how often. */
function engineOf(id: string, code?: ErrorCode): Engine & { asked: number } {
  const [kind, model] = id.split(":") as ["generator" | "backend", string];
  return {
    ...{ kind, id, model, asked: 0 },
    async *answer() {
      this.asked += 1;
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
  /** The backend that answered the conversation so far. */
  held?: string;
  notes?: AnswerDeps["notes"];
}

const NOTELESS = { find: async () => [], choose: async () => NO_NOTES };

/** What the cache is handed of an answer to a question that the memory knows nothing of. */
async function handedOn({ backend, generator, rung, parameters = {}, held, notes }: Given) {
  const handed: AnswerStream[] = [];
  const encoder = { countTokens: () => 1 };
  const ladder: Rung[] = rung === undefined ? [] : [{ engine: rung.id, threshold: 1 }];
  const tokens = 10_000;
  const standing: Standing | null = held
    ? { engine: held, held: { engine: held, at: Date.now(), tokens, cachedTokens: null } }
    : null;
  const earlier = [
    { role: "user", content: "word".repeat(tokens) },
    { role: "assistant", content: "Yes." },
  ];
  const deps = {
    ...{ backend: backend ?? null, generator: generator ?? null },
    models: async () => ({ encoder, reader: { read: () => [], choose: () => null } }),
    router: async () => ({ model: shippedDifficulty(), threshold: 0.3, ladder }),
    search: async () => [],
    findBackend: (id: string) => [rung, backend].find((one) => one?.id === id) ?? null,
    notes: notes ?? NOTELESS,
    conversations: { find: async () => standing, hold: () => {} },
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
    messages: [...(held ? earlier : []), { role: "user", content: "Why?" }],
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

it("a conversation that stays asks the very backend that it stays with, and once", async () => {
  const backend = engineOf("backend:large");
  const small = engineOf("backend:small");
  const held = small.id;
  expect(await handedOn({ backend, rung: small, held })).toEqual({
    ...{ model: "small", standIn: undefined },
  });
  const away = engineOf("backend:small", "backend_timeout");
  expect(await handedOn({ backend, rung: away, held })).toEqual({ model: "large", standIn: true });
  expect(await handedOn({ backend: away, held })).toEqual({ model: "brink-reader", standIn: true });
  expect(away.asked).toBe(2);
});

it("a generator that failed is not asked again in the backend's place", async () => {
  const generator = engineOf("generator:tiny", "generator_busy");
  const backend = engineOf("backend:big", "backend_timeout");
  expect(await handedOn({ generator, rung: generator, backend })).toEqual({
    ...{ model: "brink-reader", standIn: true },
  });
  expect([generator.asked, backend.asked]).toEqual([1, 1]);
});

it("an answer that was made while notes were away says so to the cache", async () => {
  const backend = engineOf("backend:big");
  const away = async () => null;
  for (const notes of [
    { ...NOTELESS, find: away },
    { ...NOTELESS, choose: away },
  ])
    expect(await handedOn({ backend, notes })).toEqual({ model: "big", standIn: true });
});
