import { expect, it, vi } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import type { Engine, EnginePiece, EngineRequest } from "../../src/engine/engine.ts";
import { ServiceError } from "../../src/errors.ts";
import { SHADOWS_UNDER_WAY_MAX } from "../../src/limits.ts";
import { isWrong } from "../../src/pipeline/feedback.ts";
import type { Answered } from "../../src/pipeline/observe.ts";
import { type RecordDeps, recordAnswer } from "../../src/pipeline/record.ts";
import type { Comparison, Recording, ShadowCounts } from "../../src/router/router-types.ts";

/** A backend that says one thing, once it is let. */
class Backend implements Engine {
  readonly kind = "backend";
  /** A pool's: which of its members answered stands in `brink.engine`. */
  readonly id = "backend";
  readonly model = "big";
  asked: EngineRequest[] = [];
  gate: Promise<void> = Promise.resolve();
  piece: EnginePiece | Error = { text: "3 May", finish_reason: "stop" };

  async *answer(request: EngineRequest): AsyncGenerator<EnginePiece> {
    this.asked.push(request);
    await this.gate;
    if (this.piece instanceof Error) throw this.piece;
    yield this.piece;
  }
}

function setUp() {
  const backend = new Backend();
  const recorded: Recording[] = [];
  const compared: [Partial<ShadowCounts>, Comparison[]][] = [];
  const deps = {
    router: () => ({
      compared: async (...args: (typeof compared)[number]) => void compared.push(args),
    }),
    record: (_: string, recording: Recording) => void recorded.push(recording),
    notes: { policies: { read: async () => ({ notes: "off" }) } },
    models: async () => ({ encoder: { countTokens: () => 1 } }),
    pricesOf: (engine: string) =>
      engine === "backend:big" ? { input_per_mtok: 2, output_per_mtok: 8 } : null,
    ...{ backend, rungs: [], draw: 0 },
  };
  return { backend, recorded, compared, deps: deps as unknown as RecordDeps };
}

/** What a test says of an answer; the reader gave `edge_answer` at difficulty 0.2. */
function answered(outcome: Partial<Answered["outcome"]>, rate = 1): Answered {
  const whole = { asked: "auto", engine: "brink-reader", route: "edge", difficulty: 0.2 };
  const edge = { reading: { answer: "3 May" }, router: { shadow_rate: rate, revision: 7 } };
  const request = { caller: { tenant: "t" }, messages: [], parameters: {} };
  const work = { request, question: "When?", hits: [], corrections: [], edge };
  return {
    outcome: { ...whole, edge_answer: "3 May", text: "3 May [1]", whole: true, ...outcome },
    ...{ work, usage: null, report: {} },
  } as unknown as Answered;
}

const BY_BACKEND = { engine: "backend:big", route: "backend", text: "4 June" } as const;
const BY_SMALL = { ...BY_BACKEND, engine: "backend:small" } as const;

const saying = (text: string): EnginePiece => ({ text, finish_reason: "stop" });

it("an edge answer of the sample is compared; the backend's own need no second call", async () => {
  const { backend, recorded, compared, deps } = setUp();
  backend.piece = { text: "It was 4 June.", finish_reason: "stop", usage: usageOf(100, 5) };
  await recordAnswer(deps, answered({}));
  expect(recorded[0]).toMatchObject({ revision: 7, routed: true, sample: null });
  expect(compared[0]).toMatchObject([
    { sent: 1, failed: 0, prompt_tokens: 100, completion_tokens: 5 },
    [{ engine: null, difficulty: 0.2, wrong: true, revision: 7 }],
  ]);
  await recordAnswer(deps, answered(BY_BACKEND));
  expect(recorded[1]!.sample).toEqual({ wrong: true });
  await recordAnswer(deps, answered({ ...BY_BACKEND, edge_answer: null }));
  expect(recorded[2]!.sample).toEqual({ wrong: null });
  await recordAnswer(deps, answered({ ...BY_BACKEND, whole: false }));
  expect(recorded[3]!.sample).toBeNull();
  expect(backend.asked.length).toBe(1);
});

