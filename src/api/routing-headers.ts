/** The request headers that have a say in routing and caching. */
import { ServiceError } from "../errors.ts";
import {
  BACKEND_HEDGE_MS_MAX,
  BACKEND_HEDGE_MS_MIN,
  CONVERSATION_ID_CHARS_MAX,
} from "../limits.ts";
import type { AnswerRequest } from "../pipeline/types.ts";
import type { ApiContext } from "./context.ts";
import { z } from "./schema/common.ts";

const CONVERSATION_PATTERN = /^[A-Za-z0-9._:-]+$/;

const CACHE_WISHES = ["on", "off", "refresh"] as const;

/** For a route's `request.headers`. */
export const RoutingHeaders = z.object({
  "x-brink-route": z.enum(["edge", "backend"]).optional().openapi({
    description: "With model auto: the route to take, for tests.",
  }),
  "x-brink-cache": z
    .enum(CACHE_WISHES)
    .optional()
    .openapi({
      description:
        "on: sampled answers are kept and given again too. off: none is. refresh: a new answer " +
        "takes the place of the one that is kept.",
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
  "x-brink-hedge": z
    .string()
    .regex(/^\d{1,6}$/)
    .optional()
    .openapi({
      description:
        `${BACKEND_HEDGE_MS_MIN} to ${BACKEND_HEDGE_MS_MAX}: after so many ms without a first ` +
        "token a second backend is asked as well, and the faster one answers. Both may charge.",
    }),
});

/** Throws `invalid_request`. */
export function readRouting(
  c: ApiContext,
  model: string,
): Pick<AnswerRequest, "route" | "conversation" | "hedgeMs" | "cache"> {
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
  const wish = c.req.header("x-brink-cache");
  const cache = CACHE_WISHES.find((one) => one === wish);
  if (wish !== undefined && cache === undefined)
    throw refusal("x-brink-cache", `must be ${CACHE_WISHES.join(", ")}`);
  const hedge = c.req.header("x-brink-hedge");
  const hedgeMs = /^\d{1,6}$/.test(hedge ?? "") ? Number(hedge) : Number.NaN;
  if (hedge !== undefined && !(hedgeMs >= BACKEND_HEDGE_MS_MIN && hedgeMs <= BACKEND_HEDGE_MS_MAX))
    throw refusal(
      "x-brink-hedge",
      `must be ${BACKEND_HEDGE_MS_MIN} to ${BACKEND_HEDGE_MS_MAX} milliseconds`,
    );
  return {
    ...(hedge === undefined ? {} : { hedgeMs }),
    ...(cache === undefined ? {} : { cache }),
    ...(route === undefined ? {} : { route }),
    ...(conversation === undefined ? {} : { conversation }),
  };
}

function refusal(param: string, fact: string): ServiceError {
  return new ServiceError("invalid_request", `${param} ${fact}`, { param });
}
