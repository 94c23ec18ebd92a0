import { expect, it, vi } from "vitest";
import { Member } from "../../src/engine/backend-member.ts";
import { BackendState } from "../../src/engine/backend-state.ts";
import { BACKEND_QUEUE_MAX, CIRCUIT_OUTCOMES_MIN } from "../../src/limits.ts";
import { ask, collect, memberAt, memberOf, poolOf } from "../support/backends.ts";
import type { OpenAiServer } from "../support/openai-server.ts";
import { event, fails, withThreeServers } from "../support/three-backends.ts";

let a: OpenAiServer;
let b: OpenAiServer;
let c: OpenAiServer;
const { inOrder, counts } = withThreeServers((servers) => {
  [a, b, c] = servers;
});

it("one whose places are taken is passed over", async () => {
  const members = inOrder({ concurrency: 1 });
  a.script({ chunks: [event("on and on")], ending: "hang" });
  const held = poolOf(members).answer(ask(true));
  await held.next();
  expect((await collect(poolOf(members).answer(ask(true)))).served!.id).toBe("backend:b");
  await held.return(undefined);
  expect((await collect(poolOf(members).answer(ask(true)))).served!.id).toBe("backend:a");
});

it("where all are full a request waits for a place, in turn", async () => {
  const member = memberAt(a.url, "a", { concurrency: 2 });
  const steps = Array.from({ length: 8 }, () => ({ delayMs: 20, step: { text: "x" } }));
  a.script(...steps);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, a.requests.length - a.answered);
  }, 1);
  const pool = poolOf([member]);
  await Promise.all(Array.from({ length: 8 }, () => collect(pool.answer(ask(true)))));
  clearInterval(watch);
  expect(counts()[0]).toBe(8);
  expect(most).toBeLessThanOrEqual(2);
  expect(member.state.slots.taken).toBe(0);
});

it("who waits for one that then asks to be left alone leaves it alone", async () => {
  const member = memberAt(a.url, "a", { concurrency: 1 });
  a.script({ delayMs: 30, step: fails(429, { "retry-after": "60" }) });
  const pool = poolOf([member]);
  const line = [1, 2, 3].map(() => collect(pool.answer(ask(true))));
  for (const { status, reason } of (await Promise.allSettled(line)) as PromiseRejectedResult[])
    expect([status, reason?.code]).toEqual(["rejected", "backend_unavailable"]);
  expect(counts()[0]).toBe(1);
  expect(member.state.slots.taken).toBe(0);
});

it("and asks another, or waits as long as it was asked to", async () => {
  const [first, second] = inOrder({ concurrency: 1 });
  b.script({ chunks: [event("on and on")], ending: "hang" });
  const held = poolOf([second!]).answer(ask(true));
  await held.next();
  a.script({ delayMs: 30, step: fails(429, { "retry-after": "60" }) });
  const both = poolOf([first!, second!]);
  const line = [1, 2, 3].map(() => collect(both.answer(ask(true))));
  await expect.poll(() => second!.state.slots.waiting).toBe(3);
  await held.return(undefined);
  for (const { served } of await Promise.all(line)) expect(served!.id).toBe("backend:b");
  expect(counts()[0]).toBe(1);
  const third = memberAt(c.url, "c", { concurrency: 1 });
  c.script({ delayMs: 30, step: fails(429, { "retry-after": "1" }) });
  const patient = [1, 2, 3].map(() => collect(poolOf([third]).answer(ask(true))));
  for (const { served } of await Promise.all(patient)) expect(served!.id).toBe("backend:c");
  expect(counts()[2]).toBe(4);
});

it("who waits too long, or comes when the line is full, is told backend_busy", async () => {
  const member = memberAt(a.url, "a", { concurrency: 1 });
  a.script({ chunks: [event("on and on")], ending: "hang" });
  const held = poolOf([member]).answer(ask(true));
  await held.next();
  const pool = poolOf([member], { queueMs: 300 });
  const line = Array.from({ length: BACKEND_QUEUE_MAX }, () => collect(pool.answer(ask(true))));
  const waiting = Promise.allSettled(line);
  await expect.poll(() => member.state.slots.waiting).toBe(BACKEND_QUEUE_MAX);
  const startMs = performance.now();
  await expect(collect(pool.answer(ask(true)))).rejects.toMatchObject({
    code: "backend_busy",
    message: expect.stringContaining("a: it has 1 requests under way, and 64 wait"),
  });
  expect(performance.now() - startMs).toBeLessThan(250); // at once
  for (const { status, reason } of (await waiting) as PromiseRejectedResult[])
    expect([status, reason?.code]).toEqual(["rejected", "backend_busy"]);
  expect(member.state.slots.waiting).toBe(0);
  await held.return(undefined);
  expect(member.state.slots.taken).toBe(0);
});

