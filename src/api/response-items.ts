/** From an engine's pieces to the items of an OpenAI response, and the events that tell of them. */
import type { EnginePiece, TokenLogprob, UrlCitation, Usage } from "../engine/engine.ts";
import type { AnswerStream, BrinkReport } from "../pipeline/types.ts";
import type { ErrorBody } from "./failure.ts";
import type { ResponsesEcho } from "./schema/responses.ts";

export interface ResponseEvent {
  type: string;
  sequence_number: number;
  [field: string]: unknown;
}

interface TextItem {
  kind: "text";
  id: string;
  /** In the order in which they began, which is their content_index. */
  parts: TextPart[];
}

interface TextPart {
  refusal: boolean;
  text: string;
  logprobs: TokenLogprob[];
}

interface CallItem {
  kind: "call";
  id: string;
  call_id: string;
  name: string;
  arguments: string;
}

type Status = "in_progress" | "completed" | "incomplete" | "failed";

/** A delta of OpenAI's chat stream, from outside: any field may be missing. */
interface CallDelta {
  index?: number;
  id?: string;
  function?: { name?: string; arguments?: string };
}

/** One response as it grows. Each method returns the events of what it changed, numbered on. */
export class ResponseItems {
  readonly #trace: string;
  readonly #answer: AnswerStream;
  readonly #created: number;
  readonly #echo: ResponsesEcho;
  /** In the order in which they began, which is their output_index. */
  readonly #items: (TextItem | CallItem)[] = [];
  /** A call's item by the index of its deltas. */
  readonly #calls = new Map<number, CallItem>();
  #events: ResponseEvent[] = [];
  #number = 0;
  /** What a backend's model drew on. */
  readonly #pages: UrlCitation[] = [];
  #finish = "stop";
  #usage: Usage | null = null;

  /** `created` is Unix time in seconds. */
  constructor(trace: string, answer: AnswerStream, created: number, echo: ResponsesEcho) {
    this.#trace = trace;
    this.#answer = answer;
    this.#created = created;
    this.#echo = echo;
  }

  begin(): ResponseEvent[] {
    const response = this.#response("in_progress");
    this.#tell("response.created", { response });
    this.#tell("response.in_progress", { response });
    return this.#told();
  }

  add(piece: EnginePiece): ResponseEvent[] {
    const { text, logprobs, tool_calls, finish_reason, usage } = piece;
    if (text !== "" || logprobs?.length) this.#addText(piece);
    for (const delta of tool_calls ?? []) this.#addCall(delta as CallDelta);
    this.#pages.push(...(piece.annotations ?? []));
    this.#finish = finish_reason ?? this.#finish;
    this.#usage = usage ?? this.#usage;
    return this.#told();
  }

