import { afterEach, expect, it, vi } from "vitest";
import type { CachedAnswer, CachedQuestion } from "../../src/ledger/cache-object.ts";
import { CACHE_ANSWER_CHARS_MAX, CACHE_ENTRY_BYTES_MAX, CACHE_MS_MAX } from "../../src/limits.ts";
import { type CacheDeps, openCache } from "../../src/pipeline/cache.ts";
import { cacheTotals } from "../../src/pipeline/cache-log.ts";
import { CACHE_POLICY_DEFAULT } from "../../src/pipeline/cache-policy.ts";
import {
  type KeptAnswer,
  openAnswer,
  recorded,
  sealAnswer,
} from "../../src/pipeline/cache-replay.ts";
import { Trace } from "../../src/pipeline/trace.ts";
import type { AnswerRequest, AnswerStream } from "../../src/pipeline/types.ts";
import type { Outcome } from "../../src/router/outcome.ts";

afterEach(() => void vi.useRealTimers());

const REPORT = { route: "backend", engine: "backend:big", reason: "asked", citations: [] };

function streamOf(rest: object = {}): AnswerStream {
  const report = () => ({ ...REPORT, ...rest });
  return { model: "auto", route: "backend", difficulty: null, report } as unknown as AnswerStream;
}

/** What is kept of an answer of this text. */
function keptOf(text: string): Omit<KeptAnswer, "outcome"> | null {
  let kept = null;
  const tap = recorded(streamOf(), (answer) => {
    kept = answer;
  });
  tap.piece({ text: text.slice(0, 10) });
  tap.piece({ text: text.slice(10), finish_reason: "stop" });
  tap.ended(true);
  return kept;
}

it("an answer is kept up to CACHE_ENTRY_BYTES_MAX characters, and up to as many bytes", () => {
  expect(keptOf("x".repeat(CACHE_ENTRY_BYTES_MAX))).not.toBeNull();
  expect(keptOf("x".repeat(CACHE_ENTRY_BYTES_MAX + 1))).toBeNull();
  const sealed = (text: string) => {
    return sealAnswer({ ...keptOf(text)!, outcome: {} as Outcome });
  };
  const frame = sealed("x".repeat(20))!.byteLength - 20;
  const body = sealed(`é${"x".repeat(CACHE_ENTRY_BYTES_MAX - frame - 2)}`)!;
  expect(body.byteLength).toBe(CACHE_ENTRY_BYTES_MAX);
  expect(
    openAnswer(body)
      .pieces.map(({ text }) => text)
      .join(""),
  ).toMatch(/^éx+$/);
  expect(sealed(`é${"x".repeat(CACHE_ENTRY_BYTES_MAX - frame - 1)}`)).toBeNull();
});

it("pages that a model cited are kept with the answer, and counted", () => {
  const page = { url: "https://a.example/", title: "A", start_index: 0, end_index: 1 };
  const kept = (annotations: object[]) => {
    let pieces: KeptAnswer["pieces"] | null = null;
    const tap = recorded(streamOf(), (answer) => {
      pieces = answer.pieces;
    });
    tap.piece({ text: "yes" });
    tap.piece({ text: "", annotations: annotations as (typeof page)[] });
    tap.piece({ text: "", finish_reason: "stop" });
    tap.ended(true);
    return pieces as KeptAnswer["pieces"] | null;
  };
  expect(kept([page])![1]).toEqual({ text: "", annotations: [page] });
  const long = { ...page, title: "x".repeat(CACHE_ENTRY_BYTES_MAX) };
  expect(kept([long])).toBeNull();
});

