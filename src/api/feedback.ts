/** POST /v1/feedback -> 200: what somebody thought of an answer. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { FeedbackBody, FeedbackReply, parseFeedback } from "./schema/feedback.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";

export const feedback = newApi();

endpoint(
  feedback,
  {
    method: "post",
    path: "/v1/feedback",
    summary: "Rate an answer",
    description:
      "`trace_id` is the answer's header x-brink-trace. Answers are remembered for a while: of " +
      "one that is forgotten, another tenant's, or from a namespace out of the key's reach, the " +
      "error is not_found. The last rating counts.",
    security: NEEDS_KEY,
    request: { body: jsonBody(FeedbackBody) },
    responses: replies(200, "It is recorded", FeedbackReply),
  },
  async (c) => {
    const request = parseFeedback(await readJson(c));
    return c.json(await c.get("service").feedback(c.get("caller"), request));
  },
);
