/** What a router may aim for, and what comes of it. */
import type { Target } from "../../router/target.ts";
import { parse, z } from "./common.ts";

const Share = z.number().min(0).max(1);

const MaxRisk = Share.openapi({
  description: "The greatest share of wrong answers among those that the edge gives.",
});
const Confidence = z.number().min(0.5).max(0.9999).openapi({
  description: "Of max_risk, over the draw of the calibration questions; 0.95 where absent.",
});
const BackendShare = Share.openapi({ description: "The share of questions that a backend gets." });
const Budget = z.number().min(0).max(1e6).openapi({
  description: "What 1,000 questions may cost by the backend's prices.",
});

export const TargetReply = z
  .object({
    max_risk: MaxRisk.optional(),
    confidence: Confidence.optional(),
    backend_share: BackendShare.optional(),
    budget_usd_per_1k: Budget.optional(),
  })
  .openapi("RouterTarget");

export const TargetRequest = z
  .strictObject({
    max_risk: MaxRisk.nullish(),
    confidence: Confidence.nullish(),
    backend_share: BackendShare.nullish(),
    budget_usd_per_1k: Budget.nullish(),
  })
  .refine((target) => ASKED.filter((name) => target[name] != null).length === 1, {
    error: "must have one of max_risk, backend_share and budget_usd_per_1k",
  })
  .refine((target) => target.confidence == null || target.max_risk != null, {
    error: "confidence goes with max_risk",
  });

const ASKED = ["max_risk", "backend_share", "budget_usd_per_1k"] as const;

/** The target that was asked for. */
export function readTarget(asked: z.infer<typeof TargetRequest>): Target {
  return Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value != null),
  ) as unknown as Target;
}

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
  return readTarget(parse(TargetRequest, parse(PreviewQuery, query)));
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
  .object({ target: TargetReply, threshold: z.number(), expected: Expected })
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
