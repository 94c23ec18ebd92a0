/** A request as it is remembered. Names in snake_case are those of the HTTP contract. */

/** What a list of traces shows. */
export interface TraceSummary {
  /** As the reply's x-brink-trace. */
  trace_id: string;
  /** When the request came, Unix ms. */
  at: number;
  /** Until the reply's last byte was made. */
  duration_ms: number;
  /** `METHOD /path/{parameter}`, or `other`. */
  endpoint: string;
  /** HTTP. A stream that failed after its first token has 200 and an error. */
  status: number;
  /** A code of the list; null: none. */
  error: string | null;
  /** The key's id; `operator` for the fixed ones. */
  key: string;
  namespace: string | null;
  stream: boolean;
  first_token_ms: number | null;
  /** The model that the request named. */
  asked: string | null;
  route: "edge" | "backend" | null;
  engine: string | null;
  model: string | null;
  difficulty: number | null;
  /** Which cache gave the reply; null: none. */
  cache: string | null;
  tokens: { prompt: number; completion: number } | null;
  /** Millionths of a USD; null where nothing was charged for or a price is not known. */
  cost_micro_usd: number | null;
}

export interface TraceSpan {
  /** 16 hexadecimal digits. */
  span_id: string;
  /** The span above; null: the request itself. */
  parent_id: string | null;
  name: string;
  /** Since the request came. */
  start_ms: number;
  duration_ms: number;
  /** A code or an outcome; null: it went well. */
  error: string | null;
  attributes: Record<string, string | number | boolean>;
}

export interface TraceRecord extends TraceSummary {
  decision: {
    reason: string;
    wanted: "backend" | null;
    difficulty_before: number | null;
    difficulty_prior: number | null;
    /** -1 where nothing was scored. */
    threshold: number;
    weights_version: string;
    features: Record<string, number> | null;
    /** In logits. */
    contributions: Record<string, number> | null;
  } | null;
  /** What was found, best first; the first TRACE_PASSAGES_MAX. */
  passages: { document_id: string; passage_id: string }[];
  /** Of notes that gave the answer or stood in the prompt. */
  notes: string[];
  /** The request's own span. */
  span_id: string;
  /** Of the caller's trace, where it sent a `traceparent`. */
  parent: { trace_id: string; span_id: string } | null;
  /** In the order in which they began. */
  spans: TraceSpan[];
  /** Beyond TRACE_SPANS_MAX. */
  spans_dropped: number;
  /** Redacted and cut; null unless they are asked for. */
  texts: { question: string; answer: string } | null;
}

/** Which of a tenant's traces are asked for; null: any. */
export interface TraceFilter {
  route: "edge" | "backend" | null;
  /** A status, or the first digit of several. */
  status: number | null;
  /** Unix ms. */
  since: number | null;
  min_ms: number | null;
  key: string | null;
}

export interface TracePage {
  traces: TraceSummary[];
  cursor: string | null;
}

/** What an isolate sends together. */
export interface TraceBatch {
  traces: TraceRecord[];
  /** How much each time series grew, by its key. */
  series: [string, number][];
}
