import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import { codeOf } from "../../src/errors.ts";
import {
  DRIFT_WINDOW,
  ENGINE_LABELS_KEPT_MAX,
  ENGINE_LABELS_STEP,
  ENGINES_LABELLED_MAX,
  ROUTER_VERSIONS_MAX,
} from "../../src/limits.ts";
import type { DifficultyFile } from "../../src/router/difficulty.ts";
import type { Outcome } from "../../src/router/outcome.ts";
import type { Recording } from "../../src/router/router-types.ts";
import { SHIPPED_FILE } from "../../src/router/shipped.ts";

const SHIPPED = SHIPPED_FILE.version;

function outcome(trace_id: string, rest: Partial<Outcome> = {}): Outcome {
  return {
    ...{ trace_id, at: 10_000, namespace: "docs", conversation: null, question: "When?" },
    ...{ route: "edge", engine: "brink-reader", edge_answer: "3 May", text: "3 May [1]" },
    ...{ difficulty_before: null, difficulty: 0.1, features: { bm25_top: 1 }, threshold: 0.4 },
    ...{ weights_version: SHIPPED, passages: [], notes: [], cost_usd: null, asked: "auto" },
    ...rest,
  };
}

function recording(trace_id: string, rest: Partial<Outcome> = {}): Recording {
  return { outcome: outcome(trace_id, rest), revision: 1, routed: true, sample: null };
}

function weights(version: string, change = 0): DifficultyFile {
  const calibration = {
    version: "theirs",
    scores: [
      [0.25, 0],
      [0.5, 1],
    ],
    abstained: 3,
  };
  return { ...SHIPPED_FILE, version, bias: SHIPPED_FILE.bias + change, calibration };
}

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

it("an outcome is found by its trace, rated and labelled, after an eviction too", async () => {
  const router = env.ROUTER.getByName("found");
  const at = Date.now();
  await router.record(recording("a", { at }));
  expect(await router.find("b")).toBeNull();
  expect(await router.find("a")).toEqual({ ...outcome("a", { at }), rating: null, label: null });
  expect(await router.rate("b", "bad", true)).toBe(false);
  expect(await router.rate("a", "bad", true)).toBe(true);
  await evictDurableObject(router);
  const rated = { rating: "bad", label: { wrong: true, source: "feedback" } };
  expect(await router.find("a")).toMatchObject(rated);
  await router.rate("a", "good", false);
  expect(await router.find("a")).toMatchObject({ rating: "good", label: { wrong: false } });
  expect((await router.overview()).labels).toEqual({ backend: 0, feedback: 1 });
});

it("a rating that says nothing of the reader's answer takes an earlier one's label", async () => {
  const router = env.ROUTER.getByName("withdrawn");
  const engine = "backend:big";
  await router.record({ ...recording("a", { engine, at: Date.now() }), sample: { wrong: false } });
  await router.rate("a", "good", true);
  expect(await router.find("a")).toMatchObject({ label: { wrong: true, source: "feedback" } });
  await router.rate("a", "bad", null);
  const label = { wrong: false, source: "backend" };
  expect(await router.find("a")).toMatchObject({ rating: "bad", label });
  expect((await router.overview()).labels).toEqual({ backend: 1, feedback: 0 });
});

it("the ring keeps its number, its bytes and its time, and no more", async () => {
  const router = env.SMALL_ROUTER.getByName("ring");
  for (let i = 0; i < 25; i++) await router.record(recording(`t${i}`));
  const kept = async () =>
    (await router.outcomes(100, null, false)).outcomes.map((o) => o.trace_id);
  expect(await kept()).toEqual(Array.from({ length: 10 }, (_, i) => `t${24 - i}`));
  for (let i = 0; i < 4; i++)
    await router.record(recording(`long${i}`, { text: "x".repeat(2_000), at: 10_500 }));
  expect(await kept()).toEqual(["long3", "long2", "long1"]);
  await runInDurableObject(router, (object) => {
    object.nowMs = 11_501;
  });
  expect(await kept()).toEqual([]);
  expect(await router.find("long3")).toBeNull();
});

