/** What a backend may do wrong and what must come of it, as data: half of the fault matrix. */
import type { Step } from "../../support/openai-server.ts";
import { streamReply } from "../../support/openai-server.ts";

/** How the question is put: to the backend by name; to whom the router chooses, which the edge can
 *  stand in for; and to the backend in the shape of OpenAI's Responses. */
export type Access = "backend" | "auto" | "responses";

export const ACCESSES: readonly Access[] = ["backend", "auto", "responses"];

/** What a client gets. */
export type Outcome =
  /** The backend's own answer. */
  | "answered"
  /** No backend could: an error, or the edge's answer. */
  | "down"
  /** The same, since it was late. */
  | "late"
  /** The same, since it found fault with the request. */
  | "refused"
  /** A part of the answer, and an error at the stream's end. */
  | "broken"
  /** The same, since nothing more came in time. */
  | "stalled";

export interface Reply {
  status: number;
  /** Of an error, be it the reply or a stream's last event; null where there is none. */
  code: string | null;
  route: "edge" | "backend" | null;
  /** Whether the edge says that a backend should have answered. */
  wanted: boolean;
  /** How a stream ends: as it should, or with an error and without its usual end. */
  ending: "whole" | "error" | null;
}

const answered: Reply = { status: 200, code: null, route: "backend", wanted: false, ending: null };
const byEdge: Reply = { status: 200, code: null, route: "edge", wanted: true, ending: null };
const refusal = (status: number, code: string): Reply => {
  return { status, code, route: null, wanted: false, ending: null };
};
const broken = (code: string): Reply => ({ ...answered, code, ending: "error" });

/** By outcome: of a whole reply, and of a stream where that differs by more than its end. */
export const REPLIES: Record<Outcome, Record<Access, Reply>> = {
  answered: { backend: answered, auto: answered, responses: answered },
  down: of(refusal(502, "backend_unavailable"), byEdge),
  late: of(refusal(504, "backend_timeout"), byEdge),
  refused: of(refusal(400, "invalid_request"), byEdge),
  broken: of(broken("backend_unavailable"), broken("backend_unavailable")),
  stalled: of(broken("backend_timeout"), broken("backend_timeout")),
};

function of(named: Reply, auto: Reply): Record<Access, Reply> {
  return { backend: named, auto, responses: named };
}

/** What the budget pays: what the backend said that it used; a guess, where it did not come to
 *  that; or nothing. In each case nothing stays held. */
export type Paid = "told" | "guessed" | "nothing";

export type Mode = "whole" | "stream";

export interface Expected {
  outcome: Outcome;
  /** Requests that the backend sees, those of the questions before included. */
  asked: number;
  paid: Paid;
  circuit: "closed" | "open";
}

export interface BackendRow {
  name: string;
  /** What the backend does, request by request, and the last of it from then on. */
  whole: Step[];
  stream: Step[];
  expected: { whole: Expected; stream: Expected };
  /** Questions that are asked before, whole, whatever comes of them. */
  before?: number;
  /** Where it takes longer than a short run has: half a minute. */
  slow?: readonly Mode[];
}

const ANSWER = { text: "The harbour master says so [1]." };
const EVENTS = streamReply(ANSWER).map((event) => `data: ${event}\n\n`);
const FIRST = EVENTS.slice(0, 3);
const JSON_TYPE = "application/json";
const WHOLE = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: ANSWER.text } }],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
});
/** Four characters at a time, each in a write of its own. */
const dripped = (text: string) => text.match(/[\s\S]{1,4}/g)!;
const LONG_WORD = "x".repeat(40_000);
const longEvent = JSON.stringify({
  choices: [{ index: 0, delta: { content: LONG_WORD }, finish_reason: null }],
});

function ends(outcome: Outcome, asked: number, paid: Paid, circuit: "closed" | "open" = "closed") {
  return { outcome, asked, paid, circuit };
}

/** The same for both, in what is sent and in what comes of it. */
function both(
  name: string,
  steps: Step[],
  expected: Expected,
  rest: Partial<BackendRow> = {},
): BackendRow {
  const common = { whole: steps, stream: steps };
  return { name, ...common, expected: { whole: expected, stream: expected }, ...rest };
}

function each(
  name: string,
  whole: { does: Step[]; expected: Expected },
  stream: { does: Step[]; expected: Expected },
  rest: Partial<BackendRow> = {},
): BackendRow {
  const expected = { whole: whole.expected, stream: stream.expected };
  return { name, whole: whole.does, stream: stream.does, expected, ...rest };
}

const status = (code: number, headers: Record<string, string> = {}): Step => {
  return { status: code, headers, body: JSON.stringify({ error: { message: "not now" } }) };
};

/** For a stream's first token, ms. */
export const DEADLINE_MS = 3_000;
const TOO_LATE: Step = { delayMs: DEADLINE_MS + 1_000, step: ANSWER };

