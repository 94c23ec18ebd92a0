/** POST /v1/chat/completions: what is read and what is answered. */
import type { ChatMessage } from "../../engine/engine.ts";
import {
  GENERATOR_CHOICES_MAX,
  LOGIT_BIAS_ENTRIES_MAX,
  MESSAGE_CHARS_MAX,
  MESSAGES_MAX,
  SEARCH_K_DEFAULT,
  STOP_STRINGS_MAX,
  TOP_LOGPROBS_MAX,
} from "../../limits.ts";
import type { AnswerRequest, Caller, MemoryChoice } from "../../pipeline/types.ts";
import { reachNamespace } from "../auth.ts";
import { Namespace, parse, unsupported, z } from "./common.ts";
import { readRetrieval, retrievalFields } from "./retrieval.ts";

const ContentPart = z
  .looseObject({ type: z.string() })
  .superRefine((part, ctx) => {
    if (part.type === "text" && typeof part.text !== "string")
      ctx.addIssue({ code: "custom", path: ["text"], message: "a text part has text" });
  })
  .openapi({ description: "Text parts are joined; other kinds only a backend takes." });

const Message = z
  .looseObject({
    role: z
      .enum(["system", "user", "assistant", "tool", "developer"])
      .openapi({ description: "Who says it." }),
    content: z
      .union([z.string(), z.array(ContentPart)], {
        error: "must be text or a list of content parts",
      })
      .nullish()
      .openapi({
        description:
          `Text, or content parts; ${MESSAGE_CHARS_MAX} characters in all. Null where a message ` +
          "has only tool calls.",
      }),
  })
  .superRefine((message, ctx) => {
    if (textLength(message.content) > MESSAGE_CHARS_MAX)
      ctx.addIssue({
        code: "custom",
        path: ["content"],
        message: `a message has ${MESSAGE_CHARS_MAX} characters of text at most`,
      });
  });

export const MemoryField = z
  .union(
    [
      z.literal(false),
      z.strictObject({
        namespace: Namespace.nullish(),
        ...retrievalFields,
      }),
    ],
    { error: "must be false or an object" },
  )
  .openapi({
    description:
      "false: answer without memory. Omitted: the key's default namespace, if it has one. " +
      `k is ${SEARCH_K_DEFAULT} and mode hybrid where not given.`,
  });

const LogitBias = z
  .record(z.string().regex(/^\d{1,7}$/, { error: "must be a token's id" }), z.number())
  .refine((bias) => Object.keys(bias).length <= LOGIT_BIAS_ENTRIES_MAX, {
    error: `has ${LOGIT_BIAS_ENTRIES_MAX} tokens at most`,
  })
  .refine((bias) => Object.values(bias).every((value) => Math.abs(value) <= 100), {
    error: "a bias is between -100 and 100",
  })
  .openapi({ description: "By token id. Needs a generator or a backend." });

/** OpenAI's request plus `memory`. Fields not named here go to the engine as they are, since
 *  clients send many; other modalities and the old `functions` are refused because no reply of
 *  Brink's could carry their results. Whether the chosen engine can do what the rest demands is
 *  decided in pipeline/demands.ts. */