it("outcomes come in pages, newest first, and those of a namespace can be forgotten", async () => {
  const router = env.SMALL_ROUTER.getByName("pages");
  for (let i = 0; i < 5; i++)
    await router.record(recording(`t${i}`, { namespace: i % 2 === 0 ? "even" : "odd" }));
  const first = await router.outcomes(2, null, false);
  expect(first.outcomes.map((o) => o.trace_id)).toEqual(["t4", "t3"]);
  const next = await router.outcomes(3, Number(first.cursor), false);
  expect(next).toMatchObject({ cursor: null, outcomes: [{ trace_id: "t2" }, {}, {}] });
  await router.rate("t1", "good", false);
  const labelled = await router.outcomes(10, null, true);
  expect(labelled.outcomes.map((o) => o.trace_id)).toEqual(["t1"]);
  expect(await router.forget("odd")).toBe(2);
  expect(await router.find("t1")).toBeNull();
  expect(await router.forget(null)).toBe(3);
  expect((await router.overview()).labels.feedback).toBe(1);
});

it("without keep_text nothing of what was said stays, and what was kept goes", async () => {
  const router = env.SMALL_ROUTER.getByName("private");
  await router.record(recording("before"));
  await router.putSettings({ keep_text: false });
  expect(await router.find("before")).toBeNull();
  await router.record(recording("after", { question: "secret?", text: "secret" }));
  const found = await router.find("after");
  expect(found).toMatchObject({ question: "", text: "", edge_answer: "", difficulty: 0.1 });
  expect(JSON.stringify(found)).not.toContain("secret");
  await router.rate("after", "bad", true);
  expect((await router.overview()).labels.feedback).toBe(1);
  await router.putSettings({ keep_text: false }); // as it was: nothing more goes
  expect(await router.find("after")).toMatchObject({ rating: "bad" });
});

it("the state is told again only where it changed", async () => {
  const router = env.ROUTER.getByName("state");
  const first = (await router.snapshot(null))!;
  expect(first).toMatchObject({ version: "shipped", unfit: null, model: null });
  expect(first.settings).toMatchObject({ target: { max_risk: 0.15 }, shadow_rate: 0 });
  expect(await router.snapshot(first.revision)).toBeNull();
  await router.putSettings({ target: { backend_share: 0.3 } });
  const second = (await router.snapshot(first.revision))!;
  expect(second.settings).toMatchObject({ target: { backend_share: 0.3 }, keep_text: true });
  expect(second.revision).toBeGreaterThan(first.revision);
  await evictDurableObject(router);
  expect(await router.snapshot(second.revision)).toBeNull();
});

it("a rollback gives exactly what was, and ends automatic calibration", async () => {
  const router = env.ROUTER.getByName("versions");
  expect(await router.addVersion(weights("own-1", 0.5), "mine", false)).toBe("v1");
  expect((await router.snapshot(null))!.version).toBe("shipped");
  expect(await router.addVersion(weights("own-2", 1), null, true)).toBe("v2");
  const before = (await router.snapshot(null))!;
  expect(before).toMatchObject({ version: "v2", model: weights("own-2", 1) });
  const labels = [{ difficulty: 0.75, wrong: true }];
  await router.calibrate({ labels, abstained: 2, replace: false, include_feedback: false });
  const calibrated = (await router.snapshot(null))!;
  expect(calibrated.model).toMatchObject({ version: "own-2", weights: before.model!.weights });
  expect(calibrated.model!.calibration).toMatchObject({
    ...{
      abstained: 5,
      scores: [
        [0.25, 0],
        [0.5, 1],
        [0.75, 1],
      ],
    },
  });
  await router.rollBack("own-2"); // the newest other version with these weights
  const after = (await router.snapshot(null))!;
  expect(after).toMatchObject({ version: "v2", settings: { auto_calibrate: false } });
  expect(after.model).toEqual(before.model);
  await router.rollBack("shipped");
  expect(await router.snapshot(null)).toMatchObject({ version: "shipped", model: null });
  await router.rollBack("v3");
  expect((await router.snapshot(null))!.model).toEqual(calibrated.model);
  expect(await codeFrom(router.rollBack("v9"))).toBe("not_found");
  const list = await router.versions();
  expect(list.map(({ version }) => version)).toEqual(["v3", "v2", "v1", "shipped"]);
  expect(list[0]).toMatchObject({ source: "labels", labels: 3, abstained: 5, active: true });
  expect(list[2]).toMatchObject({ source: "upload", note: "mine", active: false });
});

