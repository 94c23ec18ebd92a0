/** `brink doctor` against a service that is well, and one that is not, over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Check } from "../../cli/check.ts";
import type { Values } from "../../cli/command.ts";
import { doctor } from "../../cli/doctor.ts";
import { readSamples } from "../../cli/metrics.ts";
import { runBrink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const INVALID_JSON = { error: { message: "no JSON", code: "invalid_json" } };
const FORBIDDEN = { error: { message: "needs another scope", code: "forbidden" } };
const MODELS = [
  { id: "brink-reader", kind: "edge" },
  { id: "all-MiniLM-L6-v2", kind: "encoder", kernels: { gemm_i8: "relaxed" } },
  { id: "brink-reranker", kind: "reranker" },
];
const METRICS = `# TYPE brink_backend_circuit gauge
brink_backend_circuit{backend="main"} 0
brink_router_drift_alarm{test="risk"} 0
brink_ledger_failures_total 0
`;

/** A service that is well, but for the replies given. */
function serve(changes: Record<string, [status: number, body: unknown]> = {}): void {
  const well: typeof changes = {
    "GET /healthz": [200, { status: "ok", detail: "ok" }],
    "POST /v1/embeddings": [400, INVALID_JSON],
    "POST /v1/memory/remember": [400, INVALID_JSON],
    "POST /admin/keys": [400, INVALID_JSON],
    "GET /v1/models": [200, { data: MODELS }],
    "GET /admin/metrics": [200, METRICS],
    "GET /admin/models": [200, { models: [] }],
    "GET /admin/namespaces": [200, { namespaces: [{ name: "hr" }] }],
    "GET /admin/namespaces/hr/stats": [200, { passages: 7, work: null }],
    "GET /admin/namespaces/hr/snapshots": [200, { snapshots: [] }],
  };
  for (const [call, [status, body]] of Object.entries({ ...well, ...changes }))
    service.canned.set(call, [
      { status, body },
      { status, body }, // namespaces are asked for twice: for the scope, and for the list
    ]);
}

async function examine(values: Values = {}) {
  const asked = { url: service.url, profile: undefined, json: true, ...values };
  const { result } = await runCommand(doctor, [], asked);
  const { ok, checks } = result as { ok: boolean; checks: Check[] };
  expect(doctor.exitCode!(result)).toBe(ok ? 0 : 1);
  return { ok, checks, of: (name: string) => checks.find((check) => check.name === name) };
}

it("a service that is well has no failure, and the lines say so", async () => {
  serve();
  const { code, out } = await runBrink(["doctor"], { BRINK_URL: service.url });
  expect(out).toMatch(/^ok +service +http.* is ready \(BRINK_URL\)$/m);
  expect(out).toMatch(/^ok +key +brink-admin has admin$/m);
  expect(out).toMatch(/^ok +backends +circuits: main closed$/m);
  expect(out).toMatch(/^ok +namespaces +1, 7 passages$/m);
  expect(out).toMatch(/0 fail$/m);
  expect(code).toBe(0);
  expect(service.calls.every((call) => !/^(PUT|PATCH|DELETE)/.test(call))).toBe(true);
  // What a key's rate counts.
  expect(service.calls.filter((call) => call.startsWith("POST /v1/"))).toHaveLength(2);
});

it("what is wrong is told with what to do, and exits with 1", async () => {
  const bad = `brink_backend_circuit{backend="main"} 2
brink_router_drift_alarm{test="risk"} 1
brink_ledger_failures_total 4
`;
  serve({
    "GET /v1/models": [200, { data: MODELS.slice(1) }],
    "GET /admin/metrics": [200, bad],
    "GET /admin/namespaces/hr/stats": [
      200,
      { passages: 7, work: { kind: "split", error: "memory_full" } },
    ],
    "GET /admin/namespaces/hr/snapshots": [
      503,
      { error: { message: "none", code: "snapshots_not_configured" } },
    ],
  });
  const { ok, checks, of } = await examine();
  expect(ok).toBe(false);
  expect(of("models")).toMatchObject({ state: "fail", detail: "there is no edge" });
  expect(of("backends")).toMatchObject({ state: "fail", detail: "circuits: main open" });
  expect(of("router")).toMatchObject({ state: "warn", detail: "drift alarm: risk" });
  expect(of("ledger")).toMatchObject({ state: "warn" });
  expect(of("memory hr")).toMatchObject({
    state: "warn",
    detail: "a split fails: memory_full",
  });
  expect(of("snapshots")).toMatchObject({ state: "ok" });
  for (const { state, remedy } of checks) expect(remedy === null).toBe(state === "ok");
});

