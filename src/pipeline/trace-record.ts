/** A finished request as it is remembered and told. */
import type { TraceRecord, TraceSpan, TraceSummary } from "../ledger/trace-types.ts";
import { TRACE_ATTRIBUTE_CHARS_MAX, TRACE_PASSAGES_MAX } from "../limits.ts";
import { FIXED_KEY } from "./meter.ts";
import { redact } from "./redact.ts";
import type { Span, Trace } from "./trace.ts";

/** Where no endpoint takes the path. */
export const OTHER_ENDPOINT = "other";

/** No text of the request's or of the answer's is in it. */
export function summaryOf(trace: Trace): TraceSummary {
  const { answered, reply, tokens, caller, failure } = trace;
  const outcome = answered?.outcome;
  const report = answered?.report ?? reply?.report();
  return {
    trace_id: trace.id,
    at: trace.at,
    duration_ms: round(trace.durationMs ?? trace.now()),
    endpoint: trace.endpoint ?? OTHER_ENDPOINT,
    status: trace.status,
    error: failure?.code ?? null,
    key: caller?.key?.id ?? FIXED_KEY,
    namespace: cut(outcome?.namespace ?? trace.namespace),
    stream: trace.stream,
    first_token_ms: trace.firstTokenMs === null ? null : round(trace.firstTokenMs),
    asked: cut(outcome?.asked ?? trace.asked),
    route: report?.route ?? null,
    engine: cut(report?.engine ?? null),
    model: cut(reply?.model ?? answered?.model ?? trace.model),
    difficulty: report?.difficulty ?? null,
    cache: trace.cache,
    tokens,
    cost_micro_usd: tokens !== null && trace.priced ? trace.nanos / 1_000 : null,
  };
}

/** With `texts`, the question and the answer are in it too, redacted. */
export function recordOf(trace: Trace, { texts }: { texts: boolean }): TraceRecord {
  const { answered, parent } = trace;
  const passages = answered?.outcome.passages.slice(0, TRACE_PASSAGES_MAX) ?? [];
  return {
    ...summaryOf(trace),
    decision: decisionOf(trace),
    passages: passages.map(({ document_id, passage_id }) => ({ document_id, passage_id })),
    notes: answered?.outcome.notes ?? [],
    span_id: trace.rootSpan,
    parent: parent === null ? null : { trace_id: parent.trace_id, span_id: parent.span_id },
    spans: trace.spans.map(describeSpan),
    spans_dropped: trace.spansDropped,
    texts: texts ? textsOf(trace) : null,
  };
}

/** The question and the answer, redacted and cut; null where there was no answer. */
export function textsOf({ answered }: Trace): { question: string; answer: string } | null {
  if (answered === null) return null;
  const { question, text } = answered.outcome;
  return { question: redact(question), answer: redact(text) };
}

function decisionOf({ answered, reply }: Trace): TraceRecord["decision"] {
  const report = answered?.report ?? reply?.report();
  if (report === undefined) return null;
  const { before = null, edge = null } = answered?.work ?? {};
  return {
    reason: report.reason,
    wanted: report.wanted ?? null,
    difficulty_before: report.difficulty_before ?? null,
    difficulty_prior: report.difficulty_prior ?? null,
    threshold: edge?.threshold ?? before?.threshold ?? -1,
    weights_version: answered?.outcome.weights_version ?? "",
    features: (edge === null ? before?.features : edge.features) ?? null,
    contributions: (edge === null ? before?.contributions : edge.contributions) ?? null,
  };
}

function describeSpan({ id, parent, name, startMs, endMs, error, attributes }: Span): TraceSpan {
  const entries = Object.entries(attributes).map(([attribute, value]) => {
    const kept = typeof value === "string" ? cut(value)! : value;
    return [attribute, typeof kept === "number" ? round(kept) : kept];
  });
  return {
    span_id: id,
    parent_id: parent,
    name,
    start_ms: round(startMs),
    duration_ms: round(Math.max(0, (endMs ?? startMs) - startMs)),
    error,
    attributes: Object.fromEntries(entries),
  };
}

/** To a hundredth. */
function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

function cut<T extends string | null>(text: T): T {
  return text === null ? text : (text.slice(0, TRACE_ATTRIBUTE_CHARS_MAX).toWellFormed() as T);
}