export const ChatRequest = z
  .looseObject({
    model: z
      .string()
      .min(1)
      .nullish()
      .openapi({ description: "auto (the default), edge, backend, or an id of GET /v1/models." }),
    messages: z
      .array(Message)
      .min(1, { error: "must have a message" })
      .max(MESSAGES_MAX, { error: `must have ${MESSAGES_MAX} messages at most` })
      .openapi({ description: "The conversation, its last question in the last user message." }),
    stream: z
      .boolean()
      .nullish()
      .openapi({ description: "Whether the answer comes as events while it is made." }),
    stream_options: z
      .looseObject({
        include_usage: z
          .boolean()
          .nullish()
          .openapi({ description: "A last chunk with the usage, before [DONE]." }),
      })
      .nullish()
      .openapi({ description: "Of a stream." }),
    memory: MemoryField.nullish(),
    temperature: z.number().min(0).max(2).nullish().openapi({
      description: "0: the likeliest token each time. Extraction has nothing to sample.",
    }),
    top_p: z
      .number()
      .min(0)
      .max(1)
      .nullish()
      .openapi({ description: "Samples among the likeliest tokens of this probability in sum." }),
    max_tokens: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: "The answer's length at most; OpenAI's older name." }),
    max_completion_tokens: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: "The answer's length at most." }),
    explain: z
      .boolean()
      .nullish()
      .openapi({
        description:
          "Adds `brink.features`, what the difficulty was computed from, `brink.contributions`, " +
          "what each of them adds to its logit, and `brink.best_span`.",
      }),
    top_k: z.int().min(0).nullish().openapi({ description: "0: no limit. Generators only." }),
    min_p: z.number().min(0).max(1).nullish().openapi({ description: "Generators only." }),
    repetition_penalty: z
      .number()
      .gt(0)
      .max(2)
      .nullish()
      .openapi({ description: "1: none. Generators only." }),
    presence_penalty: z
      .number()
      .min(-2)
      .max(2)
      .nullish()
      .openapi({ description: "Off the logit of each token that is there already." }),
    frequency_penalty: z
      .number()
      .min(-2)
      .max(2)
      .nullish()
      .openapi({ description: "The same, for each time that it is there." }),
    logit_bias: LogitBias.nullish(),
    logprobs: z
      .boolean()
      .nullish()
      .openapi({ description: "Each token's log probability. Needs a generator or a backend." }),
    top_logprobs: z.int().min(0).max(TOP_LOGPROBS_MAX).nullish().openapi({
      description: "How many of the likeliest tokens at each place; needs `logprobs`.",
    }),
    stop: z
      .union([z.string(), z.array(z.string()).max(STOP_STRINGS_MAX)], {
        error: `must be text or ${STOP_STRINGS_MAX} texts at most`,
      })
      .nullish()
      .openapi({ description: "The answer ends before any of these." }),
    seed: z
      .int()
      .nullish()
      .openapi({ description: "The same request under the same seed samples the same." }),
    tools: z
      .array(z.looseObject({ type: z.string() }))
      .nullish()
      .openapi({ description: "OpenAI's function tools. Need a backend." }),
    tool_choice: z
      .union([z.string(), z.looseObject({ type: z.string() })], {
        error: "must be text or an object with a type",
      })
      .nullish()
      .openapi({ description: "Whether tools may or must be called, or which one." }),
    web_search_options: z.looseObject({}).nullish().openapi({
      description: "OpenAI's search of the web. Needs a backend.",
    }),
    response_format: z.looseObject({ type: z.string() }).nullish().openapi({
      description: "text, json_object or json_schema. Needs a generator or a backend.",
    }),
    n: z
      .int()
      .min(1)
      .max(GENERATOR_CHOICES_MAX)
      .nullish()
      .openapi({ description: "How many answers; above 1 a generator's." }),
  })
  .superRefine((body, ctx) => {
    if (body.top_logprobs && !body.logprobs)
      ctx.addIssue({ code: "custom", path: ["top_logprobs"], message: "needs logprobs: true" });
    const modalities = Array.isArray(body.modalities) ? body.modalities : [];
    if (modalities.some((modality) => modality !== "text"))
      unsupported(ctx, ["modalities"], "answers are text only");
    if (body.audio != null) unsupported(ctx, ["audio"], "answers are text only");
    if (mustCall(body) && !body.tools?.length)
      ctx.addIssue({ code: "custom", path: ["tool_choice"], message: NO_TOOLS });
    for (const old of ["functions", "function_call"])
      if (body[old] != null) unsupported(ctx, [old], "use tools and tool_choice");
    const user = body.messages.findLastIndex((message) => message.role === "user");
    if (user === -1)
      ctx.addIssue({ code: "custom", path: ["messages"], message: "must have a user message" });
    else if (isBlank(body.messages[user]!.content))
      ctx.addIssue({
        code: "custom",
        path: ["messages", user, "content"],
        message: "the last user message may not be empty",
      });
  })
  .openapi("ChatRequest");

/** What to say to a request that must call a tool and has none. */
export const NO_TOOLS = "there are no tools to call";

/** Whether a tool must be called, whichever. */
export function mustCall({ tool_choice }: { tool_choice?: unknown }): boolean {
  return tool_choice != null && tool_choice !== "auto" && tool_choice !== "none";
}

type Content = ChatMessage["content"] | undefined;

function textLength(content: Content): number {
  if (content == null) return 0;
  if (typeof content === "string") return content.length;
  return content.reduce((sum, { text }) => sum + (typeof text === "string" ? text.length : 0), 0);
}

/** What is wrong with a conversation that was not sent as `messages`, in words, or null. */
export function conversationFault(messages: readonly ChatMessage[]): string | null {
  if (messages.some(({ content }) => textLength(content) > MESSAGE_CHARS_MAX))
    return `a message has ${MESSAGE_CHARS_MAX} characters of text at most`;
  const user = messages.findLast(({ role }) => role === "user");
  if (user === undefined) return "must have a user message";
  return isBlank(user.content) ? "the last user message may not be empty" : null;
}

function isBlank(content: Content): boolean {
  if (content == null) return true;
  if (typeof content === "string") return content.trim() === "";
  return content.every((part) => part.type === "text" && String(part.text).trim() === "");
}

/** A parsed chat request, less what the handler adds: the caller's signal and the trace. */
export interface ChatCall extends Omit<AnswerRequest, "signal" | "trace_id"> {
  include_usage: boolean;
}

/** Throws `invalid_request`, `unsupported_parameter`, `namespace_forbidden`. */
export function parseChat(body: unknown, caller: Caller): ChatCall {
  const asked = parse(ChatRequest, body);
  const { model, messages, stream, stream_options, memory, explain, ...rest } = asked;
  const given = Object.entries(rest).filter(([, value]) => value != null);
  return {
    caller,
    model: model ?? "auto",
    messages: messages.map((message) => ({ ...message, content: message.content ?? null })),
    memory: chooseMemory(memory, caller),
    parameters: Object.fromEntries(given),
    stream: stream ?? false,
    explain: explain ?? false,
    include_usage: stream_options?.include_usage ?? false,
  };
}

/** Throws `namespace_forbidden`, `invalid_request`. */
export function chooseMemory(
  asked: z.infer<typeof MemoryField> | null | undefined,
  caller: Caller,
): MemoryChoice | null {
  if (asked === false || (asked == null && caller.default_namespace === null)) return null;
  return {
    namespace: reachNamespace(caller, asked?.namespace, "memory.namespace"),
    ...readRetrieval(asked ?? {}),
  };
}
