import { expect, it } from "vitest";
import { decideRoute, type RouteInput } from "../../src/pipeline/route.ts";

const base: RouteInput = {
  model: "auto",
  difficulty: 0.1,
  threshold: 0.3,
  backendConfigured: true,
  backendOnly: null,
  abstained: false,
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

it("what only a backend can do goes there however easy it looks", () => {
  const { route, reason } = decideRoute({ ...base, difficulty: 0, backendOnly: "tools" });
  expect({ route, reason }).toEqual({ route: "backend", reason: "tools needs a backend" });
});
