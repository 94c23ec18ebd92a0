/** Traces in OpenTelemetry's protocol, as JSON: the mapping of proto3 with its three exceptions,
 *  that ids are hexadecimal, enumerations are numbers, and 64-bit integers are decimal texts.
 *  Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Attributes have the
 *  names of the semantic conventions where those have one (gen_ai.*, http.*, error.type), and
 *  brink.* otherwise. No text of a request or an answer is among them. */
import type { TraceRecord, TraceSpan } from "../ledger/trace-types.ts";
import type { TenantTrace } from "./trace-log.ts";

/** What the edge's own engines are by. */
const EDGE_PROVIDER = "brink";

interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
}

interface KeyValue {
  key: string;
  value: AnyValue;
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  droppedAttributesCount?: number;
  status: { code: number; message?: string };
}

export interface ExportTraceServiceRequest {
  resourceSpans: {
    resource: { attributes: KeyValue[] };
    scopeSpans: { scope: { name: string }; spans: OtlpSpan[] }[];
  }[];
}

const KIND = { internal: 1, server: 2, client: 3 };
const STATUS = { unset: 0, error: 2 };

type Facts = Record<string, string | number | boolean | null | undefined>;

export function encodeTraces(
  records: readonly TenantTrace[],
  service: string,
): ExportTraceServiceRequest {
  const spans = records.flatMap((record) => [
    requestSpan(record),
    ...record.spans.map((span) => stageSpan(record, span)),
  ]);
  const resource = { attributes: attributesOf({ "service.name": service }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "brink" }, spans }] }] };
}

/** The request as a server's span. */
function requestSpan(record: TenantTrace): OtlpSpan {
  const { endpoint, status, error, parent, decision, tokens } = record;
  const [method, path] = endpoint.split(" ");
  return {
    traceId: sharedId(record),
    spanId: record.span_id,
    ...(parent === null ? {} : { parentSpanId: parent.span_id }),
    name: endpoint,
    kind: KIND.server,
    ...times(record, 0, record.duration_ms),
    attributes: attributesOf({
      "http.request.method": path === undefined ? undefined : method,
      "http.route": path,
      "http.response.status_code": status,
      "error.type": error,
      "gen_ai.operation.name": operationOf(path),
      "gen_ai.provider.name": record.engine === null ? undefined : providerOf(record.engine),
      "gen_ai.request.model": record.asked,
      "gen_ai.response.model": record.model,
      "gen_ai.usage.input_tokens": tokens?.prompt,
      "gen_ai.usage.output_tokens": tokens?.completion,
      "brink.trace": record.trace_id,
      "brink.tenant": record.tenant,
      "brink.key": record.key,
      "brink.namespace": record.namespace,
      "brink.route": record.route,
      "brink.engine": record.engine,
      "brink.difficulty": double(record.difficulty),
      "brink.threshold": double(decision?.threshold),
      "brink.reason": decision?.reason,
      "brink.cache": record.cache,
      "brink.cost_micro_usd": double(record.cost_micro_usd),
      "brink.first_token_ms": double(record.first_token_ms),
    }),
    status: statusOf(status >= 500 || (status < 400 && error !== null) ? error : null),
  };
}

function stageSpan(record: TraceRecord, span: TraceSpan): OtlpSpan {
  const attempt = span.name === "attempt";
  const { backend } = span.attributes;
  const facts: Facts = attempt
    ? {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": providerOf(`backend:${backend}`),
      }
    : {};
  const own = Object.entries(span.attributes).map(([name, value]) => {
    return [name.includes(".") ? name : `brink.${name}`, value];
  });
  return {
    traceId: sharedId(record),
    spanId: span.span_id,
    parentSpanId: span.parent_id ?? record.span_id,
    name: attempt ? `chat ${span.attributes["gen_ai.request.model"]}` : span.name,
    kind: attempt ? KIND.client : KIND.internal,
    ...times(record, span.start_ms, span.duration_ms),
    attributes: attributesOf({
      ...facts,
      ...Object.fromEntries(own),
      "error.type": span.error,
    }),
    status: statusOf(span.error),
  };
}

/** The caller's trace where it sent one. */
function sharedId({ parent, trace_id }: TraceRecord): string {
  return parent?.trace_id ?? trace_id;
}

/** Unix ns have 19 digits, which a double does not hold: ms and ns apart are exact. */
function times({ at }: TraceRecord, startMs: number, durationMs: number) {
  return {
    startTimeUnixNano: nanosOf(at, startMs),
    endTimeUnixNano: nanosOf(at, startMs + durationMs),
  };
}

function nanosOf(unixMs: number, ms: number): string {
  return (BigInt(unixMs) * 1_000_000n + BigInt(Math.round(ms * 1e6))).toString();
}

function operationOf(path = ""): string | undefined {
  if (path === "/v1/chat/completions" || path === "/v1/responses") return "chat";
  return path === "/v1/embeddings" ? "embeddings" : undefined;
}

function providerOf(engine: string): string {
  return engine.startsWith("backend:") ? engine.slice("backend:".length) : EDGE_PROVIDER;
}

function statusOf(error: string | null): OtlpSpan["status"] {
  return error === null ? { code: STATUS.unset } : { code: STATUS.error, message: error };
}

/** Kept a double where it happens to be whole: a column has one type. */
function double(value: number | null | undefined): { double: number } | undefined {
  return value == null ? undefined : { double: value };
}

function attributesOf(facts: Record<string, Facts[string] | { double: number }>): KeyValue[] {
  return Object.entries(facts).flatMap(([key, value]) => {
    if (value == null) return [];
    return [{ key, value: anyValue(value) }];
  });
}

function anyValue(value: string | number | boolean | { double: number }): AnyValue {
  if (typeof value === "object") return { doubleValue: value.double };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
