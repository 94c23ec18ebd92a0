/** Feedback, comparison and the router's tending over HTTP: the built Worker with a scripted
 *  backend. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { OpenAiServer } from "../support/openai-server.ts";
import { fill, START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";

let backend: OpenAiServer;
let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, backend, stop } = await startWithBackend({
    ...{ BACKEND_PRICE_INPUT_PER_MTOK: "2", BACKEND_PRICE_OUTPUT_PER_MTOK: "8" },
  }));
  await fill(service, "ferries", [
    { id: "ferry", text: "The ferry to Skagen leaves at 07:40 and 16:10 daily." },
  ]);
}, START_MS_MAX);
afterAll(() => stop?.());

const WHEN = "When does the ferry to Skagen leave?";
const KEYS = "Who keeps the keys of the Skagen ferry?";

async function ask(content: string, rest: object = {}, key?: string) {
  const messages = [{ role: "user", content }];
  const body = { model: "auto", messages, memory: { namespace: "ferries" }, ...rest };
  const {
    status,
    headers,
    body: reply,
  } = await service.call(...(["POST", "/v1/chat/completions", body, key] as const));
  expect(status, JSON.stringify(reply)).toBe(200);
  return { ...reply, trace_id: headers.get("x-brink-trace") };
}

const rate = (trace_id: string, rest: object, key?: string) =>
  service.call("POST", "/v1/feedback", { trace_id, ...rest }, key);
const router = async () => (await service.call("GET", "/admin/router")).body;
const put = (body: object) => service.call("PUT", "/admin/router", body);

async function newKey(body: object): Promise<string> {
  const reply = await service.call("POST", "/admin/keys", body);
  expect(reply.status).toBe(201);
  return reply.body.key;
}

it("a good rating makes a note of a backend's answer, and the edge says it next time", async () => {
  backend.script({ text: "The harbour master keeps them. [1]" });
  const { brink, trace_id } = await ask(KEYS, { model: "backend" });
  expect(brink.route).toBe("backend");
  expect((await rate(trace_id, { rating: "good" })).body).toEqual({
    ...{ recorded: true, learned: "note" },
  });
  const asked = backend.requests.length;
  const again = await ask(`please tell me: ${KEYS.toLowerCase()}`);
  expect(again.brink).toMatchObject({
    ...{ route: "edge", engine: "brink-note", answer: "The harbour master keeps them." },
    note: { learned_by: "rating", trace_id },
  });
  expect(backend.requests.length).toBe(asked);
});

it("another tenant's answer, or one out of the key's reach, is not there to rate", async () => {
  const { trace_id } = await ask(WHEN, { model: "edge" });
  const other = await newKey({ tenant: "other", scopes: ["admin"] });
  const elsewhere = await newKey({ namespaces: ["harbours"] });
  const here = await newKey({ namespaces: ["ferries"] });
  for (const key of [other, elsewhere]) {
    const { status, body } = await rate(trace_id, { rating: "bad" }, key);
    expect([status, body.error.code]).toEqual([404, "not_found"]);
  }
  expect((await rate("0".repeat(32), { rating: "bad" })).status).toBe(404);
  const outcomes = async (key?: string) =>
    (await service.call("GET", "/admin/router/outcomes", undefined, key)).body.outcomes;
  expect(
    (await outcomes()).find((o: { trace_id: string }) => o.trace_id === trace_id),
  ).toMatchObject({ rating: null, label: null });
  expect((await rate(trace_id, { rating: "bad" }, here)).status).toBe(200);
  expect(
    (await outcomes()).find((o: { trace_id: string }) => o.trace_id === trace_id),
  ).toMatchObject({ rating: "bad", label: { wrong: true, source: "feedback" } });
  expect(await outcomes(other)).toEqual([]);
});

it("each target moves the threshold at once, and a budget is what the prices allow", async () => {
  expect((await put({ target: { backend_share: 1 } })).body).toMatchObject({ threshold: -1 });
  backend.script({ text: "At 07:40. [1]" });
  expect((await ask(WHEN)).brink.route).toBe("backend");
  expect((await put({ target: { backend_share: 0 } })).body).toMatchObject({
    ...{ threshold: 1, expected: { coverage: 1, backend_share: 0, usd_per_1k: 0 } },
  });
  expect((await ask(WHEN)).brink.route).toBe("edge");
  const { body } = await put({ target: { budget_usd_per_1k: 1 } });
  expect(body.expected.usd_per_1k).toBeLessThanOrEqual(1);
  expect(body.expected.backend_share).toBeGreaterThan(0);
  expect((await put({ target: { max_risk: 0.2, confidence: 0.9 } })).status).toBe(200);
  expect((await router()).target).toEqual({ max_risk: 0.2, confidence: 0.9 });
});

it("with a shadow rate the backend is asked after the reply, and says who was wrong", async () => {
  await put({ target: { backend_share: 0 }, shadow_rate: 1 });
  const before = await router();
  const asked = backend.requests.length;
  backend.script({ text: "Nobody knows that, I am afraid. [1]" });
  const { brink, trace_id } = await ask(WHEN);
  expect(brink.engine).toBe("brink-reader");
  const { drift, labels, shadow } = before;
  await expect.poll(async () => (await router()).labels.backend).toBe(labels.backend + 1);
  expect(backend.requests.length).toBe(asked + 1);
  const prompt = JSON.stringify(backend.requests.at(-1)!.body);
  expect(prompt).toContain("The ferry to Skagen leaves");
  const after = await router();
  expect(after.shadow.sent).toBe(shadow.sent + 1);
  expect(after.drift.risk).toMatchObject({ labels: drift.risk.labels + 1, wrong: 1 });
  const { outcomes } = (await service.call("GET", "/admin/router/outcomes?labelled=true")).body;
  expect(outcomes.find((o: { trace_id: string }) => o.trace_id === trace_id).label).toEqual({
    ...{ wrong: true, source: "backend" },
  });
  await put({ shadow_rate: 0 });
});

it("own weights serve once they are active, and a rollback ends that", async () => {
  const { weights_version } = await router();
  const file = (await import("../../models/difficulty.json")).default;
  const { provenance, ...shipped } = file as Record<string, unknown>;
  const model = { ...shipped, version: "difficulty-own", bias: 6 };
  await put({ target: { max_risk: 0.15 } });
  const added = await service.call("POST", "/admin/router/versions", { model, activate: true });
  expect(added.body).toEqual({
    ...{ version: "v1", weights_version: "difficulty-own", active: true },
  });
  const hard = await ask(WHEN, { model: "edge" });
  expect(hard.brink.difficulty).toBeGreaterThan(0.9);
  const labels = Array.from({ length: 60 }, () => ({ difficulty: 0.05, wrong: false }));
  const calibrated = await service.call("POST", "/admin/router/calibrate", {
    ...{ labels, replace: true },
  });
  expect(calibrated.body).toMatchObject({
    ...{ version: "v2", weights_version: "difficulty-own", threshold: 0.9975 },
    calibration: { source: "own", labels: 60, abstained: 0 },
  });
  const back = await service.call("POST", "/admin/router/rollback", { version: weights_version });
  expect(back.body).toMatchObject({ version: "shipped", weights_version, auto_calibrate: false });
  expect((await ask(WHEN, { model: "edge" })).brink.difficulty).toBeLessThan(0.9);
});

it(
  "outcomes, settings and versions outlive a restart; a namespace takes its outcomes along",
  async () => {
    const { trace_id } = await ask(WHEN, { model: "edge" });
    await put({ target: { max_risk: 0.07 } });
    await expect
      .poll(
        async () => (await service.call("GET", "/admin/router/outcomes")).body.outcomes[0].trace_id,
      )
      .toBe(trace_id);
    const before = await router();
    const versions = (await service.call("GET", "/admin/router/versions")).body;
    await service.restart();
    expect(await router()).toEqual(before);
    expect((await service.call("GET", "/admin/router/versions")).body).toEqual(versions);
    expect((await rate(trace_id, { rating: "good" })).status).toBe(200);
    await service.call("DELETE", "/admin/namespaces/ferries");
    expect((await rate(trace_id, { rating: "good" })).status).toBe(404);
    expect((await router()).outcomes).toBe(0);
  },
  START_MS_MAX,
);