it("a caller that leaves the line leaves its place to the next", async () => {
  const member = memberAt(a.url, "a", { concurrency: 1 });
  a.script({ chunks: [event("on and on")], ending: "hang" });
  const held = poolOf([member]).answer(ask(true));
  await held.next();
  const gone = new AbortController();
  const left = collect(poolOf([member]).answer(ask(true, { signal: gone.signal })));
  const next = collect(poolOf([member]).answer(ask(true)));
  await expect.poll(() => member.state.slots.waiting).toBe(2);
  gone.abort(new Error("the client has gone"));
  await expect(left).rejects.toThrow("the client has gone");
  await held.return(undefined);
  expect((await next).served!.id).toBe("backend:a");
  expect(member.state.slots.taken).toBe(0);
});

it("where none comes free in time the request waits once and is told so", async () => {
  const member = memberAt(a.url, "a", { concurrency: 1 });
  a.script({ chunks: [event("on and on")], ending: "hang" });
  const pool = poolOf([member], { queueMs: 20 });
  const held = pool.answer(ask(true));
  await held.next();
  const wait = vi.spyOn(member.state.slots, "wait");
  await expect(collect(pool.answer(ask(true)))).rejects.toMatchObject({ code: "backend_busy" });
  expect(wait).toHaveBeenCalledOnce();
  await held.return(undefined);
});

it("of two first tokens at once the slower gives its place back and tells its use", async () => {
  const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
  const both = Promise.withResolvers<void>();
  let asked = 0;
  let left = 0;
  const transport = {
    async *answer() {
      asked += 1;
      try {
        await both.promise;
        yield { text: "first", usage };
        yield { text: "", finish_reason: "stop" };
      } finally {
        left += 1;
      }
    },
  };
  const members = ["a", "b"].map((name) => memberOf(name, transport));
  const answer = collect(poolOf(members).answer(ask(true, { hedgeMs: 1 })));
  await expect.poll(() => asked).toBe(2);
  both.resolve();
  const { text, served } = await answer;
  expect(text).toBe("first");
  await expect.poll(() => left).toBe(2);
  expect(members.map(({ state }) => state.slots.taken)).toEqual([0, 0]);
  expect(members.map(({ state }) => state.counts.promptTokens)).toEqual([11, 11]);
  const slower = served!.attempts.find(({ outcome }) => outcome === "abandoned");
  expect(slower).toMatchObject({ usage });
});

it("the backend that has read the beginning is asked first, but of its order alone", async () => {
  const chosen = async (orders: number[]) => {
    const members = inOrder().map(({ config, transport, state }, i) => {
      return new Member({ ...config, order: orders[i]! }, transport, state);
    });
    const request = ask(true, { prefer: "backend:b" });
    return (await collect(poolOf(members).answer(request))).served!.id;
  };
  expect(await chosen([0, 0, 0])).toBe("backend:b");
  expect(await chosen([0, 1, 1])).toBe("backend:a");
});

it.each([
  ["at once", 100],
  ["when a place is free", 1],
])("of several requests that come together one alone tries, %s", async (_, concurrency) => {
  const clock = { now: 1_000_000 };
  const state = new BackendState(
    () => clock.now,
    () => 0.5,
  );
  const member = memberAt(a.url, "a", { concurrency }, {}, state);
  for (let i = 0; i < CIRCUIT_OUTCOMES_MIN; i++) state.circuit.failed(state.circuit.pass());
  clock.now += 10_000;
  const held = concurrency === 1 ? state.slots.take(1) : null;
  a.script({ delayMs: 30, step: fails(501) });
  const pool = poolOf([member]);
  const line = [1, 2, 3].map(() => collect(pool.answer(ask(true))));
  held?.release();
  for (const { status, reason } of (await Promise.allSettled(line)) as PromiseRejectedResult[])
    expect([status, reason?.code]).toEqual(["rejected", "backend_unavailable"]);
  expect(counts()[0]).toBe(1);
});
