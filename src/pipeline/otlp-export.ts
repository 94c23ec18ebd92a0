/** Sends traces to a collector over OTLP/HTTP. */
import { readRetryAfterMs } from "../engine/backend-retry.ts";
import type { OtlpConfig } from "../env-watching.ts";
import { OTLP_MS_MAX, OTLP_REPLY_BYTES_MAX, OTLP_RETRY_MS, OTLP_RETRY_MS_MAX } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { encodeTraces } from "./otlp.ts";
import type { ExportResult, TenantTrace } from "./trace-log.ts";

/** Those that the protocol says may pass. */
const MAY_PASS = [429, 502, 503, 504];

/** Never throws: what the collector did not take is counted. It is asked twice at most, within
 *  OTLP_MS_MAX each. Redirects are not followed: they would take the headers to a host that nobody
 *  configured. */
export async function exportTraces(
  config: OtlpConfig,
  records: readonly TenantTrace[],
): Promise<ExportResult> {
  const spans = records.reduce((sum, record) => sum + record.spans.length + 1, 0);
  const body = JSON.stringify(encodeTraces(records, config.service));
  try {
    let reply = await post(config, body);
    const { retryMs } = reply;
    if (retryMs !== null) {
      await new Promise((done) => setTimeout(done, retryMs));
      reply = await post(config, body);
    }
    if (!reply.ok) throw new Error(`it answered ${reply.status}`);
    const failed = Math.min(spans, reply.rejected);
    return { exported: spans - failed, failed };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    logEvent("traces not exported", detail);
    return { exported: 0, failed: spans };
  }
}

interface Reply {
  ok: boolean;
  status: number;
  /** Spans that it did not take. */
  rejected: number;
  /** After which it may be asked again; null: not at all. */
  retryMs: number | null;
}

async function post({ url, headers }: OtlpConfig, body: string): Promise<Reply> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(OTLP_MS_MAX),
  });
  const text = await readStart(response);
  const { ok, status } = response;
  const retryMs = MAY_PASS.includes(status) ? pauseMs(response.headers.get("retry-after")) : null;
  return { ok, status, rejected: ok ? rejectedOf(text) : 0, retryMs };
}

/** Null where the collector asks for a longer wait than is worth it. */
function pauseMs(retryAfter: string | null): number | null {
  const ms = readRetryAfterMs(retryAfter, Date.now()) ?? OTLP_RETRY_MS;
  return ms <= OTLP_RETRY_MS_MAX ? ms : null;
}

/** `{"partialSuccess": {"rejectedSpans": "3"}}`, in a reply that is otherwise a success. */
function rejectedOf(text: string): number {
  try {
    const reply = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: unknown } };
    const count = Number(reply.partialSuccess?.rejectedSpans ?? 0);
    return Number.isFinite(count) ? Math.max(0, count) : 0;
  } catch {
    return 0; // a collector may answer with nothing
  }
}

/** OTLP_REPLY_BYTES_MAX of it, or a little more. */
async function readStart(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  for (let length = 0; length < OTLP_REPLY_BYTES_MAX; ) {
    const { done, value } = await reader.read();
    if (done) return text;
    length += value.byteLength;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text;
}