  /** The last events: what each item is now, and the whole response. */
  end(): ResponseEvent[] {
    if (this.#items.length === 0) this.#openPart(false);
    const report = this.#answer.report();
    for (const [output_index, item] of this.#items.entries())
      this.#close(item, output_index, this.#annotationsOf(report, item));
    const response = this.whole(report);
    this.#tell(`response.${response.status}`, { response });
    return this.#told();
  }

  /** The last events where the engine broke off. */
  fail({ error }: ErrorBody): ResponseEvent[] {
    const { message, code, param } = error;
    this.#tell("error", { code, message, param });
    const told = { code: "server_error", message };
    const output = this.#items.map((item) => describeItem(item, "incomplete", []));
    const response = { ...this.#response("failed"), error: told, output };
    this.#tell("response.failed", { response });
    return this.#told();
  }

  /** The response once every piece was added. */
  whole(report = this.#answer.report()) {
    if (this.#items.length === 0)
      this.#items.push({ ...newText(this.#trace), parts: [newPart(false)] });
    const reason = INCOMPLETE[this.#finish];
    return {
      ...this.#response(reason === undefined ? "completed" : "incomplete"),
      completed_at: Math.floor(Date.now() / 1000),
      incomplete_details: reason === undefined ? null : { reason },
      output: this.#output(report),
      ...(this.#usage === null ? {} : { usage: describeUsage(this.#usage) }),
      brink: report,
    };
  }

  #response(status: Status) {
    return {
      id: `resp_${this.#trace}`,
      object: "response" as const,
      created_at: this.#created,
      status,
      error: null,
      incomplete_details: null,
      model: this.#answer.model,
      output: [] as ReturnType<typeof describeItem>[],
      usage: null,
      ...this.#echo,
    };
  }

  #output(report: BrinkReport) {
    const status = INCOMPLETE[this.#finish] === undefined ? "completed" : "incomplete";
    return this.#items.map((item) => {
      return describeItem(item, status, this.#annotationsOf(report, item));
    });
  }

  /** Cited documents as files; `index` is a place among `brink.citations`, which has the quote.
   *  Then the pages of a backend's model. */
  #annotationsOf({ citations }: BrinkReport, item: TextItem | CallItem): Annotation[] {
    if (item.kind === "call") return [];
    const files = citations.map(({ document_id, title }, index) => {
      const filename = title ?? document_id;
      return { type: "file_citation" as const, file_id: document_id, filename, index };
    });
    const pages = this.#pages.map((page) => ({ type: "url_citation" as const, ...page }));
    return [...files, ...pages];
  }

  #addText({ text: delta, refusal, logprobs: told = [] }: EnginePiece): void {
    const { part, place } = this.#openPart(refusal === true);
    part.text += delta;
    if (part.refusal) this.#tell("response.refusal.delta", { ...place, delta });
    else {
      const logprobs = told.map(withBytes);
      for (const one of logprobs) part.logprobs.push(one); // there may be too many to spread
      this.#tell("response.output_text.delta", { ...place, delta, logprobs });
    }
  }

  /** The part of the response's one message that is text, or a refusal. */
  #openPart(refusal: boolean) {
    let item = this.#items.find((item) => item.kind === "text");
    if (item === undefined) {
      item = newText(this.#trace);
      this.#open(item);
    }
    const open = item.parts.findIndex((part) => part.refusal === refusal);
    const content_index = open < 0 ? item.parts.length : open;
    const part = item.parts[open] ?? newPart(refusal);
    const place = { ...this.#place(item), content_index };
    if (open < 0) {
      item.parts.push(part);
      this.#tell("response.content_part.added", { ...place, part: describePart(part, []) });
    }
    return { part, place };
  }

  #addCall({ index, id, function: part }: CallDelta): void {
    const at = index ?? this.#calls.size;
    let item = this.#calls.get(at);
    if (item === undefined) {
      const name = part?.name ?? "";
      const call_id = id ?? `call_${this.#trace}_${at}`;
      item = { kind: "call", id: `fc_${this.#trace}_${at}`, call_id, name, arguments: "" };
      this.#calls.set(at, item);
      this.#open(item);
    }
    const delta = part?.arguments ?? "";
    if (delta === "") return;
    item.arguments += delta;
    this.#tell("response.function_call_arguments.delta", { ...this.#place(item), delta });
  }

  #open(item: TextItem | CallItem): void {
    this.#items.push(item);
    const output_index = this.#items.length - 1;
    const shown = describeItem(item, "in_progress", []);
    this.#tell("response.output_item.added", { output_index, item: shown });
  }

  #close(item: TextItem | CallItem, output_index: number, annotations: Annotation[]): void {
    const place = this.#place(item);
    if (item.kind === "text") {
      for (const [content_index, part] of item.parts.entries())
        this.#closePart(part, { ...place, content_index }, annotations);
    } else {
      const { name, arguments: args } = item;
      this.#tell("response.function_call_arguments.done", { ...place, name, arguments: args });
    }
    const status = INCOMPLETE[this.#finish] === undefined ? "completed" : "incomplete";
    const shown = describeItem(item, status, annotations);
    this.#tell("response.output_item.done", { output_index, item: shown });
  }

  #closePart(part: TextPart, at: object, annotations: Annotation[]): void {
    const { text, logprobs, refusal } = part;
    if (refusal) this.#tell("response.refusal.done", { ...at, refusal: text });
    else {
      for (const [annotation_index, annotation] of annotations.entries()) {
        const told = { ...at, annotation_index, annotation };
        this.#tell("response.output_text.annotation.added", told);
      }
      this.#tell("response.output_text.done", { ...at, text, logprobs });
    }
    this.#tell("response.content_part.done", { ...at, part: describePart(part, annotations) });
  }

  #place(item: TextItem | CallItem) {
    return { item_id: item.id, output_index: this.#items.indexOf(item) };
  }

  #tell(type: string, fields: object): void {
    this.#events.push({ type, sequence_number: this.#number++, ...fields });
  }

  #told(): ResponseEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

/** Why a response is not complete, by the finish reason of a chat. */
const INCOMPLETE: Record<string, "max_output_tokens" | "content_filter" | undefined> = {
  length: "max_output_tokens",
  content_filter: "content_filter",
};

function newText(trace: string): TextItem {
  return { kind: "text", id: `msg_${trace}`, parts: [] };
}

function newPart(refusal: boolean): TextPart {
  return { refusal, text: "", logprobs: [] };
}

const encoder = new TextEncoder();

/** A chat's tokens may have null for bytes; a response's have the text's where none are told. */
function withBytes(told: TokenLogprob): TokenLogprob {
  const exact = <T extends Omit<TokenLogprob, "top_logprobs">>(one: T): T => {
    return one.bytes === null ? { ...one, bytes: [...encoder.encode(one.token)] } : one;
  };
  return { ...exact(told), top_logprobs: told.top_logprobs.map(exact) };
}

type Annotation =
  | { type: "file_citation"; file_id: string; filename: string; index: number }
  | ({ type: "url_citation" } & UrlCitation);

function describePart({ refusal, text, logprobs }: TextPart, annotations: Annotation[]) {
  if (refusal) return { type: "refusal" as const, refusal: text };
  return { type: "output_text" as const, text, annotations, logprobs };
}

function describeItem(
  item: TextItem | CallItem,
  status: Exclude<Status, "failed">,
  annotations: Annotation[],
) {
  const { id } = item;
  if (item.kind === "call") {
    const { call_id, name, arguments: args } = item;
    return { type: "function_call" as const, id, status, call_id, name, arguments: args };
  }
  const content = item.parts.map((part) => describePart(part, annotations));
  return { type: "message" as const, id, status, role: "assistant" as const, content };
}

function describeUsage(usage: Usage) {
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: { cached_tokens: usage.cached_tokens ?? 0, cache_write_tokens: 0 },
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
    total_tokens: usage.total_tokens,
  };
}
