/** A request as a data point of Workers Analytics Engine. Its columns have numbers and no names:
 *  an order, once deployed, is never changed, only appended to (docs/watching.md lists it). */
import type { TraceSummary } from "../ledger/trace-types.ts";
import { DATA_POINT_BLOBS_BYTES_MAX, DATA_POINT_INDEX_BYTES_MAX } from "../limits.ts";

/** Written by the platform after the reply; what it cannot take, it drops. The tenant is the
 *  index, by which the platform samples. */
export function dataPointOf(tenant: string, summary: TraceSummary): AnalyticsEngineDataPoint {
  const { tokens } = summary;
  const blobs = [
    summary.endpoint,
    summary.route,
    summary.engine,
    summary.model,
    summary.error,
    summary.key,
    summary.namespace,
    summary.asked,
    summary.cache,
    summary.trace_id,
  ];
  return {
    indexes: [cutBytes(tenant, DATA_POINT_INDEX_BYTES_MAX)],
    blobs: blobs.map((blob) => cutBytes(blob ?? "", DATA_POINT_BLOBS_BYTES_MAX / blobs.length)),
    doubles: [
      summary.duration_ms,
      summary.first_token_ms ?? -1,
      summary.status,
      tokens?.prompt ?? 0,
      tokens?.completion ?? 0,
      summary.cost_micro_usd ?? 0,
      summary.difficulty ?? -1,
      summary.stream ? 1 : 0,
    ],
  };
}

/** The start of a text that has at most so many bytes. */
function cutBytes(text: string, bytesMax: number): string {
  const bytes = new Uint8Array(bytesMax);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