it("a key is told by its scopes, and what it may not see is not called a failure", async () => {
  serve({
    "POST /v1/memory/remember": [403, FORBIDDEN],
    "POST /admin/keys": [403, FORBIDDEN],
    "GET /admin/namespaces": [403, FORBIDDEN],
  });
  const { ok, of } = await examine();
  expect(ok).toBe(true);
  expect(of("key")).toMatchObject({ state: "ok", detail: "brink-admin has inference" });
  expect(of("inside")).toMatchObject({ state: "warn" });
});

it("what a tenant's key may not see, and what could not be read, is not called well", async () => {
  const drift = 'brink_router_drift_alarm{test="risk"} 0\nbrink_metrics_parts_failed 0\n';
  serve({ "GET /admin/metrics": [200, drift], "GET /admin/models": [403, FORBIDDEN] });
  const tenant = await examine();
  expect([tenant.ok, tenant.of("router")!.state]).toEqual([true, "ok"]);
  for (const name of ["backends", "ledger", "model store"])
    expect(tenant.of(name)).toMatchObject({
      state: "warn",
      detail: expect.stringContaining("not looked at"),
    });
  const figures = "brink_ledger_failures_total 0\nbrink_metrics_parts_failed 1\n";
  serve({ "GET /admin/metrics": [200, figures] });
  const partial = await examine();
  expect(partial.of("figures")).toMatchObject({ detail: "1 parts could not be read" });
  expect(partial.of("router")).toMatchObject({
    state: "warn",
    detail: "not looked at: its figures are missing",
  });
  expect([partial.of("backends")!.state, partial.of("ledger")!.state]).toEqual(["ok", "ok"]);
  serve({ "GET /admin/metrics": [500, { error: { message: "a bug", code: "internal" } }] });
  const none = await examine();
  expect([none.ok, none.of("backends"), none.of("figures")!.detail]).toEqual([
    ...[false, undefined, "a bug: backends, router and ledger are not looked at"],
  ]);
});

it("an unknown key, no service, and a service that is another are failures", async () => {
  serve();
  const unknown = await examine({ key: "brink-0123456789" });
  expect(unknown.of("service")).toMatchObject({ state: "fail" }); // the double asks for a key there
  const nobody = await examine({ url: "http://127.0.0.1:9" });
  expect(nobody.ok).toBe(false);
  expect(nobody.of("service")!.detail).toContain("does not answer");
  expect(nobody.of("key")).toBeUndefined();
  serve({ "GET /healthz": [404, "nothing here"] });
  const other = await examine();
  expect(other.of("service")).toMatchObject({ state: "fail" });
  for (const status of [200, 403, 404, 501]) {
    serve({ "GET /healthz": [status, "<html>\n<p>welcome\n</html>"] });
    const { checks } = await examine();
    const found = checks.find(({ name }) => name === "service")!;
    expect(found.detail).toBe(
      `${service.url} (--url) answered ${status}, and it is no Brink: look at --url`,
    );
    expect([found.state, checks.at(-1)]).toEqual(["fail", found]); // nothing else is asked of it
  }
  const refused = { error: { message: "the key is unknown", code: "invalid_key" } };
  serve({ "POST /admin/keys": [401, refused] });
  const { ok, of } = await examine();
  expect([ok, of("key")!.detail]).toEqual([false, "brink-admin: the key is unknown"]);
});

it("a clock that is far off is told", async () => {
  serve();
  const date = new Date(Date.now() - 3_600_000).toUTCString();
  service.canned.set("GET /healthz", [{ status: 200, body: { status: "ok" }, headers: { date } }]);
  expect((await examine()).of("clock")!.detail).toMatch(/^this machine is 360\d s ahead$/);
});

it("figures are read with their labels, and what is no figure is skipped", () => {
  const text = '# HELP a b\na{x="1\\"2",y="z"} 3.5\n\nb_total 7\nnot a sample at all\n';
  expect(readSamples(text)).toEqual([
    { name: "a", labels: { x: '1"2', y: "z" }, value: 3.5 },
    { name: "b_total", labels: {}, value: 7 },
  ]);
});
