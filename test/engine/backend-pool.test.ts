import { describe, expect, it } from "vitest";
import { BackendState } from "../../src/engine/backend-state.ts";
import type { AttemptWatch, BackendAttempt } from "../../src/engine/engine.ts";
import { CIRCUIT_OUTCOMES_MIN } from "../../src/limits.ts";
import { ask, collect, memberAt, poolOf } from "../support/backends.ts";
import type { OpenAiServer, Step } from "../support/openai-server.ts";
import { event, fails, withThreeServers } from "../support/three-backends.ts";

let a: OpenAiServer;
let b: OpenAiServer;
let c: OpenAiServer;
const { inOrder, counts } = withThreeServers((servers) => {
  [a, b, c] = servers;
});

const DOWN: Step = { status: 503, body: '{"error":{"message":"overloaded"}}' };
const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
};

describe("order and weight", () => {
  it("the first in order answers, and the reply says which it was", async () => {
    a.script({ text: "from a" });
    const { text, served } = await collect(poolOf(inOrder()).answer(ask(true)));
    expect(text).toBe("from a");
    expect(served).toMatchObject({ id: "backend:a", model: "a-model" });
    expect(served!.attempts).toMatchObject([{ backend: "a", outcome: "answered" }]);
    expect(a.requests[0]!.body.model).toBe("a-model");
    expect(counts()).toEqual([1, 0, 0]);
  });

  it.each<[string, Step, string]>([
    ["is overloaded", DOWN, "failed"],
    ["fails", fails(500), "failed"],
    ["drops the connection", { silence: "reset" }, "failed"],
    ["never answers", { silence: "hang" }, "timed_out"],
    ["sends headers and stalls", { chunks: [], ending: "hang" }, "timed_out"],
    ["answers too late", { delayMs: 400, step: { text: "late" } }, "timed_out"],
    ["ends before its first token", { chunks: [": hello\n\n"], ending: "end" }, "failed"],
    ["breaks off before its first token", { chunks: [": hello\n\n"], ending: "reset" }, "failed"],
    ["sends malformed events", { chunks: ["data: {oops\n\n"], ending: "end" }, "failed"],
    ["sends an error event", { chunks: ['data: {"error":"no"}\n\n'], ending: "end" }, "failed"],
    [
      "sends a page",
      { status: 200, headers: { "content-type": "text/html" }, body: "<p>Sign in" },
      "failed",
    ],
    ["redirects", fails(307, { location: "http://127.0.0.1:1/" }), "failed"],
    ["refuses its key", fails(401), "failed"],
    ["has had enough", fails(429), "rate_limited"],
    ["says when to come back", fails(429, { "retry-after": "60" }), "rate_limited"],
  ])("one that %s is passed over for the next", async (_, step, outcome) => {
    a.script(step);
    b.script({ text: "from b" });
    const deadlineMs = outcome === "timed_out" ? 150 : 20_000;
    const { text, served } = await collect(poolOf(inOrder({ deadlineMs })).answer(ask(true)));
    expect(text).toBe("from b");
    expect(served!.attempts).toMatchObject([{ outcome }, { backend: "b", outcome: "answered" }]);
    expect(counts()).toEqual([1, 1, 0]);
  });

  it.each([
    [400, "invalid_request"],
    [404, "model_not_found"],
    [422, "invalid_request"],
  ])("a %i is the request's own fault: %s, and no other is asked", async (status, code) => {
    a.script({ status, body: '{"error":{"message":"temperature is too high"}}' });
    await expect(collect(poolOf(inOrder()).answer(ask(true)))).rejects.toMatchObject({
      code,
      message: `the backend answered ${status}: temperature is too high`,
    });
    expect(counts()).toEqual([1, 0, 0]);
  });

  it("of one order, each is asked first as often as its weight says", async () => {
    const members = [a, b, c].map(({ url }, i) =>
      memberAt(url, "abc"[i]!, { weight: [6, 3, 1][i]! }),
    );
    const pool = poolOf(members, { random: seeded(7) });
    for (let i = 0; i < 400; i++) await collect(pool.answer(ask(false)));
    // Binomial: three standard deviations are 3 * sqrt(400 * p * (1 - p)), 30 at most.
    for (const [i, share] of [0.6, 0.3, 0.1].entries())
      expect(Math.abs(counts()[i]! - 400 * share)).toBeLessThan(30);
  });

  it("an id or a model's name leaves only those that it names", async () => {
    const members = [
      memberAt(a.url, "a", { model: "shared" }),
      memberAt(b.url, "b", { order: 1 }),
      memberAt(c.url, "c", { model: "shared" }),
    ];
    const pool = poolOf(members);
    expect(pool.only("backend:b")).toMatchObject({ id: "backend:b", model: "b-model" });
    expect(pool.only("b-model")!.members.map(({ name }) => name)).toEqual(["b"]);
    expect(pool.only("shared")!.members.map(({ name }) => name)).toEqual(["a", "c"]);
    for (const unknown of ["b", "backend", "backend:x", ""]) expect(pool.only(unknown)).toBeNull();
    b.script(DOWN, DOWN, DOWN);
    await expect(collect(pool.only("backend:b")!.answer(ask(true)))).rejects.toThrow("overloaded");
    expect(counts()).toEqual([0, 3, 0]);
  });
});

