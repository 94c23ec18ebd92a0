/** Traces as they are asked for and told. */
import type { TraceFilter } from "../../ledger/trace-types.ts";
import { TRACES_PAGE_DEFAULT, TRACES_PAGE_MAX } from "../../limits.ts";
import { CountText, parse, z } from "./common.ts";

export const TraceId = z.string().regex(/^[0-9a-f]{32}$/, {
  error: "a trace's id is 32 digits of 0-9 and a-f, as the header x-brink-trace has it",
});

export const TracePath = z.object({
  id: TraceId.openapi({ description: "A reply's x-brink-trace." }),
});

export const TracesQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(TRACES_PAGE_MAX)
    .default(TRACES_PAGE_DEFAULT)
    .openapi({ description: "How many to a page." }),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, { error: "must come from an earlier page" })
    .optional()
    .openapi({ description: "The last page's `cursor`; omitted: the first page." }),
  route: z
    .enum(["edge", "backend"])
    .optional()
    .openapi({ description: "Only answers that this gave." }),
  status: z
    .string()
    .regex(/^[1-5](\d\d|xx)$/, { error: "must be a status such as 404, or a class such as 5xx" })
    .optional()
    .openapi({ description: "An HTTP status, or a class of them, as 5xx." }),
  since: CountText.optional().openapi({ description: "Unix time in ms." }),
  min_ms: CountText.optional().openapi({ description: "The shortest duration." }),
  key: z.string().min(1).max(64).optional().openapi({ description: "A key's id." }),
});

/** Throws `invalid_request`. */
export function parseTracesQuery(query: Record<string, string>) {
  const { limit, cursor, route, status, since, min_ms, key } = parse(TracesQuery, query);
  const filter: TraceFilter = {
    route: route ?? null,
    status: status === undefined ? null : Number(status.replace("xx", "")),
    since: since ?? null,
    min_ms: min_ms ?? null,
    key: key ?? null,
  };
  return { filter, limit, cursor: cursor === undefined ? null : Number(cursor) };
}

const Summary = z.object({
  trace_id: z.string(),
  at: z.number().openapi({ description: "When the request came, Unix time in ms." }),
  duration_ms: z.number().openapi({ description: "Until the reply's last byte was made." }),
  endpoint: z.string().openapi({ example: "POST /v1/chat/completions" }),
  status: z.int().openapi({ description: "HTTP's; 499 where the client left before the end." }),
  error: z.string().nullable().openapi({ description: "An error's code." }),
  key: z.string().openapi({ description: "The key's id; `operator` for the fixed ones." }),
  namespace: z.string().nullable(),
  stream: z.boolean().openapi({ description: "Whether the reply was streamed." }),
  first_token_ms: z.number().nullable().openapi({ description: "Since the request came." }),
  asked: z.string().nullable().openapi({ description: "The model that the request named." }),
  route: z.enum(["edge", "backend"]).nullable(),
  engine: z.string().nullable().openapi({ description: "As `brink.engine`." }),
  model: z.string().nullable().openapi({ description: "That answered." }),
  difficulty: z.number().nullable(),
  cache: z.string().nullable().openapi({ description: "Which cache gave the reply." }),
  tokens: z.object({ prompt: z.int(), completion: z.int() }).nullable(),
  cost_micro_usd: z.number().nullable().openapi({
    description: "Null where nothing was counted, or a price is not known.",
  }),
});

export const TracesReply = z
  .object({ traces: z.array(Summary), cursor: z.string().nullable() })
  .openapi("TraceList");

const Span = z.object({
  span_id: z.string(),
  parent_id: z.string().nullable().openapi({ description: "Null: the request itself." }),
  name: z.string().openapi({ description: "auth, retrieve, read, backend, ..." }),
  start_ms: z.number().openapi({ description: "Since the request came." }),
  duration_ms: z.number(),
  error: z.string().nullable(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

export const TraceReply = Summary.extend({
  decision: z
    .object({
      reason: z.string().openapi({ description: "As `brink.reason`." }),
      wanted: z.literal("backend").nullable(),
      difficulty_before: z.number().nullable().openapi({ description: "Before reading." }),
      difficulty_prior: z.number().nullable().openapi({ description: "By the prompt alone." }),
      threshold: z.number().openapi({ description: "-1 where nothing was scored." }),
      weights_version: z.string(),
      features: z.record(z.string(), z.number()).nullable(),
      contributions: z.record(z.string(), z.number()).nullable().openapi({
        description: "What each feature and the bias add to the difficulty's logit.",
      }),
    })
    .nullable(),
  passages: z.array(z.object({ document_id: z.string(), passage_id: z.string() })),
  notes: z.array(z.string()).openapi({ description: "That answered or stood in the prompt." }),
  span_id: z.string().openapi({ description: "The request's own." }),
  parent: z.object({ trace_id: z.string(), span_id: z.string() }).nullable().openapi({
    description: "The caller's own trace, from its header traceparent.",
  }),
  spans: z.array(Span).openapi({ description: "In the order in which they began." }),
  spans_dropped: z.int().openapi({ description: "Beyond those that a trace keeps." }),
  texts: z.object({ question: z.string(), answer: z.string() }).nullable().openapi({
    description: "Redacted and cut; null unless BRINK_TRACE_TEXT asks for them.",
  }),
}).openapi("Trace");

export const TracesForgottenReply = z.object({ deleted: z.int() }).openapi("TracesForgotten");
