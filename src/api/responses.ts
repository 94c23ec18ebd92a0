/** POST /v1/responses -> 200, whole or streamed, in OpenAI's shapes plus `brink`. Errors:
 *  invalid_request, unsupported_parameter, and those of an answer. */
import type { EnginePiece } from "../engine/engine.ts";
import { codeOf, loggedOf, ServiceError } from "../errors.ts";
import { allPieces, ask, streamReply } from "./ask.ts";
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { describeFailure } from "./failure.ts";
import { type ResponseEvent, ResponseItems } from "./response-items.ts";
import { RoutingHeaders } from "./routing-headers.ts";
import { jsonBody, NEEDS_KEY, streamedReplies } from "./schema/replies.ts";
import { parseResponses, ResponsesRequest } from "./schema/responses.ts";
import { ResponsesReply } from "./schema/responses-reply.ts";
import { eventText } from "./sse.ts";

export const responses = newApi();

endpoint(
  responses,
  {
    method: "post",
    path: "/v1/responses",
    summary: "Answer, in the shape of OpenAI's Responses",
    description:
      "The same answers as a chat's. Nothing is stored. With `stream: true` the reply is " +
      "text/event-stream from response.created to response.completed; a failure after the first " +
      "token is the events error and response.failed.",
    security: NEEDS_KEY,
    request: { headers: RoutingHeaders, body: jsonBody(ResponsesRequest) },
    responses: streamedReplies("The answer", ResponsesReply),
  },
  async (c) => {
    const { call, echo } = parseResponses(await readJson(c), c.get("caller"));
    const asked = await ask(c, call).catch((error: unknown) => {
      throw inOwnWords(error);
    });
    const items = new ResponseItems(c.get("trace"), asked.answer, asked.created, echo);
    if (!call.stream) {
      for await (const piece of allPieces(asked)) items.add(piece);
      return c.json(items.whole());
    }
    return streamReply(
      c,
      asked,
      (pieces) => eventsOf(items, pieces),
      (error) => textOf(items.fail(describeFailure(error).body)),
    );
  },
);

/** What a chat's fields are called here. */
const OWN_NAMES: Record<string, string | undefined> = {
  messages: "input",
  response_format: "text.format",
  "response_format.type": "text.format.type",
  logprobs: "include",
};

/** The pipeline names a chat's fields; a caller is told of its own. */
function inOwnWords(error: unknown): unknown {
  const { message, param: theirs } = (error ?? {}) as { message?: string; param?: string };
  const [code, param] = [codeOf(error), OWN_NAMES[theirs ?? ""]];
  if (code === null || param === undefined) return error;
  return new ServiceError(code, message ?? code, { param, cause: error, logged: loggedOf(error) });
}

async function* eventsOf(
  items: ResponseItems,
  pieces: AsyncIterable<EnginePiece>,
): AsyncGenerator<string, string> {
  yield textOf(items.begin());
  for await (const piece of pieces) {
    const events = items.add(piece);
    if (events.length > 0) yield textOf(events);
  }
  return textOf(items.end());
}

function textOf(events: readonly ResponseEvent[]): string {
  return events.map((event) => eventText(JSON.stringify(event), event.type)).join("");
}
