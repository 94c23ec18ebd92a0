import { expect, it } from "vitest";
import { decideRoute, fallBack, type RouteInput } from "../../src/pipeline/route.ts";

const LEFT = { reader: true, generator: true, backend: true };
const base: RouteInput = {
  model: "auto",
  forced: false,
  stay: null,
  difficulty: 0.1,
  weighed: "",
  unread: false,
  threshold: 0.3,
  backendConfigured: true,
  generatorConfigured: false,
  backendOnly: null,
  writtenOnly: null,
  prior: null,
  abstained: false,
  rung: null,
};

it("auto keeps a question at the edge up to and at the threshold", () => {
  expect(decideRoute(base).route).toBe("edge");
  expect(decideRoute({ ...base, difficulty: 0.3 }).route).toBe("edge");
});

it("auto sends a question above the threshold to the backend and says both numbers", () => {
  const { route, wanted, reason } = decideRoute({ ...base, difficulty: 0.31 });
  expect({ route, wanted }).toEqual({ route: "backend", wanted: undefined });
  expect(reason).toBe("difficulty 0.310 > 0.300");
});

it("what weighs most in a difficulty stands behind it", () => {
  const weighed = "harder by asking why +0.50";
  const why = (difficulty: number) => decideRoute({ ...base, difficulty, weighed }).reason;
  expect(why(0.1)).toBe("difficulty 0.100 <= 0.300 (harder by asking why +0.50)");
  expect(why(0.31)).toBe("difficulty 0.310 > 0.300 (harder by asking why +0.50)");
});

it("the reason says where a difficulty was known before reading", () => {
  const { route, reason } = decideRoute({ ...base, difficulty: 0.6, unread: true });
  expect(route).toBe("backend");
  expect(reason).toBe("difficulty 0.600 > 0.300 before anything was read");
});

it("auto without a backend answers at the edge and admits what it wanted", () => {
  const decision = decideRoute({ ...base, difficulty: 1, backendConfigured: false });
  expect(decision).toMatchObject({ route: "edge", wanted: "backend" });
  expect(decision.reason).toContain("no backend is configured");
});

it("a threshold that no data supports keeps nothing at the edge", () => {
  expect(decideRoute({ ...base, difficulty: 0, threshold: -1 }).route).toBe("backend");
});

it("an abstention is named as the reason", () => {
  const { reason } = decideRoute({ ...base, difficulty: 1, abstained: true });
  expect(reason).toBe("the reader found no answer in the passages");
});

it("a named engine is used whatever the difficulty", () => {
  expect(decideRoute({ ...base, model: "edge", difficulty: 1 }).route).toBe("edge");
  expect(decideRoute({ ...base, model: "backend", difficulty: 0 }).route).toBe("backend");
});

it("the reason says where a header named the engine", () => {
  for (const model of ["edge", "backend"] as const)
    expect(decideRoute({ ...base, model, forced: true }).reason).toMatch(
      /^the header x-brink-route named (the edge|a backend)$/,
    );
});

it("the reason says who named the engine, a generator's model too", () => {
  expect(decideRoute({ ...base, model: "backend" }).reason).toBe("the request named a backend");
  const named = decideRoute({ ...base, model: "generator", difficulty: 0 });
  expect(named).toMatchObject({ route: "edge", engine: "generator" });
  expect(named.reason).toBe("the request named a generator's model");
});

it("a prior keeps a prompt without memory up to and at its threshold, and says so", () => {
  const prompt = { ...base, difficulty: null, generatorConfigured: true };
  const decide = (difficulty: number, threshold: number) =>
    decideRoute({ ...prompt, prior: { difficulty, threshold } });
  expect(decide(0.3, 0.3).engine).toBe("generator");
  expect(decide(0.3, 0.3).reason).toMatch(/by the prompt alone, difficulty 0\.300 <= 0\.300$/);
  expect(decide(0.3, 0.299).engine).toBe("backend");
  expect(decide(0, 0).reason).toMatch(/difficulty 0\.000 <= 0\.000$/);
  expect(decide(0.3, -1).reason).toMatch(/by the prompt alone, difficulty 0\.300$/);
  expect(decideRoute(prompt).reason).toBe("no memory was consulted");
});

it("who stands in for a generator wants a backend only where one was wanted", () => {
  const prompt = { ...base, difficulty: null, generatorConfigured: true, backendConfigured: false };
  const left = { reader: true, generator: false, backend: false };
  const next = fallBack(decideRoute(prompt), "generator_unavailable", left)!;
  expect(next).toMatchObject({ route: "edge", engine: "reader", standIn: true });
  expect(next).not.toHaveProperty("wanted");
  const hard = fallBack(decideRoute({ ...base, difficulty: 1 }), "backend_timeout", left);
  expect(hard).toMatchObject({ engine: "reader", wanted: "backend" });
});

it("a conversation that stays with its backend stays however easy the question", () => {
  const why = "the conversation stays with backend:big";
  const stay = { engine: "backend:big", why };
  const decision = decideRoute({ ...base, difficulty: null, stay });
  const big = { route: "backend", engine: "backend", rung: "backend:big" };
  expect(decision).toEqual({ ...big, reason: why });
  expect(fallBack(decision, "backend_timeout", LEFT)).toMatchObject({ engine: "backend" });
  const only = decideRoute({ ...base, difficulty: null, stay: { engine: null, why } });
  expect(only).toEqual({ route: "backend", engine: "backend", reason: why });
  expect(decideRoute({ ...base, model: "edge", stay }).route).toBe("edge");
});

