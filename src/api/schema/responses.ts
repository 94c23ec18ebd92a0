/** POST /v1/responses: what is read, and how it becomes the conversation that the pipeline takes.
 *  What needs a memory of earlier responses, or tools of OpenAI's own, is refused by name. */
import type { ChatMessage } from "../../engine/engine.ts";
import {
  MESSAGES_MAX,
  RESPONSE_METADATA_CHARS_MAX,
  RESPONSE_METADATA_KEY_CHARS_MAX,
  RESPONSE_METADATA_MAX,
  TOP_LOGPROBS_MAX,
} from "../../limits.ts";
import type { Caller } from "../../pipeline/types.ts";
import {
  type ChatCall,
  chooseMemory,
  conversationFault,
  MemoryField,
  mustCall,
  NO_TOOLS,
} from "./chat.ts";
import { parse, unsupported, z } from "./common.ts";
import { InputItem, toMessages } from "./responses-input.ts";

/** What a request may name only to say that it does not want it. */
const REFUSED: Record<string, string> = {
  previous_response_id: "responses are not stored: send the conversation in input",
  conversation: "conversations are not stored: send the conversation in input",
  prompt: "prompts are not stored: send instructions and input",
  background: "an answer is made while you wait",
  context_management: "the conversation is taken as it is sent",
  max_tool_calls: "built-in tools are not offered",
  moderation: "is not offered",
};

const LOGPROBS = "message.output_text.logprobs";

const Format = z.discriminatedUnion(
  "type",
  [
    z.looseObject({ type: z.literal("text") }),
    z.looseObject({ type: z.literal("json_object") }),
    z.looseObject({
      type: z.literal("json_schema"),
      name: z.string().min(1).max(64),
      schema: z
        .record(z.string(), z.unknown())
        .openapi({ description: "The JSON Schema that the answer follows." }),
      description: z.string().nullish(),
      strict: z.boolean().nullish(),
    }),
  ],
  { error: "must be of type text, json_object or json_schema" },
);

const Tool = z
  .looseObject({
    type: z.string(),
    name: z.string().min(1).max(128).nullish(),
    description: z.string().nullish().openapi({ description: "What it does, for the model." }),
    parameters: z
      .record(z.string(), z.unknown())
      .nullish()
      .openapi({ description: "The JSON Schema of its arguments." }),
    strict: z.boolean().nullish().openapi({ description: "Handed to the backend." }),
  })
  .superRefine((tool, ctx) => {
    if (tool.type !== "function")
      unsupported(ctx, ["type"], `${tool.type} is not offered: only functions are`);
    else if (tool.name == null)
      ctx.addIssue({ code: "custom", path: ["name"], message: "is missing" });
  });

const ToolChoice = z.union(
  [
    z.enum(["none", "auto", "required"]),
    z.looseObject({ type: z.literal("function"), name: z.string().min(1) }),
  ],
  { error: "must be none, auto, required or a function's name" },
);

const Metadata = z
  .record(
    z.string().max(RESPONSE_METADATA_KEY_CHARS_MAX),
    z.string().max(RESPONSE_METADATA_CHARS_MAX),
  )
  .refine((pairs) => Object.keys(pairs).length <= RESPONSE_METADATA_MAX, {
    error: `has ${RESPONSE_METADATA_MAX} fields at most`,
  })
  .openapi({ description: "Comes back with the response, and goes nowhere else." });

const refusedFields = Object.fromEntries(
  Object.entries(REFUSED).map(([name, why]) => [
    name,
    z
      .unknown()
      .optional()
      .openapi({ description: `Null or absent: ${why}.` }),
  ]),
);

