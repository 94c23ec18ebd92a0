/** The shapes of chat replies and model lists, and how a description of an endpoint is put
 *  together. Replies are built by typed code and are not parsed; the tests hold them to these. */
import type { RouteConfig } from "@hono/zod-openapi";
import { ErrorReply, z } from "./common.ts";

const Usage = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int().openapi({ description: "Both." }),
    cached_tokens: z.int().optional().openapi({
      description: "Of the prompt's tokens, those known from an earlier prompt.",
    }),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }).optional(),
    completion_tokens_details: z.object({ reasoning_tokens: z.int() }).optional().openapi({
      description: "Of a backend that counts what it thinks and does not say.",
    }),
  })
  .openapi("Usage");

const OUTCOMES = [
  "answered",
  "failed",
  "timed_out",
  "rate_limited",
  "refused",
  "abandoned",
] as const;

export const BrinkReply = z
  .object({
    route: z.enum(["edge", "backend"]).openapi({ description: "Which answered." }),
    wanted: z.literal("backend").optional().openapi({
      description: "Where a backend should have answered and none could.",
    }),
    engine: z.string().openapi({
      description: "brink-reader, brink-note, generator:NAME or backend:NAME.",
    }),
    answer: z.string().nullable().openapi({
      description:
        "The bare answer that was extracted; null where none was, and where an engine wrote one.",
    }),
    difficulty: z.number().nullable().openapi({
      description:
        "The probability that the edge's answer is not good enough; null where none was weighed.",
    }),
    difficulty_before: z.number().optional().openapi({
      description: "The same as far as it was known before anything was read.",
    }),
    difficulty_prior: z
      .number()
      .optional()
      .openapi({
        description:
          "The probability that an engine at the edge does worse than the backend, by the prompt " +
          "alone. Where no memory was consulted.",
      }),
    reason: z.string().openapi({ description: "Why it went there, for people." }),
    citations: z.array(
      z.object({
        mark: z.int().openapi({ description: "The n of the text's [n]." }),
        document_id: z.string(),
        passage_id: z.string(),
        title: z.string().nullable(),
        quote: z.string().openapi({ description: "Stands so in the document's text." }),
        score: z.number().openapi({ description: "Of the passage, as in a search." }),
        note: z.literal(true).optional().openapi({
          description: "It is a note of the memory's own, and the quote is its answer.",
        }),
      }),
    ),
    timings_ms: z.record(z.string(), z.number()).openapi({ description: "By stage." }),
    attempts: z
      .array(
        z.object({
          backend: z.string(),
          outcome: z.enum(OUTCOMES),
          ms: z.number().openapi({ description: "How long it took." }),
          usage: Usage.optional(),
        }),
      )
      .optional()
      .openapi({ description: "Where more than one attempt at a backend was made." }),
    features: z.record(z.string(), z.number()).optional().openapi({
      description: "What the difficulty was computed from. With `explain` only.",
    }),
    contributions: z
      .record(z.string(), z.number())
      .optional()
      .openapi({
        description:
          "What each feature and the bias add to the logit of the difficulty, above 0 where " +
          "it is harder. With `explain` only, where an answer was scored.",
      }),
    cache: z
      .object({
        status: z.enum(["hit", "semantic"]),
        trace_id: z.string().openapi({ description: "Of the answer as it was first given." }),
        answered_at: z.number().openapi({ description: "Unix time in ms." }),
        saved: z
          .object({
            prompt_tokens: z.int(),
            completion_tokens: z.int(),
            usd: z.number().nullable(),
          })
          .openapi({ description: "What the first answer took, and this one did not." }),
        question: z.string().optional().openapi({
          description: "Of `semantic`: the question that was answered.",
        }),
        how: z.string().optional().openapi({ description: "How the questions are alike." }),
        cosine: z.number().optional().openapi({ description: "Of the two questions." }),
      })
      .optional()
      .openapi({ description: "Where the answer was given before." }),
    switched: z.literal(true).optional().openapi({
      description: "Another engine answered the conversation's last turn.",
    }),
    switch_cost: z
      .object({
        from: z.string().openapi({ description: "The engine of that turn." }),
        recached_tokens: z.int().openapi({
          description: "Of earlier turns, about: read because the backend's cache lacked them.",
        }),
        usd: z.number().nullable().openapi({ description: "Null without the backend's prices." }),
      })
      .optional(),
    best_span: z
      .object({
        text: z.string(),
        passage_id: z.string(),
        score: z.number(),
        turned_down: z.boolean().openapi({ description: "Whether the reader abstained." }),
      })
      .optional()
      .openapi({
        description: "What the reader would cut out if it had to, also where it abstained.",
      }),
    note: z
      .object({
        id: z.string(),
        question: z.string(),
        kind: z.enum(["answer", "correction"]),
        learned_by: z.string(),
        learned_at: z.number(),
        engine: z.string(),
        trace_id: z.string(),
        sources: z.array(z.object({ document_id: z.string(), version: z.int() })),
        how: z.string().openapi({ description: "How the two questions match." }),
        cosine: z.number(),
      })
      .optional()
      .openapi({ description: "The note that gave the answer, and where it is from." }),
  })
  .openapi("Brink", {
    description:
      "Where the answer came from, and why; of a stream, on its chunk with the finish reason.",
  });

