/** How much the router's object keeps of answers, and tells of them at once. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import {
  CALIBRATION_SCORES_MAX,
  LABELS_KEPT_MAX,
  OUTCOME_BYTES_MAX,
  OUTCOMES_PAGE_BYTES_MAX,
  OUTCOMES_PAGE_MAX,
} from "../../src/limits.ts";
import type { Outcome } from "../../src/router/outcome.ts";
import type { Recording } from "../../src/router/router-types.ts";

function outcome(trace_id: string, rest: Partial<Outcome> = {}): Outcome {
  return {
    ...{ trace_id, at: Date.now(), namespace: "docs", conversation: null, question: "When?" },
    ...{ route: "edge", engine: "brink-reader", edge_answer: "3 May", text: "" },
    ...{ difficulty_before: null, difficulty: 0.1, features: null, threshold: 0.4 },
    ...{ weights_version: "theirs", passages: [], notes: [], cost_usd: null, asked: "auto" },
    ...rest,
  };
}

function recording(of: Outcome): Recording {
  return { outcome: of, revision: 1, routed: true, sample: null };
}

/** Of so many bytes as JSON, most of them its text's. */
function sized(trace_id: string, bytes: number): Outcome {
  const bare = outcome(trace_id);
  return { ...bare, text: "x".repeat(bytes - JSON.stringify(bare).length) };
}

it("an outcome of too many bytes is kept without its texts, or not at all", async () => {
  const router = env.ROUTER.getByName("outcome bytes");
  const whole = sized("whole", OUTCOME_BYTES_MAX);
  await router.record(recording(whole));
  expect(await router.find("whole")).toMatchObject({ question: "When?", text: whole.text });
  await router.record(recording(sized("long", OUTCOME_BYTES_MAX + 1)));
  expect(await router.find("long")).toMatchObject({ question: "", text: "", edge_answer: "" });
  await router.record(recording(outcome("more", { notes: ["n".repeat(OUTCOME_BYTES_MAX)] })));
  expect(await router.find("more")).toBeNull();
});

it("a page of outcomes ends before it has more bytes than it may", async () => {
  const router = env.ROUTER.getByName("page bytes");
  const full = OUTCOMES_PAGE_BYTES_MAX / OUTCOME_BYTES_MAX;
  await runInDurableObject(router, (object) => {
    for (let i = 0; i < full; i++) object.record(recording(sized(`t${i}`, OUTCOME_BYTES_MAX)));
  });
  const page = (cursor: number | null) => router.outcomes(OUTCOMES_PAGE_MAX, cursor, false);
  expect(await page(null)).toMatchObject({ outcomes: { length: full }, cursor: null });
  await router.record(recording(outcome("newest")));
  const first = await page(null);
  expect(first.outcomes.map(({ trace_id }) => trace_id).at(-1)).toBe("t1");
  expect(first.outcomes).toHaveLength(full);
  const rest = await page(Number(first.cursor));
  expect(rest.outcomes.map(({ trace_id }) => trace_id)).toEqual(["t0"]);
  expect(rest.cursor).toBeNull();
});

const fill = (source: string, upto: number) => `WITH RECURSIVE more (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < ${upto})
  INSERT INTO labels (source, trace_id, weights_version, difficulty, wrong)
    SELECT '${source}', 't' || n, 'theirs', 0.5, 1 FROM more`;

it("so are they where the look comes with a label of the other source", async () => {
  const router = env.ROUTER.getByName("label bounds of the other");
  await router.record(recording(outcome("rated")));
  await runInDurableObject(router, (_, { storage }) => {
    storage.sql.exec(fill("backend", LABELS_KEPT_MAX + 99));
  });
  await router.rate("rated", "bad", true);
  expect((await router.overview()).labels).toEqual({ feedback: 1, backend: LABELS_KEPT_MAX });
});

it("of each source's labels the newest are kept", async () => {
  const router = env.ROUTER.getByName("label bounds");
  await router.record(recording(outcome("rated")));
  // All but one that makes it 100 too many, which is when the object looks.
  await runInDurableObject(router, (_, { storage }) => {
    storage.sql.exec(fill("feedback", LABELS_KEPT_MAX + 99));
  });
  await router.rate("rated", "bad", true);
  expect((await router.overview()).labels.feedback).toBe(LABELS_KEPT_MAX);
  const oldest = await runInDurableObject(router, (_, { storage }) =>
    storage.sql.exec("SELECT trace_id FROM labels ORDER BY seq LIMIT 1").one(),
  );
  expect(oldest).toEqual({ trace_id: "t101" });
});

it("of more scores than a set may have the newest calibrate", async () => {
  const router = env.ROUTER.getByName("full set");
  const calibrate = (count: number, difficulty: number, abstained: number) => {
    const labels = Array.from({ length: count }, () => ({ difficulty, wrong: false }));
    const how = { replace: false, include_feedback: false };
    return router.calibrate({ labels, abstained, ...how });
  };
  await calibrate(CALIBRATION_SCORES_MAX, 0.25, 1_000);
  await calibrate(CALIBRATION_SCORES_MAX / 4, 0.75, 1_000);
  const { scores, abstained } = (await router.snapshot(null))!.model!.calibration;
  const kept = scores.map(([difficulty]) => difficulty);
  expect(kept.filter((difficulty) => difficulty === 0.25)).toHaveLength(15_000);
  expect([kept.length, kept.at(-1), abstained]).toEqual([CALIBRATION_SCORES_MAX, 0.75, 1_600]);
});