/** Before its first token, where another attempt or the edge can still answer. */
const EARLY: BackendRow[] = [
  both("answers", [ANSWER], ends("answered", 1, "told")),
  both("delays its answer", [{ delayMs: 400, step: ANSWER }], ends("answered", 1, "told")),
  each(
    "answers after its deadline", // a whole reply has 30 s more
    { does: [TOO_LATE], expected: ends("answered", 1, "told") },
    { does: [TOO_LATE], expected: ends("late", 1, "guessed") },
  ),
  both("never answers", [{ silence: "hang" }], ends("late", 1, "guessed"), { slow: ["whole"] }),
  both("resets the connection", [{ silence: "reset" }], ends("down", 3, "nothing")),
  both("resets the connection once", [{ silence: "reset" }, ANSWER], ends("answered", 2, "told")),
  both("sends headers and no body", [{ chunks: [], ending: "hang" }], ends("late", 1, "guessed"), {
    slow: ["whole"],
  }),
  both("sends headers and resets", [{ chunks: [], ending: "reset" }], ends("down", 3, "nothing")),
  both("sends nothing and ends", [{ chunks: [], ending: "end" }], ends("down", 1, "nothing")),
  both("429 without Retry-After", [status(429)], ends("down", 3, "nothing")),
  both("429 without Retry-After, once", [status(429), ANSWER], ends("answered", 2, "told")),
  both(
    "429 with a short Retry-After",
    [status(429, { "retry-after": "1" }), ANSWER],
    ends("answered", 2, "told"),
  ),
  both("429 with a long one", [status(429, { "retry-after": "60" })], ends("down", 1, "nothing")),
  both(
    "429 with a long one, asked again",
    [status(429, { "retry-after": "60" }), ANSWER],
    ends("down", 1, "nothing"),
    { before: 1 },
  ),
  both("two 500s in a burst", [status(500), status(500), ANSWER], ends("answered", 3, "told")),
  both("500s without end", [status(500)], ends("down", 3, "nothing")),
  both("500s to three questions before", [status(500)], ends("down", 8, "nothing", "open"), {
    before: 3,
  }),
  both("501", [status(501)], ends("down", 1, "nothing")),
  both("400", [status(400)], ends("refused", 1, "nothing")),
  both("401", [status(401)], ends("down", 1, "nothing")),
  both("redirects", [status(302, { location: "/v1/elsewhere" })], ends("down", 1, "nothing")),
  both("an event that is no JSON", [{ chunks: ["data: {oops\n\n"], ending: "end" }], {
    ...ends("down", 1, "nothing"),
  }),
  both("an error event", [{ chunks: ['data: {"error":{"message":"no"}}\n\n'], ending: "end" }], {
    ...ends("down", 1, "nothing"),
  }),
  both(
    "a page of HTML with status 200",
    [{ status: 200, headers: { "content-type": "text/html" }, body: "<h1>Welcome</h1>" }],
    ends("down", 1, "nothing"),
  ),
  both(
    "JSON that is no completion",
    [{ status: 200, headers: { "content-type": JSON_TYPE }, body: '{"choices":[]}' }],
    ends("down", 1, "nothing"),
  ),
  both(
    "an answer of the content type text/plain",
    [{ status: 200, headers: { "content-type": "text/plain" }, body: WHOLE }],
    ends("answered", 1, "told"),
  ),
];

/** After it: of a stream, a part is with the client. A whole reply that breaks off is asked for
 *  again. */
const LATE: BackendRow[] = [
  each(
    "resets in the middle",
    {
      does: [{ chunks: [WHOLE.slice(0, 60)], ending: "reset", type: JSON_TYPE }],
      expected: ends("down", 3, "nothing"),
    },
    { does: [{ chunks: FIRST, ending: "reset" }], expected: ends("broken", 1, "guessed") },
  ),
  each(
    "ends in the middle",
    {
      does: [{ chunks: [WHOLE.slice(0, 60)], ending: "end", type: JSON_TYPE }],
      expected: ends("down", 1, "nothing"),
    },
    { does: [{ chunks: FIRST, ending: "end" }], expected: ends("broken", 1, "guessed") },
  ),
  each(
    "sends what is no JSON in the middle",
    {
      does: [{ chunks: [WHOLE, "}"], ending: "end", type: JSON_TYPE }],
      expected: ends("down", 1, "nothing"),
    },
    {
      does: [{ chunks: [...FIRST, "data: {oops\n\n"], ending: "end" }],
      expected: ends("broken", 1, "guessed"),
    },
  ),
  each(
    "drips four bytes at a time",
    {
      does: [{ chunks: dripped(WHOLE), ending: "end", pauseMs: 10, type: JSON_TYPE }],
      expected: ends("answered", 1, "told"),
    },
    {
      does: [{ chunks: dripped(EVENTS.join("")), ending: "end", pauseMs: 2 }],
      expected: ends("answered", 1, "told"),
    },
  ),
  each(
    "sends without end",
    {
      does: [{ endless: LONG_WORD, type: JSON_TYPE }],
      expected: ends("down", 1, "nothing"),
    },
    { does: [{ endless: longEvent }], expected: ends("broken", 1, "guessed") },
  ),
  each(
    "says [DONE] and goes on",
    { does: [ANSWER], expected: ends("answered", 1, "told") },
    {
      does: [{ chunks: [...EVENTS, ...EVENTS], ending: "hang" }],
      expected: ends("answered", 1, "told"),
    },
  ),
  each(
    "stalls in the middle",
    {
      does: [{ chunks: [WHOLE.slice(0, 60)], ending: "hang", type: JSON_TYPE }],
      expected: ends("late", 1, "guessed"),
    },
    { does: [{ chunks: FIRST, ending: "hang" }], expected: ends("stalled", 1, "guessed") },
    { slow: ["whole", "stream"] },
  ),
];

export const BACKEND_ROWS: readonly BackendRow[] = [...EARLY, ...LATE];
