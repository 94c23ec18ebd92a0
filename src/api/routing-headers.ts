/** The request headers that have a say in routing. */
import { ServiceError } from "../errors.ts";
import { CONVERSATION_ID_CHARS_MAX } from "../limits.ts";
import type { AnswerRequest } from "../pipeline/types.ts";
import type { ApiContext } from "./context.ts";
import { z } from "./schema/common.ts";

const CONVERSATION_PATTERN = /^[A-Za-z0-9._:-]+$/;

/** For a route's `request.headers`. */
export const RoutingHeaders = z.object({
  "x-brink-route": z.enum(["edge", "backend"]).optional().openapi({
    description: "With model auto: the route to take, for tests.",
  }),
  "x-brink-conversation": z
    .string()
    .regex(CONVERSATION_PATTERN)
    .max(CONVERSATION_ID_CHARS_MAX)
    .optional()
    .openapi({
      description:
        "Names the conversation that the request goes on, among the tenant's. Without it a " +
        "conversation is known by its earlier messages.",
    }),
});

/** Throws `invalid_request`. */
export function readRouting(
  c: ApiContext,
  model: string,
): Pick<AnswerRequest, "route" | "conversation"> {
  const route = c.req.header("x-brink-route");
  const conversation = c.req.header("x-brink-conversation");
  if (route !== undefined && route !== "edge" && route !== "backend")
    throw refusal("x-brink-route", "must be edge or backend");
  if (route !== undefined && model !== "auto")
    throw refusal("x-brink-route", "takes the place of model auto, but the request names another");
  const named = conversation === undefined || CONVERSATION_PATTERN.test(conversation);
  if (!named || (conversation?.length ?? 0) > CONVERSATION_ID_CHARS_MAX)
    throw refusal(
      "x-brink-conversation",
      `must be 1 to ${CONVERSATION_ID_CHARS_MAX} letters, digits, ".", "_", ":" and "-"`,
    );
  return {
    ...(route === undefined ? {} : { route }),
    ...(conversation === undefined ? {} : { conversation }),
  };
}

function refusal(param: string, fact: string): ServiceError {
  return new ServiceError("invalid_request", `${param} ${fact}`, { param });
}
