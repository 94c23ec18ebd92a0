/** One request as it goes: its stages with their times, and the facts that they find out. */
import type { AttemptWatch } from "../engine/engine.ts";
import { type ErrorCode, toldCodeOf } from "../errors.ts";
import { TRACE_ATTRIBUTE_CHARS_MAX, TRACE_SPANS_MAX } from "../limits.ts";
import type { Answered } from "./observe.ts";
import { formatTraceparent, newTraceId, type TraceParent } from "./trace-context.ts";
import type { AnswerStream, Caller } from "./types.ts";

export type Attributes = Record<string, string | number | boolean>;

/** What nginx's logs made the custom for a client that closed its request. */
const CLIENT_LEFT = 499;

/** A stage of a request. Times are ms since the request began. */
export class Span {
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** Null: the request itself. */
  readonly parent: string | null;
  readonly name: string;
  readonly startMs: number;
  readonly attributes: Attributes;
  /** Null while it is open. */
  endMs: number | null = null;
  /** What went wrong, as a code or an outcome; null: nothing. */
  error: string | null = null;
  readonly #now: () => number;

  constructor(
    about: Pick<Span, "id" | "parent" | "name" | "attributes">,
    startMs: number,
    now: () => number,
  ) {
    this.id = about.id;
    this.parent = about.parent;
    this.name = about.name;
    this.attributes = about.attributes;
    this.startMs = startMs;
    this.#now = now;
  }

  /** Only the first call counts. */
  end(error: string | null = null, attributes: Attributes = {}): void {
    if (this.endMs !== null) return;
    this.endMs = this.#now();
    this.error = error;
    Object.assign(this.attributes, attributes);
  }
}

/** A deployed Worker's clock moves only at I/O: stages that only compute then read 0 there, and are
 *  timed by benches on Node instead. */
export class Trace {
  /** The reply's x-brink-trace. */
  readonly id = newTraceId();
  /** Unix ms. */
  readonly at = Date.now();
  /** The caller's trace that this one goes on. */
  readonly parent: TraceParent | null;
  /** Whether it belongs to the share that is kept. */
  sampled = true;
  /** By stage, as replies show them. */
  readonly timingsMs: Record<string, number> = {};
  readonly spans: Span[] = [];
  /** Beyond TRACE_SPANS_MAX. */
  spansDropped = 0;
  /** `METHOD /path/{parameter}`; null where there is no such endpoint. */
  endpoint: string | null = null;
  /** Null until the key is known. */
  caller: Caller | null = null;
  /** Whether the reply is an event stream. */
  stream = false;
  firstTokenMs: number | null = null;
  /** The model that the request named. */
  asked: string | null = null;
  model: string | null = null;
  namespace: string | null = null;
  /** Which cache gave the reply; null where none was asked or it had nothing. */
  cache: string | null = null;
  /** The answer under way, or out of a cache; null where none was asked for. */
  reply: Pick<AnswerStream, "model" | "report"> | null = null;
  /** The answer with all that it was decided by; null where there was none. */
  answered: Answered | null = null;
  /** What was used; null where nothing counted. */
  tokens: { prompt: number; completion: number } | null = null;
  nanos = 0;
  /** Whether all that was used has a price. */
  priced = true;
  /** The request's end, ms; null while it goes on. */
  durationMs: number | null = null;
  /** HTTP; CLIENT_LEFT where nobody was there for the rest of the reply. */
  status = 0;
  /** Whether the client went before the reply was whole. */
  left = false;
  /** A code of the list, and the error itself, which only the log is told of. */
  failure: { code: ErrorCode; error: unknown } | null = null;
  readonly #startMs = performance.now();
  readonly #spanRoot = crypto.randomUUID().slice(-12);

  constructor(parent: TraceParent | null = null) {
    this.parent = parent;
  }

  /** Ms since the request began. */
  now(): number {
    return performance.now() - this.#startMs;
  }

