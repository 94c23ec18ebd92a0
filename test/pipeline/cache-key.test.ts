import { expect, it } from "vitest";
import { cacheKeys, isBounded, isRepeatable } from "../../src/pipeline/cache-key.ts";
import type { AnswerRequest, Caller } from "../../src/pipeline/types.ts";

const CALLER: Caller = {
  tenant: "t",
  scopes: ["inference"],
  namespaces: null,
  default_namespace: null,
};

const REQUEST: AnswerRequest = {
  caller: CALLER,
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Why?" },
  ],
  model: "auto",
  memory: { namespace: "docs", k: 8, mode: "hybrid", filter: null },
  parameters: { temperature: 0, tool_choice: { a: 1, b: [1, 2] } },
  stream: false,
  trace_id: "1",
  explain: false,
  signal: new AbortController().signal,
};

const GROUND = { engines: ["a"], routing: { target: { max_risk: 0.1 }, weights: "w" } };

const keysOf = (change: Partial<AnswerRequest>, ground = GROUND) =>
  cacheKeys({ ...REQUEST, ...change }, ground);

it("a request that differs in anything that an answer hangs on has another key", () => {
  const memory = REQUEST.memory!;
  const [system, user] = REQUEST.messages;
  const changes: Partial<AnswerRequest>[] = [
    { caller: { ...CALLER, tenant: "u" } },
    { model: "edge" },
    { route: "edge" },
    { explain: true },
    { memory: null },
    { memory: { ...memory, namespace: "other" } },
    { memory: { ...memory, k: 9 } },
    { memory: { ...memory, mode: "bm25" } },
    { memory: { ...memory, filter: { kind: "public" } } },
    { memory: { ...memory, recency: { half_life_days: 1 } } },
    { messages: [system!, { role: "user", content: "Why not?" }] },
    { messages: [system!, { role: "user", content: "why?" }] },
    { messages: [user!] },
    { messages: [user!, system!] },
    { messages: [{ ...system!, role: "developer" }, user!] },
    { messages: [system!, { ...user!, name: "ann" }] },
    { messages: [system!, { role: "user", content: [{ type: "text", text: "Why?" }] }] },
    { parameters: {} },
    { parameters: { ...REQUEST.parameters, temperature: 0.1 } },
    { parameters: { ...REQUEST.parameters, seed: 1 } },
    { parameters: { ...REQUEST.parameters, tool_choice: { a: 1, b: [2, 1] } } },
    { parameters: { ...REQUEST.parameters, anything: true } },
    { parameters: { ...REQUEST.parameters, logprobs: true } },
    { parameters: { ...REQUEST.parameters, logprobs: true, top_logprobs: 2 } },
  ];
  const all = [{}, ...changes].map((change) => keysOf(change));
  expect(new Set(all.map(({ id }) => id)).size).toBe(changes.length + 1);
  const grounds = [
    { ...GROUND, engines: ["b"] },
    { ...GROUND, routing: { ...GROUND.routing, weights: "x" } },
    { ...GROUND, routing: { ...GROUND.routing, target: { max_risk: 0.2 } } },
  ];
  const others = grounds.map((ground) => keysOf({}, ground));
  expect(new Set([all[0], ...others].map((keys) => keys!.id)).size).toBe(4);
});

it("what nobody answers by changes nothing", () => {
  const { id, scope } = keysOf({});
  const same: Partial<AnswerRequest>[] = [
    { stream: true },
    { trace_id: "2" },
    { conversation: "c" },
    { hedgeMs: 50 },
    { cache: "on" },
    { caller: { ...CALLER, namespaces: ["docs"] } },
    { parameters: { tool_choice: { b: [1, 2], a: 1 }, temperature: 0, user: "ann" } },
    { parameters: { ...REQUEST.parameters, prompt_cache_retention: "24h" } },
  ];
  for (const change of same) expect(keysOf(change)).toEqual({ id, scope });
});

it("a scope is of all but the last question, and only where that is plain", () => {
  const { scope } = keysOf({});
  const [system] = REQUEST.messages;
  const ask = (content: string, rest: Partial<AnswerRequest> = {}) =>
    keysOf({ messages: [system!, { role: "user", content }], ...rest });
  expect(ask("When?").scope).toBe(scope);
  const named = keysOf({ messages: [system!, { role: "user", content: "When?", name: "ann" }] });
  expect(named.scope).not.toBe(scope);
  const other = keysOf({ messages: [{ role: "user", content: "Why?" }] });
  expect(other.scope).not.toBe(scope);
  expect(ask("When?", { model: "edge" }).scope).not.toBe(scope);
  expect(ask("x".repeat(1_001)).scope).toBeNull();
  expect(ask("When?", { parameters: { tools: [] } }).scope).toBeNull();
  const parts = [{ type: "text", text: "Why?" }];
  expect(keysOf({ messages: [{ role: "user", content: parts }] }).scope).toBeNull();
  const after = [...REQUEST.messages, { role: "assistant" as const, content: "Because" }];
  expect(keysOf({ messages: after }).scope).toBeNull();
});

it("only temperature 0 leaves nothing to chance", () => {
  expect(isRepeatable({ temperature: 0 })).toBe(true);
  expect([{}, { temperature: 0.01 }, { seed: 1 }].some(isRepeatable)).toBe(false);
});

it("a request bounds its answer by either name", () => {
  expect([{ max_tokens: 1 }, { max_completion_tokens: 1 }].map(isBounded)).toEqual([true, true]);
  expect([{}, { max_tokens: null }].map(isBounded)).toEqual([false, false]);
});
