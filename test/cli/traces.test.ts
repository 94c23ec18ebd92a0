/** Traces from the command line, against a service over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { tracesList, tracesShow } from "../../cli/traces.ts";
import { showMs, waterfall } from "../../cli/waterfall.ts";
import { TRACE } from "../api/fake-traces.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const reply = (call: string, body: unknown) => service.canned.set(call, [{ status: 200, body }]);

it("traces are listed with how they ended, and filters go along", async () => {
  const failed = { ...TRACE, status: 504, error: "backend_timeout", engine: null, route: null };
  const query = "limit=5&route=backend&status=5xx&cursor=9&key=key-1&min_ms=100&since=0";
  reply(`GET /admin/traces?${query}`, { traces: [TRACE, failed], cursor: "7" });
  const { out } = await runCommand(tracesList, [], {
    ...{ url: service.url, limit: "5", route: "backend", status: "5xx", cursor: "9" },
    ...{ "key-id": "key-1", "min-ms": "100", since: "1970-01-01T00:00:00Z" },
  });
  expect(out).toContain("504 backend_timeout");
  expect(out).toMatch(/2026-\S+ \S+ +121 +200 +POST .* backend +backend:big +0.700/);
  expect(out).toContain("more: --cursor 7");
  reply("GET /admin/traces?limit=20", { traces: [], cursor: null });
  expect((await runCommand(tracesList, [], { url: service.url })).out).toBe("no traces");
  for (const since of ["soon", "-1d", "12"])
    await expect(runCommand(tracesList, [], { url: service.url, since })).rejects.toThrow(
      "--since",
    );
});

it("a time may be how long ago", async () => {
  const before = Date.now() - 2 * 3_600_000;
  await runCommand(tracesList, [], { url: service.url, since: "2h" }).catch(() => {});
  const since = Number(new URLSearchParams(service.calls[0]!.split("?")[1]).get("since"));
  expect(since - before).toBeGreaterThanOrEqual(0);
  expect(since - before).toBeLessThan(60_000);
});

it("a trace is shown with its decision, its cost and its stages on a time line", async () => {
  const texts = { question: "When?\u001b[2J", answer: "On 3 May." };
  reply(`GET /admin/traces/${TRACE.trace_id}`, { ...TRACE, texts });
  const { out } = await runCommand(tracesShow, [TRACE.trace_id], { url: service.url });
  expect(out).toContain("auto -> backend: backend:big (org/big)");
  expect(out).toContain("difficulty 0.700 > 0.400");
  expect(out).toContain("first token after 80.3 ms, 11 + 7 tokens, USD 0.000013");
  expect(out).toContain("On 3 May.");
  expect(out).not.toContain("\u001b");
  await expect(runCommand(tracesShow, [], { url: service.url })).rejects.toThrow("name one trace");
});

it("bars begin and end where their spans do, and children stand under their parents", () => {
  const child = { ...TRACE.spans[2]!, start_ms: 65, duration_ms: 55.5, error: "failed" };
  const [retrieve, backend] = TRACE.spans;
  // The child began before its parent's sibling was listed, and still stands under its parent.
  const drawn = waterfall({ ...TRACE, spans: [retrieve!, child, backend!], spans_dropped: 2 }, 100);
  const lines = drawn.split("\n");
  const names = lines.map((line) => line.trim().replace(/ {2,}.*$/, ""));
  expect(names).toEqual([
    ...["request", "retrieve", "backend", "attempt big (first)", "and 2 more that were not kept"],
  ]);
  expect(lines[3]).toMatch(/^ {2}attempt .* x+ failed$/);
  const spanOf = (line: string) => [line.search(/[█x│]/), line.search(/[█x│](?=[^█x│]*$)/) + 1];
  const [from, to] = spanOf(lines[0]!);
  const half = spanOf(lines[3]!);
  expect(half[0]! - from!).toBe(Math.floor(((to! - from!) * 65) / 120.5));
  expect(half[1]).toBe(to);
});

it("a circle among spans, and none at all, are drawn too", () => {
  const [a, b] = TRACE.spans.map((span) => ({ ...span }));
  a!.parent_id = b!.span_id;
  b!.parent_id = a!.span_id;
  expect(waterfall({ ...TRACE, spans: [a!, b!] }, 80).split("\n").length).toBe(1);
  expect(waterfall({ ...TRACE, spans: [], duration_ms: 0 }, 10)).toMatch(/^request .*│$/);
  expect([showMs(12.34), showMs(1_234)]).toEqual(["12.3 ms", "1.23 s"]);
});