const usageOf = (prompt_tokens: number, completion_tokens: number) => ({
  ...{ prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
});

it("what the router did not decide is recorded and nothing more", async () => {
  const { backend, recorded, compared, deps } = setUp();
  for (const outcome of [{ asked: "edge" }, { engine: "brink-note" }, { difficulty: null }])
    await recordAnswer(deps, answered(outcome));
  expect(recorded.map(({ routed, sample }) => [routed, sample])).toEqual(
    Array(3).fill([false, null]),
  );
  expect([backend.asked.length, compared.length]).toEqual([0, 0]);
});

it("a backend that fails, says only half or refuses gives no label and is counted", async () => {
  const { backend, compared, deps } = setUp();
  backend.piece = new Error("down");
  await recordAnswer(deps, answered({}));
  backend.piece = { text: "It was", finish_reason: "length" };
  await recordAnswer(deps, answered({}));
  backend.piece = { text: "I will not say.", refusal: true, finish_reason: "stop" };
  await recordAnswer(deps, answered({}));
  expect(compared).toMatchObject([
    [{ sent: 1, failed: 1 }, [{ wrong: null }]],
    [{ sent: 1, failed: 0 }, [{ wrong: null }]],
    [{ sent: 1, failed: 0 }, [{ wrong: null }]],
  ]);
});

it("an abstention counts where an answer would have, not while the backend is away", async () => {
  const { backend, recorded, deps } = setUp();
  const abstained = { edge_answer: null, difficulty: 1, text: "The memory holds no answer." };
  const stoodIn = { ...answered(abstained), report: { wanted: "backend" } } as unknown as Answered;
  await recordAnswer(deps, stoodIn);
  await recordAnswer(deps, answered({ ...BY_BACKEND, ...abstained, whole: false }));
  await recordAnswer(deps, answered({ ...BY_BACKEND, ...abstained }));
  await recordAnswer(deps, answered(abstained)); // whatever its difficulty, it was to stay
  expect(recorded.map(({ sample }) => sample)).toEqual([
    null,
    null,
    { wrong: null },
    { wrong: null },
  ]);
  expect(backend.asked).toEqual([]);
});

it("too many under way let every question go alike, whatever its route or its answer", async () => {
  const { backend, recorded, compared, deps } = setUp();
  let open = () => {};
  backend.gate = new Promise((done) => {
    open = done;
  });
  const waiting = Array.from({ length: SHADOWS_UNDER_WAY_MAX }, () =>
    recordAnswer(deps, answered({})),
  );
  await expect.poll(() => backend.asked.length).toBe(SHADOWS_UNDER_WAY_MAX);
  for (const outcome of [{}, BY_BACKEND, { ...BY_BACKEND, edge_answer: null }])
    await recordAnswer(deps, answered(outcome));
  expect(recorded.slice(-3).map(({ sample }) => sample)).toEqual([null, null, null]);
  expect(compared).toEqual(Array(3).fill([{ dropped: 1 }, []]));
  open();
  await Promise.all(waiting);
  await recordAnswer(deps, answered(BY_BACKEND));
  expect(recorded.at(-1)!.sample).toEqual({ wrong: true });
});

it("kept, sent on and abstained, each is in the sample as often as the rate says", async () => {
  const { recorded, compared, deps } = setUp();
  const random = mulberry32(5);
  const kinds = [{}, BY_BACKEND, { ...BY_BACKEND, edge_answer: null }];
  const [each, rate] = [2_000, 0.3];
  const counts: number[] = [];
  for (const kind of kinds) {
    const before = recorded.filter(({ sample }) => sample !== null).length + compared.length;
    for (let i = 0; i < each; i++)
      await recordAnswer({ ...deps, draw: random() }, answered(kind, rate));
    counts.push(recorded.filter(({ sample }) => sample !== null).length + compared.length - before);
  }
  // Four standard deviations of a binomial count: one such test in 16,000 fails by chance.
  const within = 4 * Math.sqrt(each * rate * (1 - rate));
  for (const count of counts) expect(Math.abs(count - each * rate)).toBeLessThan(within);
});

it("a backend's answer is recorded with what it cost", async () => {
  const { recorded, deps } = setUp();
  await recordAnswer(deps, { ...answered(BY_BACKEND, 0), usage: usageOf(1_000, 100) });
  await recordAnswer(deps, { ...answered({}, 0), usage: usageOf(1_000, 100) });
  expect(recorded.map(({ outcome }) => outcome.cost_usd)).toEqual([0.0028, null]);
});

it("a rating speaks of the reader's answer where it can", () => {
  const reader = { engine: "brink-reader", edge_answer: "3 May", text: "3 May [1]" };
  const other = { engine: "backend:big", edge_answer: "3 May", text: "It was 4 June." };
  expect(isWrong(reader, "good", null)).toBe(false);
  expect(isWrong(reader, "bad", null)).toBe(true);
  expect(isWrong(reader, "bad", "on 3 May, as I said")).toBe(false);
  expect(isWrong(reader, "bad", "4 June")).toBe(true);
  expect(isWrong(other, "good", null)).toBe(true);
  expect(isWrong(other, "bad", null)).toBeNull();
  expect(isWrong(other, "bad", "3 May")).toBe(false);
  expect(isWrong({ ...reader, edge_answer: null }, "bad", "4 June")).toBeNull();
  expect(isWrong({ ...reader, edge_answer: "", text: "" }, "bad", "4 June")).toBe(true);
});

/** With a cheaper backend and a generator between reader and backend. */
function setUpRungs() {
  const all = setUp();
  const small = Object.assign(new Backend(), { id: "backend:small" });
  const generator = Object.assign(new Backend(), { id: "generator:g", kind: "generator" });
  const deps = { ...all.deps, rungs: [generator, small] } as unknown as RecordDeps;
  return { ...all, small, generator, deps };
}

it("a backend's answer is what one of the engines below it is held against", async () => {
  const { backend, small, generator, compared, deps } = setUpRungs();
  small.piece = { text: "On 4 June.", finish_reason: "stop", usage: usageOf(9, 1) };
  generator.piece = { text: "On 3 May.", finish_reason: "stop" };
  for (const draw of [0, 0.9]) await recordAnswer({ ...deps, draw }, answered(BY_BACKEND));
  expect(compared).toMatchObject([
    [{ sent: 1 }, [{ engine: "generator:g", difficulty: 0.2, wrong: true }]],
    [{ sent: 1, prompt_tokens: 9 }, [{ engine: "backend:small", wrong: false }]],
  ]);
  expect(backend.asked).toHaveLength(0);
  const last = { ...deps, draw: 0.9 };
  await recordAnswer(last, answered({ ...BY_BACKEND, edge_answer: null, difficulty: 1 }));
  expect(compared[2]).toMatchObject([{}, [{ engine: "backend:small", difficulty: 1 }]]);
  small.piece = { text: "On 4 Ju", finish_reason: "length" };
  await recordAnswer(last, answered(BY_BACKEND));
  expect(compared[3]).toMatchObject([{ sent: 1, failed: 0 }, []]);
});

it("whatever the rate, each engine between is compared as often as the others", async () => {
  const { small, generator, deps } = setUpRungs();
  const random = mulberry32(6);
  for (const rate of [0.05, 0.7]) {
    const before = [generator.asked.length, small.asked.length];
    for (let i = 0; i < 20_000; i++)
      await recordAnswer({ ...deps, draw: random() }, answered(BY_BACKEND, rate));
    const [one, other] = [generator.asked.length - before[0]!, small.asked.length - before[1]!];
    // Four standard deviations of a binomial count of the sample, as above.
    expect(Math.abs(one - other) / 2).toBeLessThan(4 * Math.sqrt((one + other) / 4));
  }
});

it("a rung's answer is not the backend's, which is asked: both are held against it", async () => {
  const { backend, small, generator, recorded, compared, deps } = setUpRungs();
  backend.piece = { text: "It was 4 June.", finish_reason: "stop" };
  await recordAnswer({ ...deps, draw: 0.9 }, answered(BY_SMALL));
  expect(recorded[0]!.sample).toBeNull();
  expect(compared[0]).toMatchObject([
    { sent: 1 },
    [
      { engine: null, wrong: true },
      { engine: "backend:small", wrong: false },
    ],
  ]);
  expect([small.asked.length, generator.asked.length]).toEqual([0, 0]);
});

it("a rung is drawn whoever answered, and asked unless it did: two calls at most", async () => {
  const { backend, small, generator, compared, deps } = setUpRungs();
  backend.piece = { text: "It was 4 June.", finish_reason: "stop" };
  await recordAnswer(deps, answered(BY_SMALL));
  expect(compared[0]).toMatchObject([
    { sent: 2 },
    [
      { engine: null, wrong: true },
      { engine: "generator:g", wrong: true },
    ],
  ]);
  expect([backend, generator, small].map(({ asked }) => asked.length)).toEqual([1, 1, 0]);
});

it("an engine's labels estimate its risk without bias, also beyond what it answers", async () => {
  const { small, compared, deps } = setUpRungs();
  deps.backend = Object.assign(new Backend(), { piece: saying("4 June") });
  const random = mulberry32(7);
  // The rung answers up to .5 and is wrong with probability .05 there, .5 above. Up to .6 that is
  // (.5 x .05 + .1 x .5) / .6 = .125; of all that it answers and half of the rest, .091.
  for (let i = 0; i < 20_000; i++) {
    const difficulty = random();
    const text = random() < (difficulty <= 0.5 ? 0.05 : 0.5) ? "3 May" : "4 June";
    small.piece = saying(text);
    const by = difficulty <= 0.5 ? { ...BY_SMALL, text } : BY_BACKEND;
    await recordAnswer({ ...deps, draw: random() }, answered({ ...by, difficulty }, 0.5));
  }
  const labels = compared.flatMap(([, own]) => own);
  const upTo = (engine: string, most: number) =>
    labels.filter((label) => label.engine === engine && label.difficulty <= most);
  // Four standard deviations of a binomial share, as above.
  const within = (p: number, n: number) => 4 * Math.sqrt((p * (1 - p)) / n);
  for (const { id } of deps.rungs) {
    const all = upTo(id, 1).length;
    expect(Math.abs(upTo(id, 0.5).length / all - 0.5)).toBeLessThan(within(0.5, all));
  }
  const kept = upTo("backend:small", 0.6);
  const wrong = kept.filter((label) => label.wrong).length;
  expect(Math.abs(wrong / kept.length - 0.125)).toBeLessThan(within(0.125, kept.length));
});

it("a backend that a rung stood in for is nothing to be held against", async () => {
  const { backend, compared, deps } = setUpRungs();
  const served = { id: "backend:small", model: "small", attempts: [] };
  backend.piece = { text: "4 June", finish_reason: "stop", served };
  await recordAnswer(deps, answered({}));
  expect(compared[0]).toMatchObject([{ sent: 2 }, [{ engine: null, wrong: null }]]);
});

it("what fails is logged as JSON, without the words that a backend quotes", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { deps } = setUp();
  deps.record = () => {
    const message = "the backend answered 400: When does the lease end?";
    throw new ServiceError("backend_unavailable", message, { logged: "the backend answered 400" });
  };
  await recordAnswer(deps, answered({}));
  const line = JSON.parse(logged.mock.calls[0]![0]);
  expect(line).toEqual({ event: "answer not learned from", detail: "the backend answered 400" });
  logged.mockRestore();
});
