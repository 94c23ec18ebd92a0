import { expect, it } from "vitest";
import { ROUTER_FLOORS_MAX } from "../../src/limits.ts";
import { FEATURES } from "../../src/router/features.ts";
import { QUESTION_FEATURES } from "../../src/router/features-question.ts";
import { ROUTER } from "./fake-router.ts";
import { startApi } from "./fake-service.ts";

const TRACE = "0123456789abcdef".repeat(2);

it("the state is told as it is", async () => {
  const { call } = startApi();
  expect(await (await call("/admin/router")).json()).toEqual(ROUTER);
});

it("a target is one of three, and what is not named stays", async () => {
  const { service, outcome } = startApi();
  const put = (json: unknown) => outcome("/admin/router", { method: "PUT", json });
  const good = [
    { target: { max_risk: 0.1 } },
    { target: { max_risk: 0.1, confidence: 0.9 } },
    { target: { backend_share: 0.3 }, shadow_rate: 0.05 },
    { target: { budget_usd_per_1k: 0.4 } },
    { keep_text: false },
    { auto_calibrate: false },
  ];
  for (const json of good) {
    expect(await put(json)).toEqual([200, null]);
    expect(service.calls.at(-1)).toMatchObject(["putRouter", { tenant: "default" }, json]);
    expect(Object.keys(service.calls.at(-1)![2] as object).sort()).toEqual(
      Object.keys(json).sort(),
    );
  }
  const bad = [
    {},
    { target: {} },
    { target: { max_risk: 1.1 } },
    { target: { budget: 1 } },
    { target: { max_risk: 0.1, backend_share: 0.1 } },
    { target: { backend_share: 0.1, confidence: 0.9 } },
    { target: { max_risk: 0.1, confidence: 1 } },
    { shadow_rate: 2 },
    { threshold: 0.3 },
  ];
  for (const json of bad) expect(await put(json)).toEqual([400, "invalid_request"]);
});

it("a target is tried without being set, and the curves are told", async () => {
  const { service, call, outcome } = startApi();
  const reply = await call("/admin/router/preview?max_risk=0.05&confidence=0.9");
  const { threshold, expected } = ROUTER;
  const target = { max_risk: 0.05, confidence: 0.9 };
  expect(await reply.json()).toEqual({ target, threshold, expected });
  expect(service.calls.at(-1)).toMatchObject(["preview", { tenant: "default" }, target]);
  for (const good of ["backend_share=1", "budget_usd_per_1k=1e-7"])
    expect(await outcome(`/admin/router/preview?${good}`)).toEqual([200, null]);
  expect(service.calls.at(-1)![2]).toEqual({ budget_usd_per_1k: 1e-7 });
  const bad = ["", "max_risk=", "max_risk=-1", "max_risk=2", "max_risk=a", "max_risk=0x1"];
  bad.push("confidence=0.9", "max_risk=0.1&backend_share=0.1", "budget_usd_per_1k=1e99");
  for (const query of bad)
    expect(await outcome(`/admin/router/preview?${query}`), query).toEqual([
      ...[400, "invalid_request"],
    ]);
  const curves = (await (await call("/admin/router/curves")).json()) as { points: unknown[] };
  expect(curves.points).toEqual([{ threshold, ...expected, accuracy: 0.9 }]);
});

it("labels are shares and verdicts; without any the collected ones are meant", async () => {
  const { service, outcome } = startApi();
  const post = (json: unknown) => outcome("/admin/router/calibrate", { json });
  const labels = [{ difficulty: 0.2, wrong: true }];
  expect(await post({ labels, abstained: 3 })).toEqual([200, null]);
  expect(service.calls.at(-1)![2]).toEqual({
    ...{ labels, abstained: 3, replace: false, include_feedback: false },
  });
  expect(await post({ include_feedback: true })).toEqual([200, null]);
  expect(service.calls.at(-1)![2]).toEqual({
    ...{ labels: null, abstained: 0, replace: true, include_feedback: true },
  });
  const bad = [
    { labels: [{ difficulty: 1.2, wrong: true }] },
    { labels: [{ difficulty: 0.2, wrong: 1 }] },
    { labels, include_feedback: true },
    { abstained: 3 },
    { labels, abstained: -1 },
  ];
  for (const json of bad) expect(await post(json)).toEqual([400, "invalid_request"]);
});

it("null is as good as nothing", async () => {
  const { service, outcome } = startApi();
  const put = (json: unknown) => outcome("/admin/router", { method: "PUT", json });
  const none = { max_risk: null, confidence: null, budget_usd_per_1k: null };
  const rest = { shadow_rate: null, keep_text: false, auto_calibrate: null };
  expect(await put({ target: { ...none, backend_share: 0.5 }, ...rest })).toEqual([200, null]);
  const changes = { target: { backend_share: 0.5 }, keep_text: false };
  expect(service.calls.at(-1)![2]).toStrictEqual(changes);
  expect(await put({ target: null, shadow_rate: 0.5 })).toEqual([200, null]);
  expect(service.calls.at(-1)![2]).toStrictEqual({ shadow_rate: 0.5 });
  for (const nothing of [{ target: null }, { target: none }, { target: { confidence: 0.9 } }])
    expect(await put(nothing)).toEqual([400, "invalid_request"]);
  const nulls = { labels: null, abstained: null, replace: null, include_feedback: null };
  const calibrated = await outcome("/admin/router/calibrate", { json: nulls });
  expect(calibrated).toEqual([200, null]);
  expect(service.calls.at(-1)![2]).toEqual({
    ...{ labels: null, abstained: 0, replace: true, include_feedback: false },
  });
});