it("versions are bounded, and the one in use is never the one that goes", async () => {
  const router = env.ROUTER.getByName("many");
  await router.addVersion(weights("used", 0.5), null, true);
  for (let i = 0; i < ROUTER_VERSIONS_MAX + 2; i++)
    await router.addVersion(weights(`more-${i}`, i + 1), null, false);
  const list = await router.versions();
  expect(list).toHaveLength(ROUTER_VERSIONS_MAX + 1);
  expect(list.find(({ active }) => active)).toMatchObject({ version: "v1" });
  expect(list.some(({ version }) => version === "v2")).toBe(false);
});

it("other weights of the same name are a conflict", async () => {
  const router = env.ROUTER.getByName("names");
  await router.addVersion(weights("own"), null, false);
  await router.addVersion(weights("own"), null, false);
  expect(await codeFrom(router.addVersion(weights("own", 1), null, true))).toBe("conflict");
  expect(await codeFrom(router.addVersion(weights(SHIPPED, 1), null, true))).toBe("conflict");
});

it("weights with other features than this build's do not serve, and that is told", async () => {
  const router = env.ROUTER.getByName("unfit");
  const { bm25_top, ...fewer } = weights("old").weights;
  await router.addVersion({ ...weights("old"), weights: fewer as never }, null, true);
  expect(await router.snapshot(null)).toMatchObject({
    version: "shipped",
    unfit: "v1",
    model: null,
  });
  await evictDurableObject(router);
  expect(await router.snapshot(null)).toMatchObject({ version: "shipped", unfit: "v1" });
  await router.rollBack("shipped");
  expect(await router.snapshot(null)).toMatchObject({ unfit: null });
  expect(await codeFrom(router.rollBack("v1"))).toBe("invalid_request");
});

it("collected labels calibrate by themselves, with the weights as they were", async () => {
  const router = env.SMALL_ROUTER.getByName("automatic");
  const label = async (i: number, wrong: boolean | null) =>
    router.record({
      ...recording(`t${i}`, { difficulty: wrong === null ? 1 : i / 100 }),
      sample: { wrong },
    });
  for (let i = 0; i < 4; i++) await label(i, null);
  for (let i = 4; i < 23; i++) await label(i, i % 5 === 0);
  expect((await router.versions()).length).toBe(1);
  await label(23, false);
  const { version, model } = (await router.snapshot(null))!;
  expect(version).toBe("v1");
  expect(model).toMatchObject({ version: SHIPPED, weights: SHIPPED_FILE.weights });
  expect(model!.calibration).toMatchObject({ abstained: 4 });
  expect(model!.calibration.scores).toHaveLength(20);
  for (let i = 24; i < 34; i++) await label(i, false);
  const [newest] = await router.versions();
  expect(newest).toMatchObject({ version: "v2", source: "automatic", labels: 30, active: true });
  await router.rollBack("v1");
  for (let i = 34; i < 60; i++) await label(i, false);
  expect((await router.snapshot(null))!.version).toBe("v1");
});

