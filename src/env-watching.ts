/** What is kept of requests and who is told, read from a deployment's variables and checked. */
import { refuseAddress } from "./env-address.ts";
import { type NumberVariable, readNumberVariable } from "./env-number.ts";
import { ServiceError } from "./errors.ts";
import { OTLP_HEADERS_CHARS_MAX, OTLP_HEADERS_MAX, OTLP_SERVICE_CHARS_MAX } from "./limits.ts";

export interface WatchingVariables {
  /** The share of requests whose traces are kept and exported, 0 to 1; 1 where absent. Failed ones
   *  (5xx) always are. */
  BRINK_TRACE_SAMPLE?: NumberVariable;
  /** `redacted`: traces keep questions and answers, redacted and cut. `off`, the default. */
  BRINK_TRACE_TEXT?: string;
  /** `all`, the default: a line a request. `errors`: for those alone that failed (5xx). */
  BRINK_LOG?: string;
  /** `redacted`: lines have questions and answers too. `off`, the default. */
  BRINK_LOG_TEXT?: string;
  /** OpenTelemetry's own names: where traces are exported to over OTLP/HTTP, and with what
   *  headers (NAME=VALUE, separated by commas, values percent-encoded). */
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?: string;
  OTEL_EXPORTER_OTLP_HEADERS?: string;
  OTEL_SERVICE_NAME?: string;
  /** A data set of Workers Analytics Engine; absent where none is bound. */
  ANALYTICS?: AnalyticsEngineDataset;
}

export interface OtlpConfig {
  url: string;
  headers: Record<string, string>;
  service: string;
}

export interface WatchingConfig {
  sample: number;
  traceText: boolean;
  log: "all" | "errors";
  logText: boolean;
  /** Null where no collector is configured. */
  otlp: OtlpConfig | null;
}

/** Throws `misconfigured` naming the variable and what it may be. */
export function readWatching(variables: WatchingVariables, local: boolean): WatchingConfig {
  const { BRINK_TRACE_SAMPLE, BRINK_TRACE_TEXT, BRINK_LOG, BRINK_LOG_TEXT } = variables;
  const sample = readNumberVariable(BRINK_TRACE_SAMPLE) ?? 1;
  if (!(sample >= 0 && sample <= 1)) throw wrong("BRINK_TRACE_SAMPLE must be a share from 0 to 1");
  return {
    sample,
    traceText: choice("BRINK_TRACE_TEXT", BRINK_TRACE_TEXT, ["off", "redacted"]) === "redacted",
    log: choice("BRINK_LOG", BRINK_LOG, ["all", "errors"]),
    logText: choice("BRINK_LOG_TEXT", BRINK_LOG_TEXT, ["off", "redacted"]) === "redacted",
    otlp: readOtlp(variables, local),
  };
}

/** The first of `all` where nothing is set. */
function choice<T extends string>(name: string, value: string | undefined, all: readonly T[]): T {
  const chosen = all.find((one) => one === (value || all[0]));
  if (chosen !== undefined) return chosen;
  throw wrong(`${name} must be ${all.join(" or ")}`);
}

/** The endpoint is a base to which /v1/traces is added; that of traces alone is used as it is. */
function readOtlp(variables: WatchingVariables, local: boolean): OtlpConfig | null {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = variables;
  if (!base && !own) return null;
  const name = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
  const url = URL.parse(own || base!);
  const why = url === null ? "must be an http or https URL" : refuseAddress(url, local);
  if (why !== null) throw wrong(`${name} ${why}`);
  if (!own) url!.pathname = `${url!.pathname.replace(/(?<!\/)\/+$/, "")}/v1/traces`;
  const service = variables.OTEL_SERVICE_NAME || "brink";
  if (service.length > OTLP_SERVICE_CHARS_MAX)
    throw wrong(`OTEL_SERVICE_NAME has more than ${OTLP_SERVICE_CHARS_MAX} characters`);
  return { url: url!.href, headers: readHeaders(variables.OTEL_EXPORTER_OTLP_HEADERS), service };
}

/** What a header's name may be made of (RFC 9110, token), and its value. */
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER_VALUE = /^[\x20-\x7e]*$/;
/** Brink's own to set. */
const OWN_HEADERS = ["content-type", "content-length", "host", "connection"];

function readHeaders(text = ""): Record<string, string> {
  const at = "OTEL_EXPORTER_OTLP_HEADERS";
  if (text.length > OTLP_HEADERS_CHARS_MAX)
    throw wrong(`${at} has more than ${OTLP_HEADERS_CHARS_MAX} characters`);
  const pairs = text.split(",").filter((pair) => pair.trim() !== "");
  if (pairs.length > OTLP_HEADERS_MAX) throw wrong(`${at} has more than ${OTLP_HEADERS_MAX}`);
  const headers: Record<string, string> = {};
  for (const [i, pair] of pairs.entries()) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, equals)).trim().toLowerCase();
    const value = decode(pair.slice(equals + 1).trim());
    // The value is most likely a secret: the message tells its place alone.
    if (!HEADER_NAME.test(name) || value === null || !HEADER_VALUE.test(value))
      throw wrong(`${at}: entry ${i + 1} is no NAME=VALUE with a percent-encoded value`);
    if (OWN_HEADERS.includes(name)) throw wrong(`${at} may not set ${name}`);
    headers[name] = value;
  }
  return headers;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function wrong(fact: string): ServiceError {
  return new ServiceError("misconfigured", fact);
}
