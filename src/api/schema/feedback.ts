/** Ratings of answers, as they are sent. */
import { NOTE_ANSWER_CHARS_MAX } from "../../limits.ts";
import type { FeedbackRequest } from "../../pipeline/learning-types.ts";
import { parse, z } from "./common.ts";

export const FeedbackBody = z
  .strictObject({
    trace_id: z
      .string()
      .regex(/^[0-9a-f]{32}$/, { error: "must be the x-brink-trace of an answer" })
      .openapi({ description: "The answer's header x-brink-trace." }),
    rating: z.enum(["good", "bad"]).openapi({ description: "What you think of it." }),
    correction: z
      .string()
      .max(NOTE_ANSWER_CHARS_MAX, { error: `has ${NOTE_ANSWER_CHARS_MAX} characters at most` })
      .refine((text) => text.trim() !== "", { error: "may not be blank" })
      .nullish()
      .openapi({ description: "With bad: what the answer should have been." }),
  })
  .refine((body) => body.correction == null || body.rating === "bad", {
    error: "correction goes with the rating bad",
    path: ["correction"],
  })
  .openapi("Feedback");

/** Throws `invalid_request`. */
export function parseFeedback(body: unknown): FeedbackRequest {
  const { trace_id, rating, correction } = parse(FeedbackBody, body);
  return { trace_id, rating, correction: correction ?? null };
}

export const FeedbackReply = z
  .object({
    recorded: z.literal(true),
    learned: z.enum(["note", "pending"]).nullable().openapi({
      description: "A note that answers from now on, or one that waits for an administrator.",
    }),
  })
  .openapi("FeedbackRecorded");