describe("retries", () => {
  it("every backend is asked before any is asked again", async () => {
    for (const server of [a, b, c]) server.script(DOWN);
    b.script({ text: "b, later" });
    a.script(DOWN);
    const { text, served } = await collect(poolOf(inOrder()).answer(ask(true)));
    expect(text).toBe("b, later");
    expect(served!.attempts.map(({ backend }) => backend).join("")).toBe("abcab");
  });

  it("where all fail the error says what each said, after six attempts at most", async () => {
    for (const server of [a, b, c]) server.script(DOWN, DOWN, DOWN);
    await expect(collect(poolOf(inOrder()).answer(ask(true)))).rejects.toMatchObject({
      code: "backend_unavailable",
      message: expect.stringMatching(/a: the backend answered 503: overloaded; b: .*; c: .*/),
    });
    expect(counts()).toEqual([2, 2, 2]);
  });

  it("what asking again cannot mend is not asked again", async () => {
    a.script(fails(401));
    b.script({ chunks: ["data: {oops\n\n"], ending: "end" });
    c.script(fails(501));
    await expect(collect(poolOf(inOrder()).answer(ask(true)))).rejects.toMatchObject({
      code: "backend_unavailable",
    });
    expect(counts()).toEqual([1, 1, 1]);
  });

  it("each attempt is noted where the request says, also where none is answered", async () => {
    a.script({ silence: "hang" });
    b.script(fails(401));
    const attempts: BackendAttempt[] = [];
    const pool = poolOf(inOrder({ deadlineMs: 200 }).slice(0, 2));
    await expect(collect(pool.answer({ ...ask(true), attempts }))).rejects.toThrow("401");
    expect(attempts).toMatchObject([
      { backend: "a", outcome: "timed_out" },
      { backend: "b", outcome: "failed" },
    ]);
  });

  it("where all were late it is a backend_timeout", async () => {
    for (const server of [a, b, c]) server.script({ silence: "hang" });
    const pool = poolOf(inOrder({ deadlineMs: 40 }));
    await expect(collect(pool.answer(ask(true)))).rejects.toMatchObject({
      code: "backend_timeout",
    });
  });

  it("all attempts together keep to one deadline", async () => {
    a.script({ silence: "hang" }, { silence: "hang" });
    const startMs = performance.now();
    const pool = poolOf(inOrder(), { totalMs: 120, wholeMs: 0 });
    for (const stream of [true, false])
      await expect(collect(pool.answer(ask(stream)))).rejects.toMatchObject({
        code: "backend_timeout",
      });
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(counts()).toEqual([2, 0, 0]); // all the time went with the first
  });

  it.each([
    ["seconds", () => "1"],
    ["a date", () => new Date(Date.now() + 1_500).toUTCString()],
  ])("a Retry-After in %s is honoured", async (_, header) => {
    a.script(fails(429, { "retry-after": header() }), { text: "now" });
    const startMs = performance.now();
    const { text } = await collect(poolOf([memberAt(a.url, "a")]).answer(ask(true)));
    expect(text).toBe("now");
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeGreaterThan(_ === "seconds" ? 990 : 400); // a date has whole seconds only
    expect(tookMs).toBeLessThan(4_000);
  });

  it("nothing is retried after the first token", async () => {
    a.script({ chunks: [event("half an ")], ending: "reset" });
    const seen: string[] = [];
    const run = async () => {
      for await (const { text } of poolOf(inOrder()).answer(ask(true))) seen.push(text);
    };
    await expect(run()).rejects.toMatchObject({ code: "backend_unavailable" });
    expect(seen).toEqual(["half an "]);
    expect(counts()).toEqual([1, 0, 0]);
  });

  it("a caller that leaves between two attempts ends them", async () => {
    a.script(fails(429, { "retry-after": "1" }));
    const gone = new AbortController();
    const answer = collect(
      poolOf([memberAt(a.url, "a")]).answer(ask(true, { signal: gone.signal })),
    );
    await expect.poll(() => a.requests.length).toBe(1);
    gone.abort(new Error("the client has gone"));
    await expect(answer).rejects.toThrow("the client has gone");
    expect(a.requests.length).toBe(1);
  });
});

