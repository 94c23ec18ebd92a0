/** What ratings change of what the router's object collects. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { Recording } from "../../src/router/router-types.ts";
import { SHIPPED_FILE } from "../../src/router/shipped.ts";

const SHIPPED = SHIPPED_FILE.version;

/** An answer that the edge could have kept; the reader's was "3 May". */
function recording(trace_id: string, engine: string, revision = 1): Recording {
  const outcome = {
    ...{ trace_id, at: Date.now(), namespace: "docs", conversation: null, question: "When?" },
    ...{ route: "edge" as const, engine, edge_answer: "3 May", text: "4 June" },
    ...{ difficulty_before: null, difficulty: 0.1, features: null, threshold: 0.4 },
    ...{ weights_version: SHIPPED, passages: [], notes: [], cost_usd: null, asked: "auto" },
  };
  return { outcome, revision, routed: true, sample: null };
}

it("a rating takes the place of a comparison's verdict, and makes no label", async () => {
  const router = env.ROUTER.getByName("ladder ratings");
  const wrongs = async () =>
    (await router.overview()).collected.map(({ engine, scores }) => [
      engine,
      scores.map(({ wrong }) => wrong),
    ]);
  for (const trace of ["a", "b"]) await router.record(recording(trace, "backend:small"));
  const about = { trace_id: "a", weights_version: SHIPPED, threshold: 0.4 };
  const common = { outcome: about, difficulty: 0.6, revision: 1, wrong: true };
  await router.compared({}, [{ ...common, engine: "backend:small" }]);
  await router.rate("a", "good", null);
  await router.rate("b", "bad", null);
  expect(await wrongs()).toEqual([["backend:small", [false]]]);
  // A comparison that comes after the rating does not undo it; one of another engine is its own.
  const late = { ...common, outcome: { ...about, trace_id: "b" }, wrong: false };
  await router.compared({}, [
    { ...late, engine: "backend:small" },
    { ...late, engine: "generator:g" },
  ]);
  expect((await wrongs()).sort()).toEqual([
    ["backend:small", [false, true]],
    ["generator:g", [false]],
  ]);
});

it("whoever rates an answer to and fro is counted once for drift", async () => {
  const router = env.ROUTER.getByName("to and fro");
  const { revision } = (await router.snapshot(null))!;
  await router.record(recording("a", "brink-note", revision));
  for (let i = 0; i < 5; i++) {
    await router.rate("a", "good", true);
    await router.rate("a", "bad", null);
  }
  await router.rate("a", "good", true);
  expect((await router.drift()).feedback).toMatchObject({ labels: 1, wrong: 1 });
  expect((await router.overview()).labels.feedback).toBe(1);
});
