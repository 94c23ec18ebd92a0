/** A collector of OpenTelemetry on loopback that holds what it gets to the protocol's JSON mapping
 *  (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). What breaks it is answered
 *  with 400 and kept in `faults`. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { OtlpSpan } from "../../src/pipeline/otlp.ts";

export interface OtlpCollector {
  url: string;
  spans: OtlpSpan[];
  faults: string[];
  headers: IncomingHttpHeaders[];
  /** What to answer instead, first come first served. */
  replies: { status: number; body?: string; headers?: Record<string, string> }[];
  close(): void;
}

export async function startCollector(): Promise<OtlpCollector> {
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    collector.headers.push(request.headers);
    const reply = collector.replies.shift();
    if (reply !== undefined)
      return void response.writeHead(reply.status, reply.headers).end(reply.body ?? "");
    const before = collector.faults.length;
    const at = (ok: boolean, what: string) => ok || collector.faults.push(what);
    at(
      request.method === "POST" && request.url === "/v1/traces",
      `${request.method} ${request.url}`,
    );
    at(request.headers["content-type"] === "application/json", "content-type");
    collector.spans.push(...spansOf(JSON.parse(Buffer.concat(chunks).toString()), at));
    const status = collector.faults.length > before ? 400 : 200;
    response.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
  const collector: OtlpCollector = {
    ...{ url: "", spans: [], faults: [], headers: [], replies: [] },
    close() {
      http.closeAllConnections();
      http.close();
    },
  };
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  collector.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return collector;
}

type Check = (ok: boolean, what: string) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: what comes may have any shape
type Any = any;

function spansOf(body: Any, at: Check): OtlpSpan[] {
  only(body, ["resourceSpans"], "request", at);
  return body.resourceSpans.flatMap((resource: Any) => {
    only(resource, ["resource", "scopeSpans"], "resourceSpans", at);
    checkAttributes(resource.resource.attributes, at);
    const names = resource.resource.attributes.map(({ key }: Any) => key);
    at(names.includes("service.name"), "no service.name");
    return resource.scopeSpans.flatMap((scope: Any) => {
      only(scope, ["scope", "spans"], "scopeSpans", at);
      at(typeof scope.scope.name === "string", "scope.name");
      for (const span of scope.spans) checkSpan(span, at);
      return scope.spans;
    });
  });
}

const SPAN_FIELDS = [
  ...["traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano"],
  ...["endTimeUnixNano", "attributes", "droppedAttributesCount", "status"],
];

function checkSpan(span: Any, at: Check): void {
  only(span, SPAN_FIELDS, "span", at);
  at(/^[0-9a-f]{32}$/.test(span.traceId) && !/^0+$/.test(span.traceId), "traceId");
  at(/^[0-9a-f]{16}$/.test(span.spanId) && !/^0+$/.test(span.spanId), "spanId");
  at(span.parentSpanId === undefined || /^[0-9a-f]{16}$/.test(span.parentSpanId), "parentSpanId");
  at(typeof span.name === "string" && span.name !== "", "name");
  at([1, 2, 3, 4, 5].includes(span.kind), "kind is a number of the enumeration");
  for (const time of [span.startTimeUnixNano, span.endTimeUnixNano])
    at(typeof time === "string" && /^\d{19}$/.test(time), `time ${time}`);
  at(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), "it ends before it starts");
  at([0, 1, 2].includes(span.status.code), "status.code is a number of the enumeration");
  checkAttributes(span.attributes, at);
}

function checkAttributes(attributes: Any[], at: Check): void {
  const keys = attributes.map(({ key }) => key);
  at(new Set(keys).size === keys.length, `a key twice among ${keys}`);
  for (const { key, value } of attributes) {
    const [[kind, held] = [], ...more] = Object.entries(value) as [string, unknown][];
    at(typeof key === "string" && key !== "" && more.length === 0, `attribute ${key}`);
    const fits =
      (kind === "stringValue" && typeof held === "string") ||
      (kind === "boolValue" && typeof held === "boolean") ||
      (kind === "doubleValue" && typeof held === "number") ||
      (kind === "intValue" && typeof held === "string" && /^-?\d+$/.test(held));
    at(fits, `attribute ${key}: ${JSON.stringify(value)}`);
  }
}

function only(value: Any, names: string[], what: string, at: Check): void {
  const more = Object.keys(value).filter((name) => !names.includes(name));
  at(more.length === 0, `${what} has ${more}`);
}

/** An attribute's value, whatever its kind. */
export function attribute(span: OtlpSpan, key: string): unknown {
  const value = span.attributes.find((one) => one.key === key)?.value;
  return value && Object.values(value)[0];
}