export const ResponsesRequest = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .nullish()
      .openapi({ description: "auto (the default), edge, backend, or an id of GET /v1/models." }),
    input: z
      .union([z.string(), z.array(InputItem).min(1).max(MESSAGES_MAX)], {
        error: `must be text or a list of 1 to ${MESSAGES_MAX} items`,
      })
      .openapi({ description: "A question, or the conversation with the question at its end." }),
    instructions: z.string().nullish().openapi({ description: "Stand before the input." }),
    memory: MemoryField.nullish(),
    explain: z.boolean().nullish().openapi({ description: "As a chat's." }),
    stream: z
      .boolean()
      .nullish()
      .openapi({ description: "Whether the answer comes as events while it is made." }),
    stream_options: z
      .looseObject({})
      .nullish()
      .openapi({ description: "Taken, and without effect: the usage always comes." }),
    max_output_tokens: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: "The answer's length at most." }),
    temperature: z
      .number()
      .min(0)
      .max(2)
      .nullish()
      .openapi({ description: "0: the likeliest token each time." }),
    top_p: z
      .number()
      .min(0)
      .max(1)
      .nullish()
      .openapi({ description: "Samples among the likeliest tokens of this probability in sum." }),
    top_logprobs: z
      .int()
      .min(0)
      .max(TOP_LOGPROBS_MAX)
      .nullish()
      .openapi({ description: "How many of the likeliest tokens at each place; needs `include`." }),
    include: z
      .array(z.string())
      .nullish()
      .openapi({ description: `Only ${LOGPROBS}, which needs a generator or a backend.` }),
    text: z
      .strictObject({ format: Format.nullish(), verbosity: z.string().nullish() })
      .nullish()
      .openapi({ description: "A format needs a generator or a backend." }),
    tools: z.array(Tool).nullish().openapi({ description: "Functions, for a backend." }),
    tool_choice: ToolChoice.nullish().openapi({
      description: "Whether functions may or must be called, or which one.",
    }),
    parallel_tool_calls: z.boolean().nullish().openapi({ description: "Handed to the backend." }),
    reasoning: z
      .strictObject({
        effort: z.string().nullish(),
        summary: z.string().nullish().openapi({ description: "Null or absent." }),
        generate_summary: z.string().nullish().openapi({ description: "Null or absent." }),
      })
      .nullish()
      .openapi({ description: "For a backend." }),
    metadata: Metadata.nullish(),
    store: z.boolean().nullish().openapi({ description: "false or absent: nothing is stored." }),
    truncation: z.enum(["auto", "disabled"]).nullish().openapi({ description: "Only disabled." }),
    service_tier: z.string().nullish().openapi({ description: "Handed to the backend." }),
    user: z
      .string()
      .nullish()
      .openapi({ description: "Comes back with the response, and goes to the backend." }),
    safety_identifier: z.string().nullish().openapi({ description: "Handed to the backend." }),
    prompt_cache_key: z.string().nullish().openapi({ description: "Handed to the backend." }),
    prompt_cache_retention: z.string().nullish().openapi({ description: "Handed to the backend." }),
    ...refusedFields,
  })
  .superRefine((body, ctx) => {
    for (const [name, why] of Object.entries(REFUSED)) {
      const asked = (body as Record<string, unknown>)[name];
      if (asked != null && asked !== false) unsupported(ctx, [name], why);
    }
    for (const name of ["summary", "generate_summary"] as const)
      if (body.reasoning?.[name] != null)
        unsupported(ctx, ["reasoning", name], "what a model thinks is not handed on");
    if (body.store) unsupported(ctx, ["store"], "responses are not stored: send store: false");
    if (body.truncation === "auto")
      unsupported(ctx, ["truncation"], "the conversation is taken as it is sent");
    if (mustCall(body) && !body.tools?.length)
      ctx.addIssue({ code: "custom", path: ["tool_choice"], message: NO_TOOLS });
    if (body.top_logprobs && !body.include?.includes(LOGPROBS))
      ctx.addIssue({
        code: "custom",
        path: ["top_logprobs"],
        message: `needs ${LOGPROBS} included`,
      });
    const other = (body.include ?? []).findIndex((name) => name !== LOGPROBS);
    if (other >= 0) unsupported(ctx, ["include", other], `only ${LOGPROBS} can be included`);
  })
  .openapi("ResponsesRequest");