/** A cache of nothing but `given`, of a policy that keeps all, and what is put into it. */
function setUp(given: object = {}) {
  const answers: CachedAnswer[] = [];
  const questions: CachedQuestion[] = [];
  const work: Promise<unknown>[] = [];
  const object = {
    find: async () => null,
    near: async () => [],
    put: async (answer: CachedAnswer) => void answers.push(answer),
    putQuestion: async (question: CachedQuestion) => void questions.push(question),
    ...given,
  };
  const outcomes: unknown[] = [];
  const policy = { exact: "all", semantic: true, cosine_min: 0.9, ttl_s: 60 };
  const deps = {
    ...{ policies: { read: async () => policy }, notes: { read: async () => ({ notes: "off" }) } },
    ...{ object: () => object, memory: () => ({ contentVersion: async () => 2 }) },
    ...{ router: async () => ({ revision: 1, shadow_rate: 0 }), draw: 0.5, engines: [] },
    ...{ embed: async () => Float32Array.of(1, 0), trace: new Trace() },
    ...{ costOf: () => 1, record: (_: string, told: unknown) => outcomes.push(told) },
    keepAlive: (one: Promise<unknown>) => work.push(one),
  } as unknown as CacheDeps;
  const request = {
    caller: { tenant: "t", scopes: ["inference"], namespaces: null, default_namespace: null },
    ...{ model: "backend:big", parameters: {}, cache: "on" },
    messages: [{ role: "user", content: "Why?" }],
    memory: { namespace: "docs", filter: null, k: 5 },
  } as unknown as AnswerRequest;
  return { answers, questions, work, outcomes, deps, request };
}

it("of what an answer said so much is kept beside its question", async () => {
  for (const more of [0, 1])
    for (const answer of [null, "b"]) {
      const { answers, questions, work, deps, request } = setUp();
      const cache = await openCache(deps, request);
      const text = (answer ?? "a").repeat(CACHE_ANSWER_CHARS_MAX + more);
      const outcome = {
        question: "Why?",
        text: "a".repeat(text.length),
        passages: [],
        whole: true,
      };
      cache.named(outcome as unknown as Outcome);
      const { taps } = cache.keeping(streamOf({ answer: answer && text }), null);
      for (const tap of taps) {
        tap.piece({ text, finish_reason: "stop" });
        tap.ended(true);
      }
      await Promise.all(work);
      expect([answers.length, questions.length]).toEqual([1, 1]);
      expect(questions[0]!.answer).toBe(text.slice(0, CACHE_ANSWER_CHARS_MAX));
    }
});

it("an answer in the place of an engine that failed is not kept", async () => {
  for (const standIn of [undefined, true] as const) {
    const { answers, work, deps, request } = setUp();
    const cache = await openCache(deps, request);
    const outcome = { question: "Why?", text: "Yes.", passages: [], whole: true };
    cache.named(outcome as unknown as Outcome);
    const { taps } = cache.keeping({ ...streamOf(), standIn }, null);
    for (const tap of taps) {
      tap.piece({ text: "Yes.", finish_reason: "stop" });
      tap.ended(true);
    }
    await Promise.all(work);
    expect(answers.length).toBe(standIn ? 0 : 1);
  }
});

it.each([
  [{}, "length", 0],
  [{}, "stop", 1],
  [{ max_tokens: 5 }, "length", 1],
  [{ max_completion_tokens: 5 }, "length", 1],
])("with %j an answer that ended by %s is kept %i times", async (parameters, end, times) => {
  const { answers, work, deps, request } = setUp();
  const cache = await openCache(deps, { ...request, parameters });
  cache.named({ question: "Why?", text: "Yes.", passages: [] } as unknown as Outcome);
  for (const tap of cache.keeping(streamOf(), null).taps) {
    tap.piece({ text: "Yes." });
    tap.piece({ text: "", finish_reason: end });
    tap.ended(true);
  }
  await Promise.all(work);
  expect(answers.length).toBe(times);
});

it("refresh keeps a sampled answer, as on does, and reads nothing", async () => {
  for (const cache of ["on", "refresh"] as const) {
    const find = vi.fn(async () => null);
    const { answers, work, deps, request } = setUp({ find });
    deps.policies.read = async () => ({ ...CACHE_POLICY_DEFAULT, exact: "asked" });
    const opened = await openCache(deps, { ...request, cache, parameters: { temperature: 1 } });
    opened.named({ question: "Why?", text: "Yes.", passages: [] } as unknown as Outcome);
    const { taps, cache: status } = opened.keeping(streamOf(), null);
    for (const tap of taps) {
      tap.piece({ text: "Yes.", finish_reason: "stop" });
      tap.ended(true);
    }
    await Promise.all(work);
    expect(status).toBe(cache === "on" ? "miss" : "refresh");
    expect(find).toHaveBeenCalledTimes(cache === "on" ? 1 : 0);
    expect(answers).toMatchObject([{ sampled: true }]);
  }
});