describe("circuits and holds", () => {
  it("one that asked to be left alone is, and is none the worse for it", async () => {
    const [first, second] = inOrder();
    a.script(fails(429, { "retry-after": "30" }));
    const pool = poolOf([first!, second!]);
    for (let i = 0; i < 5; i++) await collect(pool.answer(ask(true)));
    expect(counts()).toEqual([1, 5, 0]);
    expect(first!.state.circuit.state).toBe("closed");
    await expect(collect(poolOf([first!]).answer(ask(true)))).rejects.toMatchObject({
      code: "backend_unavailable",
      message: expect.stringMatching(/a: it asked to be left alone for (29|30) s more/),
    });
    expect(counts()).toEqual([1, 5, 0]);
  });

  it("one that fails often is left alone, and back when one request found it well", async () => {
    let now = 0;
    const state = new BackendState(
      () => now,
      () => 0.5,
    );
    const first = memberAt(a.url, "a", {}, {}, state);
    const pool = poolOf([first, memberAt(b.url, "b", { order: 1 })]);
    a.script(...Array.from({ length: CIRCUIT_OUTCOMES_MIN }, () => DOWN));
    for (let i = 0; i < CIRCUIT_OUTCOMES_MIN + 3; i++) await collect(pool.answer(ask(true)));
    expect(counts()).toEqual([CIRCUIT_OUTCOMES_MIN, CIRCUIT_OUTCOMES_MIN + 3, 0]);
    expect(state.circuit.state).toBe("open");

    now = 10_000;
    a.script({ delayMs: 100, step: { text: "well again" } });
    const probe = collect(pool.answer(ask(true)));
    await expect.poll(() => a.requests.length).toBe(CIRCUIT_OUTCOMES_MIN + 1);
    const { served } = await collect(pool.answer(ask(true)));
    expect(served!.id).toBe("backend:b"); // while the probe is under way
    expect((await probe).text).toBe("well again");
    expect((await collect(pool.answer(ask(true)))).served!.id).toBe("backend:a");
  });

  it("answers that break off count against a backend as well", async () => {
    const member = memberAt(a.url, "a");
    const broken: Step = { chunks: [event("half")], ending: "reset" };
    a.script(...Array.from({ length: CIRCUIT_OUTCOMES_MIN }, () => broken));
    for (let i = 0; i < CIRCUIT_OUTCOMES_MIN; i++)
      await collect(poolOf([member]).answer(ask(true))).catch(() => {});
    expect(member.state.circuit.state).toBe("open");
    expect(member.state.counts.broken).toBe(a.requests.length);
  });

  it("refusals of requests and callers that leave do not count", async () => {
    const member = memberAt(a.url, "a");
    a.script(...Array.from({ length: 20 }, () => fails(400)));
    for (let i = 0; i < 20; i++)
      await expect(collect(poolOf([member]).answer(ask(true)))).rejects.toThrow("400");
    a.script(...Array.from({ length: 20 }, () => ({ silence: "hang" }) as const));
    for (let i = 0; i < 20; i++) {
      const signal = AbortSignal.timeout(10);
      await expect(collect(poolOf([member]).answer(ask(true, { signal })))).rejects.toThrow();
    }
    expect(member.state.circuit.state).toBe("closed");
    expect(member.state.counts.attempts).toMatchObject({ refused: 20, abandoned: 20, failed: 0 });
    expect(member.state.slots.taken).toBe(0);
  });
});

