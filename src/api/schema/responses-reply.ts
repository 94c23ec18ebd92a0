/** The shape of a Responses reply, which typed code builds; the tests hold it to this. */
import { z } from "./common.ts";
import { BrinkReply, Page, Token } from "./replies.ts";

const Status = z.enum(["in_progress", "completed", "incomplete"]);

const Annotation = z
  .union([
    z.object({
      type: z.literal("file_citation"),
      file_id: z.string().openapi({ description: "The document's id." }),
      filename: z.string().openapi({ description: "Its title, or its id where it has none." }),
      index: z.int().openapi({ description: "The place of its quote in `brink.citations`." }),
    }),
    Page.extend({ type: z.literal("url_citation") }),
  ])
  .openapi("ResponseAnnotation");

const BytesToken = Token.extend({ bytes: z.array(z.int()) });

const MessageItem = z.object({
  type: z.literal("message"),
  id: z.string(),
  status: Status,
  role: z.literal("assistant"),
  content: z.array(
    z.union([
      z.object({
        type: z.literal("output_text"),
        text: z.string(),
        annotations: z.array(Annotation),
        logprobs: z.array(BytesToken.extend({ top_logprobs: z.array(BytesToken) })),
      }),
      z.object({
        type: z.literal("refusal"),
        refusal: z.string().openapi({ description: "What a backend's model refuses with." }),
      }),
    ]),
  ),
});

const CallItem = z.object({
  type: z.literal("function_call"),
  id: z.string(),
  status: Status,
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
});

const Usage = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({ cached_tokens: z.int(), cache_write_tokens: z.int() }),
  output_tokens: z.int(),
  output_tokens_details: z.object({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
});

const Repeated = z.looseObject({ type: z.string() });

/** What comes back as it was sent, and what OpenAI's shape has beside it. */
const echoed = {
  background: z.literal(false),
  instructions: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  max_tool_calls: z.null(),
  metadata: z.record(z.string(), z.string()),
  parallel_tool_calls: z.boolean(),
  previous_response_id: z.null(),
  reasoning: z.object({ effort: z.string().nullable(), summary: z.null() }),
  store: z.literal(false),
  temperature: z.number().nullable(),
  text: z.object({ format: Repeated, verbosity: z.string().optional() }),
  tool_choice: z.union([z.string(), Repeated]),
  tools: z.array(Repeated),
  top_logprobs: z.int(),
  top_p: z.number().nullable(),
  truncation: z.literal("disabled"),
  user: z.string().nullable(),
};

export const ResponsesReply = z
  .object({
    id: z.string(),
    object: z.literal("response"),
    created_at: z.int().openapi({ description: "Unix time in seconds." }),
    completed_at: z.int().openapi({ description: "Unix time in seconds." }),
    status: z.enum(["completed", "incomplete"]),
    error: z.null(),
    incomplete_details: z
      .object({ reason: z.enum(["max_output_tokens", "content_filter"]) })
      .nullable(),
    model: z.string(),
    output: z.array(z.union([MessageItem, CallItem])),
    usage: Usage.nullable(),
    ...echoed,
    brink: BrinkReply,
  })
  .openapi("Response");
