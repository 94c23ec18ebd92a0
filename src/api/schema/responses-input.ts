/** The items of a Responses request's input, and the chat messages that they are. */
import type { ChatMessage } from "../../engine/engine.ts";
import { unsupported, z } from "./common.ts";

const TEXT_PARTS = ["input_text", "output_text", "text"];

const Part = z
  .looseObject({ type: z.string() })
  .superRefine((part, ctx) => {
    const lack = (field: string) =>
      ctx.addIssue({ code: "custom", path: [field], message: "must be text" });
    if (TEXT_PARTS.includes(part.type)) {
      if (typeof part.text !== "string") lack("text");
    } else if (part.type === "refusal") {
      if (typeof part.refusal !== "string") lack("refusal");
    } else if (part.type === "input_image") {
      if (part.file_id != null) unsupported(ctx, ["file_id"], "files are not stored");
      else if (typeof part.image_url !== "string") lack("image_url");
    } else unsupported(ctx, ["type"], `${part.type} is not taken: send text or images`);
  })
  .openapi({ description: "input_text, output_text, or input_image for a backend." });

type Part = z.infer<typeof Part>;

const Content = z.union([z.string(), z.array(Part)], {
  error: "must be text or a list of content parts",
});

const FunctionCall = z.looseObject({
  type: z.literal("function_call"),
  call_id: z.string().min(1).openapi({ description: "Pairs a call with its output." }),
  name: z.string().min(1).openapi({ description: "Of a call: the function." }),
  arguments: z.string().openapi({ description: "Of a call: JSON." }),
});

const FunctionOutput = z.looseObject({
  type: z.literal("function_call_output"),
  call_id: z.string().min(1),
  output: Content.openapi({ description: "Of a call's output." }),
});

const Message = z.looseObject({
  type: z.literal("message").nullish(),
  role: z
    .enum(["user", "assistant", "system", "developer"])
    .openapi({ description: "Of a message." }),
  content: Content.openapi({ description: "Of a message: text or parts." }),
});

/** Any other item, which is refused by its type. */
const OtherItem = z.looseObject({ type: z.string() }).superRefine(({ type }, ctx) => {
  if (["message", "function_call", "function_call_output"].includes(type))
    ctx.addIssue({ code: "custom", path: [], message: `lacks what a ${type} has` });
  else unsupported(ctx, ["type"], `an item of type ${type} is not taken`);
});

export const InputItem = z
  .union([FunctionCall, FunctionOutput, Message, OtherItem], { error: "must be an item" })
  .openapi({ description: "A message, a function_call, or its function_call_output." });

type Item = z.infer<typeof InputItem>;

/** Calls of one turn, and the text before them, are one message in a chat. */
export function toMessages(items: readonly Item[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const item of items) {
    if ("role" in item) messages.push(toMessage(item as z.infer<typeof Message>));
    else if (item.type === "function_call") addCall(messages, item as z.infer<typeof FunctionCall>);
    else if (item.type === "function_call_output") {
      const { call_id, output } = item as z.infer<typeof FunctionOutput>;
      messages.push({ role: "tool", tool_call_id: call_id, content: toContent(output) });
    }
  }
  return messages;
}

function toMessage({ role, content }: z.infer<typeof Message>): ChatMessage {
  return { role, content: toContent(content) };
}

function addCall(
  messages: ChatMessage[],
  { call_id, name, arguments: args }: z.infer<typeof FunctionCall>,
): void {
  const call = { id: call_id, type: "function", function: { name, arguments: args } };
  const last = messages.at(-1);
  if (last?.role !== "assistant") {
    messages.push({ role: "assistant", content: null, tool_calls: [call] });
    return;
  }
  last.tool_calls = [...((last.tool_calls as unknown[] | undefined) ?? []), call];
}

/** Text alone is one text, which every engine takes. */
function toContent(content: z.infer<typeof Content>): ChatMessage["content"] {
  if (typeof content === "string") return content;
  if (content.every((part) => part.type !== "input_image")) return content.map(textOf).join("\n");
  return content.map((part) =>
    part.type === "input_image"
      ? { type: "image_url", image_url: imageOf(part) }
      : { type: "text", text: textOf(part) },
  );
}

function textOf(part: Part): string {
  return String(part.type === "refusal" ? part.refusal : part.text);
}

function imageOf({ image_url: url, detail }: Part) {
  return typeof detail === "string" ? { url, detail } : { url };
}
