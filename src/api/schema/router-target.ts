/** What a router may aim for, and what comes of it. */
import type { Target } from "../../router/target.ts";
import { parse, z } from "./common.ts";

const Share = z.number().min(0).max(1);

export const TargetField = z
  .strictObject({
    max_risk: Share.optional().openapi({
      description: "The greatest share of wrong answers among those that the edge gives.",
    }),
    confidence: z.number().min(0.5).max(0.9999).optional().openapi({
      description: "Of max_risk, over the draw of the calibration questions; 0.95 where absent.",
    }),
    backend_share: Share.optional().openapi({
      description: "The share of questions that a backend gets.",
    }),
    budget_usd_per_1k: z.number().min(0).max(1e6).optional().openapi({
      description: "What 1,000 questions may cost by the backend's prices.",
    }),
  })
  .refine((target) => ASKED.filter((name) => target[name] !== undefined).length === 1, {
    error: "must have one of max_risk, backend_share and budget_usd_per_1k",
  })
  .refine((target) => target.confidence === undefined || target.max_risk !== undefined, {
    error: "confidence goes with max_risk",
  })
  .openapi("RouterTarget");

const ASKED = ["max_risk", "backend_share", "budget_usd_per_1k"] as const;

/** As text in an address; what it may be at most is the target's own to say. */
function numberText(description: string) {
  return z
    .string()
    .regex(/^\d{1,9}(\.\d{1,20})?(e-\d{1,2})?$/, { error: "must be a number, 0 or more" })
    .transform(Number)
    .optional()
    .openapi({ type: "number", minimum: 0, description });
}

export const PreviewQuery = z.object({
  max_risk: numberText("The greatest share of wrong answers among those that the edge gives."),
  confidence: numberText("Of max_risk: 0.5 to 0.9999; 0.95 where not given."),
  backend_share: numberText("The share of questions that a backend gets."),
  budget_usd_per_1k: numberText("What 1,000 questions may cost by the backend's prices."),
});

/** Throws `invalid_request`. */
export function parsePreview(query: Record<string, string>): Target {
  return parse(TargetField, parse(PreviewQuery, query)) as Target;
}

export const Expected = z
  .object({
    coverage: z.number().openapi({ description: "The share of questions that stay." }),
    risk: z.number().openapi({ description: "The share of wrong ones among their answers." }),
    risk_upper: z.number().openapi({ description: "Its bound at the target's confidence." }),
    backend_share: z.number(),
    usd_per_1k: z.number().nullable().openapi({ description: "Null without prices." }),
  })
  .openapi({ description: "Of questions like those of the calibration set." });

export const PreviewReply = z
  .object({ target: TargetField, threshold: z.number(), expected: Expected })
  .openapi("RouterPreview");

const Interval = z.object({ value: z.number(), low: z.number(), high: z.number() });

export const CurvesReply = z
  .object({
    points: z
      .array(
        Expected.extend({
          threshold: z.number(),
          accuracy: z.number().openapi({
            description: "Of all questions, where the backend is always right.",
          }),
        }),
      )
      .openapi({ description: "By ascending threshold, from -1, which keeps nothing." }),
    reliability: z
      .array(z.object({ answers: z.int(), said: z.number(), wrong: Interval }))
      .openapi({
        description: "Bins of equally many answers: their mean difficulty and share of wrong ones.",
      }),
    histogram: z.array(
      z.object({ from: z.number(), to: z.number(), right: z.int(), wrong: z.int() }),
    ),
  })
  .openapi("RouterCurves");