it("a comparison that came late is a label, and one that says nothing is none", async () => {
  const router = env.SMALL_ROUTER.getByName("compared");
  const about = { trace_id: "a", weights_version: SHIPPED, threshold: 0.4 };
  const counts = { sent: 1, prompt_tokens: 10 };
  const comparison = { engine: null, outcome: about, difficulty: 0.1, revision: 1, wrong: true };
  await router.compared(counts, [comparison]);
  await router.compared({ sent: 1, failed: 1 }, []);
  const silent = { ...comparison, outcome: { ...about, trace_id: "b" }, wrong: null };
  await router.compared({ dropped: 2 }, [silent]);
  const { shadow, labels, drift } = await router.overview();
  expect(shadow).toEqual({ ...counts, sent: 2, failed: 1, dropped: 2, completion_tokens: 0 });
  expect(labels.backend).toBe(1);
  expect(drift.backend).toMatchObject({ risk: 0.15, labels: 1, wrong: 1 });
});

it("ratings calibrate only where that is asked for, and a question counts once", async () => {
  const router = env.SMALL_ROUTER.getByName("ratings");
  await router.putSettings({ auto_calibrate: false });
  for (let i = 0; i < 3; i++)
    await router.record({ ...recording(`t${i}`), sample: { wrong: false } });
  await router.rate("t0", "bad", true);
  const collected = { labels: null, abstained: 0, replace: true, include_feedback: false };
  await router.calibrate(collected);
  const scores = async () => (await router.snapshot(null))!.model!.calibration.scores;
  expect(await scores()).toEqual([
    [0.1, 0],
    [0.1, 0],
    [0.1, 0],
  ]);
  await router.calibrate({ ...collected, include_feedback: true });
  expect((await scores()).map(([, wrong]) => wrong).sort()).toEqual([0, 0, 1]);
  const empty = env.SMALL_ROUTER.getByName("no ratings");
  expect(await codeFrom(empty.calibrate(collected))).toBe("invalid_request");
});

/** Difficulties as the release's own calibration set has them. */
function drawShipped(random: () => number): number {
  const { scores, abstained } = SHIPPED_FILE.calibration;
  const at = Math.floor(random() * (scores.length + abstained));
  return scores[at]?.[0] ?? 1;
}

it("questions like the calibration's raise no alarm, and harder ones do", async () => {
  const router = env.ROUTER.getByName("drift");
  const random = mulberry32(11);
  const at = Date.now();
  await runInDurableObject(router, (object) => {
    for (let i = 0; i < 2 * DRIFT_WINDOW; i++)
      object.record(recording(`a${i}`, { at, difficulty: drawShipped(random) }));
  });
  expect((await router.drift()).shift).toMatchObject({ tests: 2, alarm: false });
  await runInDurableObject(router, (object) => {
    for (let i = 0; i < 2 * DRIFT_WINDOW; i++)
      object.record(recording(`b${i}`, { at, difficulty: drawShipped(random) ** 0.3 }));
  });
  const { shift, since } = await router.drift();
  expect(shift).toMatchObject({ tests: 4, alarm: true });
  expect(since).toBeGreaterThanOrEqual(at);
  await router.rollBack("shipped");
  expect(await router.drift()).toMatchObject({ since: null, shift: { tests: 0, alarm: false } });
});

it("an answer that is sent again counts once for drift", async () => {
  const router = env.ROUTER.getByName("sent again");
  const at = Date.now();
  const counted = async () => {
    const { window } = (await router.drift()).shift;
    return window.reduce((sum, count) => sum + count, 0);
  };
  await router.record(recording("a", { at }), recording("b", { at }));
  await router.record(recording("b", { at }), recording("c", { at }), recording("c", { at }));
  expect(await counted()).toBe(3);
  await router.forget(null);
  await router.record(recording("a", { at }));
  expect(await counted()).toBe(4);
});