describe("hedging", () => {
  it("a fast backend is not helped", async () => {
    a.script({ text: "fast" });
    const { text } = await collect(poolOf(inOrder()).answer(ask(true, { hedgeMs: 500 })));
    expect(text).toBe("fast");
    expect(counts()).toEqual([1, 0, 0]);
  });

  it("after the delay another is asked; the first token wins, the slower is aborted", async () => {
    const members = inOrder();
    a.script({ silence: "hang" });
    b.script({ text: "from b" });
    const { text, served } = await collect(poolOf(members).answer(ask(true, { hedgeMs: 30 })));
    expect(text).toBe("from b");
    expect(served!.id).toBe("backend:b");
    await expect.poll(() => a.aborted).toBe(1);
    expect(served!.attempts).toMatchObject([
      { backend: "a", outcome: "abandoned" },
      { backend: "b", outcome: "answered" },
    ]);
    await expect.poll(() => members[0]!.state.slots.taken).toBe(0);
    expect(members[0]!.state.counts.attempts).toMatchObject({ abandoned: 1, failed: 0 });
  });

  it("who watches is told why each attempt is made, and how it ended", async () => {
    const told: string[] = [];
    const watch: AttemptWatch = {
      begin: (backend, _, kind) => {
        const at = told.push(`${backend} ${kind}`) - 1;
        const end = (outcome: string, status: number | null) => {
          told[at] += ` ${outcome} ${status}`;
        };
        return { traceparent: "00-0-0-00", end };
      },
    };
    a.script(fails(500), { silence: "hang" });
    b.script(fails(503), { text: "from b" });
    const pool = poolOf(inOrder().slice(0, 2));
    await collect(pool.answer(ask(true, { hedgeMs: 1_000, watch })));
    await expect.poll(() => told[2]).toContain("abandoned");
    expect(told).toEqual([
      ...["a first failed 500", "b fallback failed 503", "a retry abandoned null"],
      "b hedge answered null",
    ]);
  });

  it("the slower first backend may still win, and the second is aborted", async () => {
    a.script({ delayMs: 120, step: { text: "from a" } });
    b.script({ silence: "hang" });
    const { text } = await collect(poolOf(inOrder()).answer(ask(true, { hedgeMs: 30 })));
    expect(text).toBe("from a");
    await expect.poll(() => b.aborted).toBe(1);
  });

  it("a lone backend is asked a second time", async () => {
    a.script({ silence: "hang" }, { text: "second" });
    const pool = poolOf([memberAt(a.url, "a")]);
    expect((await collect(pool.answer(ask(false, { hedgeMs: 30 })))).text).toBe("second");
    expect(a.requests.length).toBe(2);
  });

  it("where both fail the error says so, and a caller that leaves ends both", async () => {
    a.script({ delayMs: 60, step: fails(401) as never });
    b.script(fails(401));
    const pool = poolOf(inOrder().slice(0, 2));
    await expect(collect(pool.answer(ask(true, { hedgeMs: 20 })))).rejects.toMatchObject({
      code: "backend_unavailable",
      message: expect.stringMatching(/(a|b): .*401.*; (a|b): .*401/),
    });
    for (const server of [a, b]) server.script({ silence: "hang" });
    const gone = new AbortController();
    const answer = collect(pool.answer(ask(true, { hedgeMs: 20, signal: gone.signal })));
    await expect.poll(() => b.requests.length).toBe(2);
    gone.abort(new Error("the client has gone"));
    await expect(answer).rejects.toThrow("the client has gone");
    await expect.poll(() => [a.aborted, b.aborted]).toEqual([1, 1]);
  });
});
