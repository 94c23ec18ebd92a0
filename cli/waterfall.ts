/** A request's spans on a time line, in characters. */
import type { TraceRecord, TraceSpan } from "../src/ledger/trace-types.ts";
import { oneLine } from "./table.ts";

const NAME_CHARS_MAX = 34;
const TIMES_CHARS = 22;
const LINE_CHARS_MIN = 20;

/** A line a span, children under their parent: name, start, duration, and a bar from start to end.
 *  `width` is the terminal's, in characters. */
export function waterfall(trace: TraceRecord, width: number): string {
  const rows = ordered(trace.spans).map(({ span, depth }) => {
    return { span, name: `${"  ".repeat(depth)}${nameOf(span)}`.slice(0, NAME_CHARS_MAX) };
  });
  const nameChars = Math.max(7, ...rows.map(({ name }) => name.length));
  const chars = Math.max(LINE_CHARS_MIN, width - nameChars - TIMES_CHARS - 2);
  const totalMs = Math.max(trace.duration_ms, ...trace.spans.map(endOf), 0.01);
  const line = (name: string, startMs: number, ms: number, error: string | null) => {
    const times = `${showMs(startMs).padStart(9)}  ${showMs(ms).padStart(9)}`;
    const failed = error === null ? "" : ` ${oneLine(error)}`;
    const drawn = bar(startMs / totalMs, (startMs + ms) / totalMs, chars, failed !== "");
    return `${name.padEnd(nameChars)} ${times}  ${drawn}${failed}`.trimEnd();
  };
  const lines = [
    line("request", 0, trace.duration_ms, null),
    ...rows.map(({ span, name }) => line(name, span.start_ms, span.duration_ms, span.error)),
  ];
  if (trace.spans_dropped > 0) lines.push(`and ${trace.spans_dropped} more that were not kept`);
  return lines.join("\n");
}

/** `12.3 ms`, `1.23 s`. */
export function showMs(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}

/** Every span once, after its parent, in the order in which they began; one whose parent is not
 *  there stands at the top. */
function ordered(spans: readonly TraceSpan[]): { span: TraceSpan; depth: number }[] {
  const ids = new Set(spans.map(({ span_id }) => span_id));
  const under = Map.groupBy(spans, ({ parent_id }) =>
    parent_id !== null && ids.has(parent_id) ? parent_id : null,
  );
  const rows: { span: TraceSpan; depth: number }[] = [];
  const visit = (parent: string | null, depth: number) => {
    const children = under.get(parent) ?? [];
    under.delete(parent); // a circle, which no service makes, ends here
    for (const span of children) {
      rows.push({ span, depth });
      visit(span.span_id, depth + 1);
    }
  };
  visit(null, 0);
  return rows;
}

function nameOf({ name, attributes: { backend, kind } }: TraceSpan): string {
  return oneLine(backend === undefined ? name : `${name} ${backend} (${kind})`);
}

function endOf({ start_ms, duration_ms }: TraceSpan): number {
  return start_ms + duration_ms;
}

/** From one share of the line to another; what took no time is a mark. */
function bar(from: number, to: number, chars: number, failed: boolean): string {
  const first = Math.min(chars - 1, Math.floor(from * chars));
  const last = Math.min(chars, Math.round(to * chars));
  const mark = failed ? "x" : last - first < 1 ? "│" : "█";
  return " ".repeat(first) + mark.repeat(Math.max(1, last - first));
}
