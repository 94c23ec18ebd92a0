import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { OTLP_REPLY_BYTES_MAX } from "../../src/limits.ts";
import { encodeTraces } from "../../src/pipeline/otlp.ts";
import { exportTraces } from "../../src/pipeline/otlp-export.ts";
import { TRACE } from "../api/fake-traces.ts";
import { endsAt } from "../support/byte-streams.ts";
import { attribute, type OtlpCollector, startCollector } from "../support/otlp-collector.ts";

let collector: OtlpCollector;
beforeEach(async () => {
  collector = await startCollector();
});
afterEach(() => {
  collector.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const OWN = { ...TRACE, tenant: "acme" };
const send = (traces = [OWN]) => {
  const headers = { authorization: "Basic abc", "x-data-set": "brink" };
  return exportTraces({ url: `${collector.url}/v1/traces`, headers, service: "brink" }, traces);
};

it("a trace goes out as the protocol has it, under its caller's own", async () => {
  expect(await send()).toEqual({ exported: 4, failed: 0 });
  expect(collector.faults).toEqual([]);
  expect(collector.headers[0]).toMatchObject({ authorization: "Basic abc", "x-data-set": "brink" });
  const [request, retrieve, backend, attempt] = collector.spans;
  expect(request).toMatchObject({
    ...{ traceId: TRACE.parent!.trace_id, parentSpanId: TRACE.parent!.span_id, kind: 2 },
    ...{ name: "POST /v1/chat/completions", status: { code: 0 } },
    ...{ startTimeUnixNano: "1790000000000000000", endTimeUnixNano: "1790000000120500000" },
  });
  expect(attribute(request!, "brink.trace")).toBe(TRACE.trace_id);
  expect(attribute(request!, "gen_ai.usage.input_tokens")).toBe("11");
  expect(attribute(request!, "gen_ai.provider.name")).toBe("big");
  expect(attribute(request!, "http.response.status_code")).toBe("200");
  expect(attribute(request!, "brink.cost_micro_usd")).toBe(12.5);
  expect(retrieve).toMatchObject({ parentSpanId: TRACE.span_id, kind: 1, name: "retrieve" });
  expect(attempt).toMatchObject({
    ...{ parentSpanId: backend!.spanId, kind: 3, name: "chat org/big" },
    status: { code: 2, message: "failed" },
  });
  expect(attribute(attempt!, "brink.kind")).toBe("first");
  expect(attribute(attempt!, "http.response.status_code")).toBe("500");
});

it("texts are never exported", () => {
  const texts = { question: "a secret question", answer: "a secret answer" };
  expect(JSON.stringify(encodeTraces([{ ...OWN, texts }], "brink"))).not.toContain("secret");
});

it("what may pass is tried once more, and what is refused is counted", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  collector.replies.push({ status: 503, headers: { "retry-after": "0" } });
  expect(await send()).toEqual({ exported: 4, failed: 0 });
  collector.replies.push({ status: 429, headers: { "retry-after": "60" } });
  expect(await send()).toEqual({ exported: 0, failed: 4 });
  collector.replies.push({ status: 400 }, { status: 200 });
  expect(await send()).toEqual({ exported: 0, failed: 4 });
  expect(collector.replies.length).toBe(1);
  collector.replies.length = 0;
  const partial = '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}';
  collector.replies.push({ status: 200, body: partial });
  expect(await send()).toEqual({ exported: 1, failed: 3 });
});

it.each([
  ["a date that has passed", new Date(0).toUTCString(), 2],
  ["nothing", undefined, 2],
  ["no time", "soon", 2],
  ["just what is worth it", "2", 2],
  ["a second more", "3", 0],
  ["a date in an hour", new Date(Date.now() + 3_600_000).toUTCString(), 0],
])("a collector that asks to wait for %s is asked again, or not", async (_, header, exported) => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const headers: Record<string, string> = header === undefined ? {} : { "retry-after": header };
  collector.replies.push({ status: 503, headers });
  expect((await send([{ ...OWN, spans: OWN.spans.slice(0, 1) }])).exported).toBe(exported);
});

it("a collector that is away, or leads elsewhere, throws nothing", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  collector.replies.push({ status: 307, headers: { location: `${collector.url}/elsewhere` } });
  expect(await send()).toEqual({ exported: 0, failed: 4 });
  expect(collector.headers.length).toBe(1);
  collector.close();
  expect(await send()).toEqual({ exported: 0, failed: 4 });
  expect(error.mock.calls.flat().join()).not.toContain("Basic abc");
});

it("of a reply so many bytes are read, and the rest is let go", async () => {
  const reply = async (bytes: number) => {
    const { body, seen } = endsAt(bytes, '{"partialSuccess":{"rejectedSpans":"3"}}');
    vi.stubGlobal("fetch", async () => new Response(body));
    return { ...(await send()), ...seen };
  };
  expect(await reply(OTLP_REPLY_BYTES_MAX)).toMatchObject({ exported: 1, failed: 3 });
  expect(await reply(OTLP_REPLY_BYTES_MAX + 1)).toEqual({
    ...{ exported: 4, failed: 0, bytes: OTLP_REPLY_BYTES_MAX, cancelled: true },
  });
});