it("for drift a question that is asked again is one more, where the router decided", async () => {
  const router = { revision: 3, shadow_rate: 0, threshold: 0.3, model: { version: "w" } };
  const told = async (outcome: Partial<Outcome>, model = "auto") => {
    const whole = { trace_id: "first", at: 1, engine: "brink-reader", asked: "auto", ...outcome };
    const body = sealAnswer({ ...keptOf("Yes.")!, outcome: whole as Outcome });
    const find = async () => ({ version: "off 2", sampled: false, body });
    const { deps, request, outcomes } = setUp({ find });
    deps.router = async () => router as unknown as Awaited<ReturnType<CacheDeps["router"]>>;
    await openCache(deps, { ...request, model });
    return outcomes[0];
  };
  const scored = { difficulty: 0.2, difficulty_before: 0.5, threshold: 0.3, weights_version: "w" };
  expect(await told(scored)).toMatchObject({
    ...{ revision: 3, routed: true, sample: null },
    outcome: { difficulty: 0.2, threshold: 0.3, weights_version: "w" },
  });
  const unread = { ...scored, difficulty: null, threshold: -1, weights_version: "" };
  expect(await told(unread)).toMatchObject({
    ...{ revision: 3, routed: true },
    outcome: { difficulty: null, threshold: 0.3, weights_version: "w" },
  });
  const not = { revision: -1, routed: false, sample: null };
  expect(await told({ ...scored, asked: "edge" }, "edge")).toMatchObject(not);
  expect(await told({ ...unread, difficulty_before: null })).toMatchObject(not);
  expect(await told({ ...scored, asked: "backend:big" }, "backend:big")).toMatchObject(not);
});

const KEPT = {
  ...{ version: "off 2", sampled: false },
  body: sealAnswer({
    ...keptOf("Because it is.")!,
    usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
    outcome: { trace_id: "first", at: 1, engine: "backend:big" } as Outcome,
  }),
};
const NEAR = [{ id: "ab", question: "Why?", edge_answer: null, answer: "Yes.", cosine: 1 }];

/** What a look-up left behind whose call of `method` was answered within CACHE_MS_MAX, or `late`.
 *  The clock is the test's. */
async function leftBy(method: "find" | "near", late: boolean) {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<unknown>();
  const call = () => {
    asked.resolve();
    return answered.promise;
  };
  const find = async (id: string) => (id === "ab" ? KEPT : null);
  const { deps, request, outcomes } = setUp(
    method === "find" ? { find: call } : { find, near: call },
  );
  const before = { ...cacheTotals };
  const opened = openCache(deps, request);
  const given = opened.then((cache) => (method === "find" ? cache.hit : cache.like("Why?", null)));
  await asked.promise;
  if (late) vi.advanceTimersByTime(CACHE_MS_MAX);
  if (late) await given;
  answered.resolve(method === "find" ? KEPT : NEAR);
  const reply = (await given)?.cache ?? null;
  await new Promise((done) => setImmediate(done)); // what goes on after `given` is done by then
  const counted = (name: keyof typeof before) => cacheTotals[name] - before[name];
  const counts = [counted("hits"), counted("semantic"), counted("usd_saved"), counted("failures")];
  return { reply, counts, cache: deps.trace.cache, outcomes: outcomes.length };
}

it("what was found in time counts once", async () => {
  const hit = { reply: "hit", counts: [1, 0, 1, 0], cache: "hit", outcomes: 1 };
  expect(await leftBy("find", false)).toEqual(hit);
  const semantic = { reply: "semantic", counts: [0, 1, 1, 0], cache: "semantic", outcomes: 1 };
  expect(await leftBy("near", false)).toEqual(semantic);
});

it.each(["find", "near"] as const)(
  "what was found too late counts for nothing: %s",
  async (one) => {
    const nothing = { reply: null, counts: [0, 0, 0, 1], cache: null, outcomes: 0 };
    expect(await leftBy(one, true)).toEqual(nothing);
  },
);