function model(rest: object = {}) {
  const one = { mean: 0, std: 1, weight: 0.5 };
  return {
    version: "difficulty-abc",
    weights: Object.fromEntries(FEATURES.map((name) => [name, one])),
    bias: 0.1,
    calibration: { version: "c", scores: [[0.5, 1]], abstained: 2 },
    ...rest,
  };
}

it("weights must fit the features, and are in use only when asked for", async () => {
  const { service, call, outcome } = startApi();
  const post = (json: unknown) => outcome("/admin/router/versions", { json });
  const reply = await call("/admin/router/versions", { json: { model: model() } });
  expect(await reply.json()).toEqual({
    ...{ version: "v1", weights_version: "difficulty-abc", active: false },
  });
  const more = { model: model({ provenance: { by: "me" } }), note: "mine", activate: true };
  expect(await post(more)).toEqual([200, null]);
  expect(service.calls.at(-1)![2]).toEqual({ model: model(), note: "mine", activate: true });
  const { bm25_top, ...fewer } = model().weights;
  const bad = [
    model({ weights: fewer }),
    model({ weights: { ...model().weights, extra: bm25_top } }),
    model({ weights: { ...model().weights, bm25_top: { ...bm25_top, std: 0 } } }),
    model({ bias: null }),
    model({ before: { weights: {}, bias: 0, floors: [] } }),
    model({ version: "v1" }),
    model({ version: "shipped" }),
    model({ calibration: { version: "c", scores: [[0.5, 2]], abstained: 0 } }),
    model({ calibration: undefined }),
  ];
  for (const one of bad) expect(await post({ model: one })).toEqual([400, "invalid_request"]);
});

it("a stage before reading has so many floors at most", async () => {
  const { outcome } = startApi();
  const one = { mean: 0, std: 1, weight: 0.5 };
  const weights = Object.fromEntries(QUESTION_FEATURES.map((name) => [name, one]));
  const post = (count: number) => {
    const floors = Array.from({ length: count }, (_, i) => {
      return { above: i / count, floor: (i + 1) / count };
    });
    const json = { model: model({ before: { weights, bias: 0, floors } }) };
    return outcome("/admin/router/versions", { json });
  };
  expect(await post(ROUTER_FLOORS_MAX)).toEqual([200, null]);
  expect(await post(ROUTER_FLOORS_MAX + 1)).toEqual([400, "invalid_request"]);
});

it("versions are listed, and a rollback names one that is there", async () => {
  const { call, outcome } = startApi();
  const { versions } = (await (await call("/admin/router/versions")).json()) as {
    versions: object[];
  };
  expect(versions).toMatchObject([{ version: "shipped", active: true }]);
  const back = (json: unknown) => outcome("/admin/router/rollback", { json });
  expect(await back({ version: "shipped" })).toEqual([200, null]);
  expect(await back({ version: "v9" })).toEqual([404, "not_found"]);
  expect(await back({})).toEqual([400, "invalid_request"]);
});

it("outcomes come in pages and can be forgotten", async () => {
  const { service, call, outcome } = startApi();
  const page = await (await call("/admin/router/outcomes?limit=5&cursor=9&labelled=true")).json();
  expect(page).toMatchObject({ outcomes: [{ label: { source: "backend" } }], cursor: "7" });
  expect(service.calls.at(-1)![2]).toEqual({ limit: 5, cursor: 9, labelled: true });
  for (const query of ["limit=0", "limit=201", "cursor=x", "labelled=yes"])
    expect(await outcome(`/admin/router/outcomes?${query}`)).toEqual([400, "invalid_request"]);
  const gone = await call("/admin/router/outcomes", { method: "DELETE" });
  expect(await gone.json()).toEqual({ deleted: 1 });
});

it("feedback takes an inference key, the rest an administrator's", async () => {
  const { service, call, outcome } = startApi();
  const json = { trace_id: TRACE, rating: "bad", correction: "3 May" };
  const reply = await call("/v1/feedback", { json, key: "brink-dev" });
  expect(await reply.json()).toEqual({ recorded: true, learned: null });
  expect(service.calls.at(-1)).toMatchObject([
    "feedback",
    { scopes: ["inference", "memory:write"] },
    json,
  ]);
  for (const [path, method] of [
    ["/admin/router", "GET"],
    ["/admin/router", "PUT"],
    ["/admin/router/calibrate", "POST"],
    ["/admin/router/versions", "POST"],
    ["/admin/router/rollback", "POST"],
    ["/admin/router/preview?max_risk=0.1", "GET"],
    ["/admin/router/curves", "GET"],
    ["/admin/router/outcomes", "GET"],
    ["/admin/router/outcomes", "DELETE"],
  ] as const) {
    const body = method === "GET" || method === "DELETE" ? {} : { json: {} };
    expect(await outcome(path, { method, key: "brink-dev", ...body }), path).toEqual([
      ...[403, "forbidden"],
    ]);
  }
});

it("feedback that says nothing, or too much, is refused", async () => {
  const { outcome } = startApi();
  const bad = [
    { rating: "good" },
    { trace_id: "x", rating: "good" },
    { trace_id: TRACE.toUpperCase(), rating: "good" },
    { trace_id: TRACE, rating: "fine" },
    { trace_id: TRACE, rating: "good", correction: "3 May" },
    { trace_id: TRACE, rating: "bad", correction: " " },
    { trace_id: TRACE, rating: "bad", correction: "x".repeat(4_001) },
  ];
  for (const json of bad)
    expect(await outcome("/v1/feedback", { json })).toEqual([400, "invalid_request"]);
});