export const Token = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).nullable().openapi({ description: "Null where a backend has none." }),
});

/** A web page that a backend's model drew on. */
export const Page = z.object({
  url: z.string(),
  title: z.string(),
  start_index: z.int().openapi({ description: "Of the text that it is for, by the backend." }),
  end_index: z.int(),
});

const Annotations = z
  .array(z.object({ type: z.literal("url_citation"), url_citation: Page }))
  .optional()
  .openapi({ description: "The web pages that a backend's model drew on, where it says so." });

const Tokens = z.array(Token.extend({ top_logprobs: z.array(Token) })).nullable();

const Logprobs = z.object({ content: Tokens, refusal: Tokens }).nullable().openapi("Logprobs");

export const ChatReply = z
  .object({
    id: z.string(),
    object: z.literal("chat.completion"),
    created: z.int().openapi({ description: "Unix time in seconds." }),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal("assistant"),
          content: z.string().nullable(),
          refusal: z.string().nullable().openapi({
            description: "What a backend's model says where it refuses to answer.",
          }),
          annotations: Annotations,
          tool_calls: z.array(z.unknown()).optional(),
        }),
        logprobs: Logprobs,
        finish_reason: z.string().openapi({
          description: "stop, length, tool_calls or content_filter.",
        }),
      }),
    ),
    usage: Usage.optional(),
    brink: BrinkReply,
  })
  .openapi("ChatReply");

export const ChatChunk = z
  .object({
    id: z.string(),
    object: z.literal("chat.completion.chunk"),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({
          role: z.literal("assistant").optional(),
          content: z.string().optional(),
          refusal: z.string().optional(),
          annotations: Annotations,
          tool_calls: z.array(z.unknown()).optional(),
        }),
        logprobs: Logprobs,
        finish_reason: z.string().nullable(),
      }),
    ),
    usage: Usage.nullable().optional(),
    brink: BrinkReply.optional(),
  })
  .openapi("ChatChunk");

export const ModelReply = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int(),
    owned_by: z.string(),
    kind: z.enum(["edge", "backend", "encoder", "reranker", "classifier", "router", "generator"]),
    kernels: z.record(z.string(), z.string()).optional().openapi({
      description: "Of a loaded model: the variant of each kernel that was picked.",
    }),
  })
  .openapi("Model");

export const ModelsReply = z
  .object({ object: z.literal("list"), data: z.array(ModelReply) })
  .openapi("ModelList");

export const DeletedReply = z
  .object({ id: z.string(), deleted: z.literal(true) })
  .openapi("Deleted");

/** A JSON body, required, in a route's `request`. */
export function jsonBody(schema: z.ZodType) {
  return { required: true, content: { "application/json": { schema } } };
}

/** A route's `responses`: the success, and OpenAI's error shape for all else. */
export function replies(
  status: number,
  description: string,
  schema: z.ZodType,
  contentType = "application/json",
): RouteConfig["responses"] {
  return {
    [status]: { description, content: { [contentType]: { schema } } },
    default: {
      description: "An error; `code` says which.",
      content: { "application/json": { schema: ErrorReply } },
    },
  };
}

/** The same for a reply that is an event stream where `stream: true` asks for one. */
export function streamedReplies(description: string, schema: z.ZodType): RouteConfig["responses"] {
  const content = {
    "application/json": { schema },
    "text/event-stream": { schema: z.string() },
  };
  return { ...replies(200, description, schema), 200: { description, content } };
}

/** Names the security scheme that openapi.ts describes. */
export const NEEDS_KEY: RouteConfig["security"] = [{ key: [] }];
export const NEEDS_ADMIN_KEY: RouteConfig["security"] = [{ adminKey: [] }];