it("what only a backend can do goes there however easy it looks", () => {
  const { route, reason } = decideRoute({ ...base, difficulty: 0, backendOnly: "tools" });
  expect({ route, reason }).toEqual({ route: "backend", reason: "tools needs a backend" });
});

const local = { ...base, backendConfigured: false, generatorConfigured: true };

it("auto without a backend sends a hard question to the generator, and an easy one nowhere", () => {
  expect(decideRoute(local)).toMatchObject({ route: "edge", engine: "reader" });
  const hard = decideRoute({ ...local, difficulty: 1 });
  expect(hard).toEqual({ route: "edge", engine: "generator", reason: "difficulty 1.000 > 0.300" });
  const both = { ...local, difficulty: 1, backendConfigured: true };
  expect(decideRoute(both).engine).toBe("backend");
});

it("what must be written goes to the generator, and to the backend where there is none", () => {
  const input = { ...local, difficulty: 0, writtenOnly: "response_format json_object" };
  for (const model of ["auto", "edge"] as const)
    expect(decideRoute({ ...input, model })).toMatchObject({
      engine: "generator",
      reason: "response_format json_object needs a generator",
    });
  const backend = { ...input, generatorConfigured: false, backendConfigured: true };
  expect(decideRoute(backend).engine).toBe("backend");
});

it("an engine that fails leaves the next one down, and the reason grows", () => {
  const decision = decideRoute({ ...local, difficulty: 1, backendConfigured: true });
  const second = fallBack(decision, "backend_timeout", LEFT)!;
  expect(second).toMatchObject({ route: "edge", engine: "generator", wanted: "backend" });
  const third = fallBack(second, "generator_busy", LEFT)!;
  expect(third).toMatchObject({ route: "edge", engine: "reader", wanted: "backend" });
  expect(third.reason).toBe(
    "difficulty 1.000 > 0.300; the backend failed (backend_timeout), so the generator answers; " +
      "the generator failed (generator_busy), so this is the edge's best evidence",
  );
  const alone = { ...LEFT, generator: false };
  expect(fallBack(decision, "backend_timeout", alone)!.engine).toBe("reader");
});

it("an answer that must be written goes from a generator that fails up to the backend", () => {
  const input = { ...local, writtenOnly: "logit_bias", backendConfigured: true };
  const decision = decideRoute(input);
  expect(decision.engine).toBe("generator");
  const left = { reader: false, generator: true, backend: true };
  const second = fallBack(decision, "generator_busy", left)!;
  expect(second).toEqual({
    ...{ route: "backend", engine: "backend", standIn: true },
    reason:
      "logit_bias needs a generator; the generator failed (generator_busy), so the backend answers",
  });
  expect(fallBack(second, "backend_timeout", left)).toBeNull();
  expect(fallBack(decision, "generator_busy", { ...left, backend: false })).toBeNull();
});

it("without memory the prior decides between a generator and a backend", () => {
  const prior = { difficulty: 0.1, threshold: 0.2 };
  const asked = { ...base, difficulty: null, generatorConfigured: true, prior };
  expect(decideRoute(asked)).toEqual({
    route: "edge",
    engine: "generator",
    reason: "no memory was consulted; by the prompt alone, difficulty 0.100 <= 0.200",
  });
  const hard = { ...prior, difficulty: 0.3 };
  expect(decideRoute({ ...asked, prior: hard })).toMatchObject({
    engine: "backend",
    reason: "no memory was consulted; by the prompt alone, difficulty 0.300 > 0.200",
  });
  expect(decideRoute({ ...asked, prior: { ...prior, threshold: -1 } })).toMatchObject({
    engine: "backend",
    reason: "no memory was consulted; by the prompt alone, difficulty 0.100",
  });
});

it("without a generator the prior moves nothing: the reader has nothing to read", () => {
  const prior = { difficulty: 0, threshold: 1 };
  const asked = { ...base, difficulty: null, prior };
  expect(decideRoute(asked).engine).toBe("backend");
  expect(decideRoute({ ...asked, backendConfigured: false })).toMatchObject({
    engine: "reader",
    wanted: "backend",
  });
});

it("a rung answers what the reader may not, and in its place the backend", () => {
  const rung = { engine: "backend:small", threshold: 0.7 };
  const decision = decideRoute({ ...base, difficulty: 0.6, rung });
  expect(decision).toEqual({
    ...{ route: "backend", engine: "backend", rung: "backend:small" },
    reason: "difficulty 0.600 > 0.300; backend:small may answer up to 0.700",
  });
  expect(decideRoute({ ...base, difficulty: 0.2, rung }).engine).toBe("reader");
  const next = fallBack(decision, "backend_timeout", { ...LEFT, generator: false })!;
  expect(next).toMatchObject({ route: "backend", engine: "backend" });
  expect(next.rung).toBeUndefined();
  expect(next.reason).toMatch(/backend:small failed \(backend_timeout\), so the backend answers$/);
  expect(fallBack(next, "backend_timeout", { ...LEFT, generator: false })).toMatchObject({
    ...{ route: "edge", engine: "reader", wanted: "backend" },
  });
});

it("a generator that is a rung answers at the edge", () => {
  const rung = { engine: "generator:small", threshold: 1 };
  const decision = decideRoute({ ...base, difficulty: 1, abstained: true, rung });
  expect(decision).toMatchObject({ route: "edge", engine: "generator", rung: "generator:small" });
  expect(fallBack(decision, "generator_busy", LEFT)).toMatchObject({ engine: "backend" });
});