type Asked = z.infer<typeof ResponsesRequest>;

/** A parsed request: what the pipeline takes, and what the response repeats of it. */
export interface ResponsesCall {
  call: ChatCall;
  echo: ResponsesEcho;
}

export type ResponsesEcho = ReturnType<typeof echoOf>;

/** Throws `invalid_request`, `unsupported_parameter`, `namespace_forbidden`. */
export function parseResponses(body: unknown, caller: Caller): ResponsesCall {
  const asked = parse(ResponsesRequest, body);
  const messages = conversationOf(asked);
  parse(
    z.unknown().superRefine((_, ctx) => {
      const fault = conversationFault(messages);
      if (fault !== null) ctx.addIssue({ code: "custom", path: ["input"], message: fault });
    }),
    null,
  );
  const call: ChatCall = {
    caller,
    model: asked.model ?? "auto",
    messages,
    memory: chooseMemory(asked.memory, caller),
    parameters: parametersOf(asked),
    stream: asked.stream ?? false,
    explain: asked.explain ?? false,
    include_usage: true,
  };
  return { call, echo: echoOf(asked) };
}

function conversationOf({ instructions, input }: Asked): ChatMessage[] {
  const said: ChatMessage[] =
    typeof input === "string" ? [{ role: "user", content: input }] : toMessages(input);
  return instructions ? [{ role: "system", content: instructions }, ...said] : said;
}

/** The same wishes by the names that they have in a chat request. */
function parametersOf(asked: Asked): Record<string, unknown> {
  const { text, tools, tool_choice: choice } = asked;
  const logprobs = asked.include?.includes(LOGPROBS) ?? false;
  const parameters = {
    max_completion_tokens: asked.max_output_tokens,
    temperature: asked.temperature,
    top_p: asked.top_p,
    ...(logprobs ? { logprobs, top_logprobs: asked.top_logprobs } : {}),
    ...(tools?.length
      ? {
          tools: tools.map(chatTool),
          tool_choice: typeof choice === "object" && choice !== null ? chatTool(choice) : choice,
          parallel_tool_calls: asked.parallel_tool_calls,
        }
      : {}), // a chat without tools must not speak of them
    response_format: chatFormat(text?.format),
    verbosity: text?.verbosity,
    reasoning_effort: asked.reasoning?.effort,
    service_tier: asked.service_tier,
    user: asked.user,
    safety_identifier: asked.safety_identifier,
    prompt_cache_key: asked.prompt_cache_key,
    prompt_cache_retention: asked.prompt_cache_retention,
  };
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value != null));
}

function chatTool({ type, ...rest }: { type: string; [field: string]: unknown }) {
  const given = Object.entries(rest).filter(([, value]) => value != null);
  return { type, function: Object.fromEntries(given) };
}

function chatFormat(format: z.infer<typeof Format> | null | undefined) {
  if (format == null || format.type === "text") return null;
  if (format.type === "json_object") return { type: format.type };
  const { type, ...schema } = format;
  const given = Object.entries(schema).filter(([, value]) => value != null);
  return { type, json_schema: Object.fromEntries(given) };
}

function echoOf(asked: Asked) {
  const { text } = asked;
  return {
    background: false,
    instructions: asked.instructions ?? null,
    max_output_tokens: asked.max_output_tokens ?? null,
    max_tool_calls: null,
    metadata: asked.metadata ?? {},
    parallel_tool_calls: asked.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: asked.reasoning?.effort ?? null, summary: null },
    store: false,
    temperature: asked.temperature ?? null,
    text: {
      format: text?.format ?? { type: "text" as const },
      ...(text?.verbosity ? { verbosity: text.verbosity } : {}),
    },
    tool_choice: asked.tool_choice ?? ("auto" as const),
    tools: asked.tools ?? [],
    top_logprobs: asked.top_logprobs ?? 0,
    top_p: asked.top_p ?? null,
    truncation: "disabled" as const,
    user: asked.user ?? null,
  };
}