it("answers by weights or a target that were left count for no test", async () => {
  const router = env.SMALL_ROUTER.getByName("left");
  await router.record(recording("other", { weights_version: "other" }));
  await router.record({ ...recording("unrouted"), routed: false });
  expect((await router.drift()).shift.window.every((count) => count === 0)).toBe(true);
  await router.putSettings({ target: { max_risk: 0.05 } });
  await router.record({ ...recording("early"), sample: { wrong: true } });
  const { revision } = (await router.snapshot(null))!;
  expect((await router.drift()).backend).toBeNull();
  await router.record({ ...recording("late"), revision, sample: { wrong: true } });
  await router.record({
    ...recording("hard", { difficulty: 0.9 }),
    revision,
    sample: { wrong: true },
  });
  expect((await router.drift()).backend).toMatchObject({ risk: 0.05, labels: 1 });
});

it("a target that is set once more is no other promise, and ends no test of it", async () => {
  const router = env.ROUTER.getByName("once more");
  const target = { max_risk: 0.1, confidence: 0.9 };
  await router.putSettings({ target });
  const { revision } = (await router.snapshot(null))!;
  await router.record({ ...recording("a"), revision, sample: { wrong: true } });
  await router.putSettings({ target: { ...target }, shadow_rate: 0.1 });
  expect((await router.drift()).backend).toMatchObject({ risk: 0.1, labels: 1 });
  await router.putSettings({ target: { max_risk: 0.1, confidence: 0.8 } });
  expect((await router.drift()).backend).toBeNull();
});

it("other engines' answers make a ladder now and then, and keep to the weights", async () => {
  const router = env.ROUTER.getByName("ladder");
  const compare = (i: number, wrong: boolean, engine = "backend:small", weights = SHIPPED) => {
    const about = { trace_id: `t${i}`, weights_version: weights, threshold: 0.4 };
    return router.compared({}, [{ engine, outcome: about, difficulty: 0.6, revision: 1, wrong }]);
  };
  const sets = async () => (await router.snapshot(null))!.engines;
  for (let i = 0; i < ENGINE_LABELS_STEP - 1; i++) await compare(i, i === 7);
  await compare(0, false); // the same once more
  await compare(1_000, true, "backend:small", "others");
  expect(await sets()).toEqual([]);
  const { revision } = (await router.snapshot(null))!;
  await compare(ENGINE_LABELS_STEP, false);
  expect((await router.snapshot(revision))!.engines).toMatchObject([{ engine: "backend:small" }]);
  const { scores } = (await sets())[0]!;
  expect(scores).toHaveLength(ENGINE_LABELS_STEP);
  expect(scores.filter(({ wrong }) => wrong)).toHaveLength(1);
  await router.addVersion(weights("mine", 1), null, true);
  expect(await sets()).toEqual([]);
  expect((await router.overview()).collected).toEqual([]);
  await router.rollBack(SHIPPED);
  expect((await sets())[0]!.scores).toEqual(scores);
});

it("of each engine the newest labels are kept, and of engines those labelled last", async () => {
  const router = env.ROUTER.getByName("ladder bounds");
  const about = { weights_version: SHIPPED, threshold: 0.4 };
  const label = (trace_id: string, engine: string) => {
    return { engine, outcome: { ...about, trace_id }, difficulty: 0.6, revision: 1, wrong: false };
  };
  const engines = Array.from({ length: ENGINES_LABELLED_MAX + 1 }, (_, i) => `backend:${i}`);
  for (const engine of engines) await router.compared({}, [label("first", engine)]);
  const more = ENGINE_LABELS_KEPT_MAX + 200;
  const labels = Array.from({ length: more }, (_, i) => label(`t${i}`, engines.at(-1)!));
  await router.compared({}, labels);
  const { collected } = await router.overview();
  expect(collected.map(({ engine }) => engine).sort()).toEqual(engines.slice(1));
  expect(collected.find(({ engine }) => engine === engines.at(-1))!.scores).toHaveLength(
    ENGINE_LABELS_KEPT_MAX,
  );
});
