/** POST /v1/chat/completions -> 200, whole or streamed, in OpenAI's shapes plus `brink`. */
import type { EnginePiece, Usage } from "../engine/engine.ts";
import { type Asked, allPieces, ask, streamReply } from "./ask.ts";
import { readJson } from "./body.ts";
import { Choices, describeAnnotations, describeLogprobs, describeUsage } from "./choices.ts";
import { endpoint, newApi } from "./context.ts";
import { describeFailure } from "./failure.ts";
import { RoutingHeaders } from "./routing-headers.ts";
import { ChatRequest, parseChat } from "./schema/chat.ts";
import { ChatReply, jsonBody, NEEDS_KEY, streamedReplies } from "./schema/replies.ts";
import { eventText } from "./sse.ts";

export const chat = newApi();

endpoint(
  chat,
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Answer a conversation",
    description:
      "With `stream: true` the reply is text/event-stream: `data:` lines of ChatChunk, then " +
      "`data: [DONE]`. A failure after the first token is a `data:` line with `error` and no " +
      "[DONE]. The headers x-brink-route and x-brink-difficulty say where the answer came from.",
    security: NEEDS_KEY,
    request: { headers: RoutingHeaders, body: jsonBody(ChatRequest) },
    responses: streamedReplies("The answer", ChatReply),
  },
  async (c) => {
    const call = parseChat(await readJson(c), c.get("caller"));
    const asked = await ask(c, call);
    const id = `chatcmpl-${c.get("trace")}`;
    if (!call.stream) return c.json(await wholeReply(asked, id));
    return streamReply(
      c,
      asked,
      (pieces) => chunkEvents(asked, id, pieces, call.include_usage),
      (error) => eventText(JSON.stringify(describeFailure(error).body)),
    );
  },
);

async function wholeReply(asked: Asked, id: string) {
  const choices = new Choices();
  for await (const piece of allPieces(asked)) choices.add(piece);
  return {
    id,
    object: "chat.completion" as const,
    created: asked.created,
    model: asked.answer.model,
    ...choices.done(),
    brink: asked.answer.report(),
  };
}

/** Of each piece its events, and those of the end together: what is known at once is one write. */
async function* chunkEvents(
  { answer, created }: Asked,
  id: string,
  pieces: AsyncIterable<EnginePiece>,
  includeUsage: boolean,
): AsyncGenerator<string, string> {
  const frame = { id, object: "chat.completion.chunk", created, model: answer.model };
  const head = JSON.stringify(frame).slice(0, -1); // the same in every chunk
  const chunk = (rest: { choices: unknown[]; usage?: unknown; brink?: unknown }): string => {
    const told = includeUsage ? { usage: null, ...rest } : rest;
    return eventText(`${head},${JSON.stringify(told).slice(1)}`);
  };
  const finishes = new Map<number, string>();
  let usage: Usage | null = null;
  for await (const piece of pieces) {
    const { index = 0, finish_reason } = piece;
    let events = finishes.has(index) ? "" : chunk({ choices: [choiceDelta(index, ROLE)] });
    finishes.set(index, finish_reason ?? finishes.get(index) ?? "stop");
    usage = piece.usage ?? usage;
    for (const choice of deltasOf(piece)) events += chunk({ choices: [choice] });
    if (events !== "") yield events;
  }
  let last = finishes.size === 0 ? chunk({ choices: [choiceDelta(0, ROLE)] }) : "";
  const ends = finishes.size === 0 ? [[0, "stop"] as const] : [...finishes];
  for (const [i, [index, finish]] of ends.entries()) {
    const brink = i === ends.length - 1 ? { brink: answer.report() } : {};
    last += chunk({ choices: [choiceDelta(index, {}, null, finish)], ...brink });
  }
  if (includeUsage) last += chunk({ choices: [], usage: usage && describeUsage(usage) });
  return last + eventText("[DONE]");
}

const ROLE = { role: "assistant", content: "" };

function choiceDelta(
  index: number,
  delta: object,
  logprobs: ReturnType<typeof describeLogprobs> = null,
  finish_reason: string | null = null,
) {
  return { index, delta, logprobs, finish_reason };
}

/** A piece's text with its log probabilities, its annotations and its tool calls; nothing for an
 *  empty piece. */
function deltasOf(piece: EnginePiece) {
  const { index = 0, text, refusal, logprobs, tool_calls } = piece;
  const deltas: ReturnType<typeof choiceDelta>[] = [];
  const said = refusal ? { refusal: text } : { content: text };
  if (text !== "" || logprobs?.length)
    deltas.push(choiceDelta(index, said, describeLogprobs(piece)));
  if (piece.annotations) deltas.push(choiceDelta(index, describeAnnotations(piece)));
  if (tool_calls?.length) deltas.push(choiceDelta(index, { tool_calls }));
  return deltas;
}
