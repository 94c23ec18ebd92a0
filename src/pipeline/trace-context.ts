/** Ids of traces and spans, and the header that carries them (W3C Trace Context, level 1:
 *  https://www.w3.org/TR/trace-context/). */

/** Where a caller's own trace stands, of which the request is a part. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  trace_id: string;
  /** 16 of them. */
  span_id: string;
  sampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Null for none and for a malformed one, which by the specification begins a trace anew. */
export function parseTraceparent(header: string | undefined): TraceParent | null {
  const [, version, trace_id, span_id, flags, more] = TRACEPARENT.exec(header ?? "") ?? [];
  if (version === undefined || version === "ff") return null;
  if (version === "00" && more !== undefined) return null; // later versions may have more
  if (/^0+$/.test(trace_id!) || /^0+$/.test(span_id!)) return null;
  return { trace_id: trace_id!, span_id: span_id!, sampled: (parseInt(flags!, 16) & 1) === 1 };
}

export function formatTraceparent({ trace_id, span_id, sampled }: TraceParent): string {
  return `00-${trace_id}-${span_id}-${sampled ? "01" : "00"}`;
}

/** 32 hexadecimal digits, 122 bits of chance. */
export function newTraceId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** Whether a trace of that id belongs to a share of all, 0 to 1: by 48 of its random bits, so that
 *  whoever asks of the same id decides the same. */
export function isSampled(traceId: string, share: number): boolean {
  return parseInt(traceId.slice(-12), 16) < share * 2 ** 48;
}