  /** The request's own span. */
  get rootSpan(): string {
    return this.#spanId(0);
  }

  /** The id under which others know the trace: the caller's where it sent one. */
  get sharedId(): string {
    return this.parent?.trace_id ?? this.id;
  }

  /** Whether it is for the collector: a caller that keeps its own part adds this one. */
  get exported(): boolean {
    return this.sampled || this.parent?.sampled === true;
  }

  /** What tells an engine's attempts at backends: spans under the open one named `under`. */
  attempts(under: string): AttemptWatch {
    return {
      begin: (backend, model, kind) => {
        const attributes = { backend, "gen_ai.request.model": model, kind };
        const span = this.begin("attempt", under, attributes);
        return {
          traceparent: this.traceparent(span),
          end: (outcome, status) => {
            const told: Attributes = { outcome };
            if (status !== null) told["http.response.status_code"] = status;
            span.end(outcome === "answered" ? null : outcome, told);
          },
        };
      },
    };
  }

  /** Runs `work` and adds its time to `stage`, which is a span too. */
  time<T>(stage: string, work: () => T | Promise<T>): Promise<T> {
    return this.clock(stage, () => this.span(stage, work));
  }

  /** The same without a span: for a part of one. */
  async clock<T>(stage: string, work: () => T | Promise<T>): Promise<T> {
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      const ms = (this.timingsMs[stage] ?? 0) + performance.now() - startMs;
      this.timingsMs[stage] = Math.round(ms * 10) / 10;
    }
  }

  /** Runs `work` as a span under the latest open one named `under`, or the request itself. */
  async span<T>(name: string, work: () => T | Promise<T>, under: string | null = null): Promise<T> {
    const span = this.begin(name, under);
    try {
      const result = await work();
      span.end();
      return result;
    } catch (error) {
      span.end(codeName(error));
      throw error;
    }
  }

  /** Begins a span, which its maker ends. Beyond TRACE_SPANS_MAX it is counted and not kept. */
  begin(name: string, under: string | null = null, attributes: Attributes = {}): Span {
    const above = under === null ? undefined : this.#latest(under);
    const id = this.#spanId(this.spans.length + this.spansDropped + 1);
    const about = { id, parent: above?.id ?? null, name, attributes };
    const span = new Span(about, this.now(), () => this.now());
    if (this.spans.length < TRACE_SPANS_MAX) this.spans.push(span);
    else this.spansDropped++;
    return span;
  }

  /** Of whoever is asked for the sake of the span: the W3C header. */
  traceparent({ id }: Span): string {
    return formatTraceparent({ trace_id: this.sharedId, span_id: id, sampled: this.exported });
  }

  /** Counts what was used; `nanos` is null where its price is not known. */
  used(prompt: number, completion: number, nanos: number | null): void {
    this.tokens ??= { prompt: 0, completion: 0 };
    this.tokens.prompt += prompt;
    this.tokens.completion += completion;
    this.nanos += nanos ?? 0;
    this.priced &&= nanos !== null;
  }

  /** What is no error of the list is a bug: `internal`. */
  fail(error: unknown): void {
    this.failure = { code: toldCodeOf(error) ?? "internal", error };
  }

  /** Ends it and what is open of it; false where that was done before. */
  finish(status: number): boolean {
    if (this.durationMs !== null) return false;
    this.durationMs = this.now();
    this.status = this.left ? CLIENT_LEFT : status;
    for (const span of this.spans) span.end(this.failure === null ? null : "unfinished");
    return true;
  }

  #latest(name: string): Span | undefined {
    return this.spans.findLast((span) => span.name === name && span.endMs === null);
  }

  #spanId(n: number): string {
    return this.#spanRoot + n.toString(16).padStart(4, "0");
  }
}

function codeName(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const said = typeof code === "string" ? code : typeof name === "string" ? name : "error";
  return said.slice(0, TRACE_ATTRIBUTE_CHARS_MAX);
}
