/** One trace and its counters, for tests of what the HTTP layer reads and writes. */
import type { TraceRecord } from "../../src/ledger/trace-types.ts";
import type { TraceAdmin } from "../../src/pipeline/trace-admin.ts";

export const TRACE: TraceRecord = {
  ...{ trace_id: "ab".repeat(16), at: 1_790_000_000_000, duration_ms: 120.5 },
  ...{ endpoint: "POST /v1/chat/completions", status: 200, error: null, key: "key-1" },
  ...{ namespace: "docs", stream: true, first_token_ms: 80.25, asked: "auto" },
  ...{ route: "backend", engine: "backend:big", model: "org/big", difficulty: 0.7, cache: null },
  ...{ tokens: { prompt: 11, completion: 7 }, cost_micro_usd: 12.5 },
  decision: {
    ...{ reason: "difficulty 0.700 > 0.400", wanted: null, difficulty_before: 0.6 },
    ...{ difficulty_prior: null, threshold: 0.4, weights_version: "w1" },
    ...{ features: { bm25_top: 1.5 }, contributions: { bm25_top: 0.3, bias: -0.1 } },
  },
  passages: [{ document_id: "d1", passage_id: "d1#0" }],
  notes: [],
  span_id: "00000000000a0000",
  parent: { trace_id: "cd".repeat(16), span_id: "12".repeat(8) },
  spans: [
    {
      ...{ span_id: "00000000000a0001", parent_id: null, name: "retrieve", error: null },
      ...{ start_ms: 1, duration_ms: 9, attributes: {} },
    },
    {
      ...{ span_id: "00000000000a0002", parent_id: null, name: "backend", error: null },
      ...{ start_ms: 10, duration_ms: 110, attributes: {} },
    },
    {
      ...{ span_id: "00000000000a0003", parent_id: "00000000000a0002", name: "attempt" },
      ...{ start_ms: 10, duration_ms: 20, error: "failed" },
      attributes: {
        ...{ backend: "big", "gen_ai.request.model": "org/big", kind: "first" },
        ...{ outcome: "failed", "http.response.status_code": 500 },
      },
    },
  ],
  spans_dropped: 0,
  texts: null,
};

type Log = (name: string, ...args: unknown[]) => void;

export class FakeTraces implements TraceAdmin {
  counters: [string, number][] = [];
  readonly #note: Log;

  constructor(note: Log) {
    this.#note = note;
  }

  async page(...args: Parameters<TraceAdmin["page"]>) {
    this.#note("traces", ...args);
    const { decision, passages, notes, span_id, parent, spans, spans_dropped, texts, ...summary } =
      TRACE;
    return { traces: [summary], cursor: "7" };
  }

  async find(...args: Parameters<TraceAdmin["find"]>) {
    this.#note("trace", ...args);
    return args[1] === TRACE.trace_id ? TRACE : null;
  }

  async forget(...args: Parameters<TraceAdmin["forget"]>) {
    this.#note("forgetTraces", ...args);
    return 1;
  }

  async series() {
    return this.counters;
  }
}
