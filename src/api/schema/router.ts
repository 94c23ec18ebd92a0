/** The router: targets, labels and versions, as they are sent and told. */
import {
  CALIBRATION_SCORES_MAX,
  OUTCOMES_PAGE_MAX,
  ROUTER_FLOORS_MAX,
  ROUTER_NOTE_CHARS_MAX,
  WEIGHTS_VERSION_CHARS_MAX,
} from "../../limits.ts";
import type { CalibrateRequest, VersionRequest } from "../../pipeline/learning-types.ts";
import { FEATURES, type FeatureName } from "../../router/features.ts";
import { QUESTION_FEATURES } from "../../router/features-question.ts";
import type { RouterSettings } from "../../router/router-types.ts";
import { parse, z } from "./common.ts";
import { Expected, readTarget, TargetReply, TargetRequest } from "./router-target.ts";

const Share = z.number().min(0).max(1);

export const RouterRequest = z
  .strictObject({
    target: TargetRequest.nullish().openapi({ description: "One of its three kinds." }),
    shadow_rate: Share.nullish().openapi({
      description:
        "The share of questions whose answer at the edge is compared with the backend's, which " +
        "is asked for it after the reply.",
    }),
    keep_text: z.boolean().nullish().openapi({
      description: "False: outcomes are kept without their texts, and those kept so far go.",
    }),
    auto_calibrate: z.boolean().nullish().openapi({
      description: "Whether enough compared answers make a new version by themselves.",
    }),
  })
  .refine((body) => Object.values(body).some((value) => value != null), {
    error: "names nothing to set: target, shadow_rate, keep_text or auto_calibrate",
  })
  .openapi("RouterRequest");

/** Throws `invalid_request`. */
export function parseRouter(body: unknown): Partial<RouterSettings> {
  const { target, ...rest } = parse(RouterRequest, body);
  const given = Object.entries(rest).filter(([, value]) => value != null);
  return { ...Object.fromEntries(given), ...(target && { target: readTarget(target) }) };
}

const RiskTest = z.object({
  alarm: z.boolean(),
  promised: z.number().openapi({ description: "The share of wrong answers that is tested." }),
  labels: z.int(),
  wrong: z.int(),
  log_evidence: z.number().openapi({ description: "Against the promise." }),
  log_evidence_alarm: z.number().openapi({ description: "From here on the alarm is raised." }),
});

export const RouterReply = z
  .object({
    target: TargetReply,
    threshold: z.number().openapi({
      description: "The greatest difficulty that stays at the edge; -1: none does.",
    }),
    weights_version: z.string(),
    version: z.string().openapi({ description: "That serves: shipped, v1, v2, ..." }),
    unfit: z.string().nullable().openapi({
      description: "A version that was set but does not fit this build; the shipped one serves.",
    }),
    calibration: z.object({
      version: z.string(),
      source: z.enum(["shipped", "own"]),
      labels: z.int().openapi({ description: "Answers in it." }),
      abstained: z.int().openapi({ description: "Questions in it that got no answer." }),
    }),
    expected: Expected,
    drift: z.object({
      alarm: z.boolean(),
      since: z.number().nullable().openapi({ description: "Unix time in ms." }),
      difficulty: z.object({
        alarm: z.boolean(),
        questions: z.int().openapi({ description: "In the window that fills." }),
        window: z.int().openapi({ description: "How many make a window." }),
        windows: z.int().openapi({ description: "Windows that were tested." }),
        distance: z.number().nullable().openapi({
          description: "Of the last window from the calibration set.",
        }),
        bound: z.number().nullable().openapi({ description: "Above it the alarm is raised." }),
      }),
      risk: RiskTest.openapi({ description: "By answers compared with a backend's." }),
      feedback: RiskTest.openapi({ description: "By ratings." }),
    }),
    shadow_rate: z.number().openapi({ description: "The share of questions compared." }),
    keep_text: z.boolean(),
    auto_calibrate: z.boolean(),
    shadow: z.object({
      sent: z.int().openapi({ description: "Times that an engine was asked to compare." }),
      failed: z.int(),
      dropped: z.int().openapi({ description: "Let go: too many were under way." }),
      prompt_tokens: z.int(),
      completion_tokens: z.int(),
    }),
    labels: z
      .object({ backend: z.int(), feedback: z.int() })
      .openapi({ description: "Collected so far, by source." }),
    engines: z
      .array(
        z.object({
          engine: z.string(),
          usd_per_1k: z.number(),
          labels: z.int(),
          wrong: z.int(),
          threshold: z.number().nullable(),
          kept: z.object({ labels: z.int(), wrong: z.int(), risk_upper: z.number() }).nullable(),
        }),
      )
      .openapi({
        description:
          "Engines between the reader and the backends that are asked first, cheapest first: " +
          "each answers up to its threshold what is too hard for those before it.",
      }),
    outcomes: z.int().openapi({ description: "How many are remembered." }),
  })
  .openapi("Router");

const Abstained = z.int().min(0).max(10_000_000);
const Verdict = z.strictObject({
  difficulty: Share.openapi({ description: "As the answer's `brink.difficulty` said." }),
  wrong: z.boolean().openapi({ description: "Whether the edge's answer was not good enough." }),
});

export const CalibrateBody = z
  .strictObject({
    labels: z.array(Verdict).max(CALIBRATION_SCORES_MAX).nullish().openapi({
      description: "Omitted: what the service collected by comparing answers with the backend's.",
    }),
    abstained: Abstained.nullish().openapi({
      description: "Questions beside the labels that the reader gave no answer to.",
    }),
    replace: z.boolean().nullish().openapi({
      description: "Whether these labels stand alone; else your own set keeps what it has.",
    }),
    include_feedback: z
      .boolean()
      .nullish()
      .openapi({
        description:
          "Whether ratings count as labels. People rate what they please, so the bound on risk " +
          "then holds only for questions like the rated ones.",
      }),
  })
  .refine((body) => body.labels != null || body.abstained == null, {
    error: "abstained goes with labels",
  })
  .refine((body) => body.labels != null || body.replace !== false, {
    error: "replace: false goes with labels: collected ones would count again",
  })
  .refine((body) => body.labels == null || body.include_feedback !== true, {
    error: "include_feedback goes with collected labels",
  })
  .openapi("RouterCalibration");

/** Throws `invalid_request`. Collected labels stand alone unless they are to be added. */
export function parseCalibrate(body: unknown): CalibrateRequest {
  const { labels, abstained, replace, include_feedback } = parse(CalibrateBody, body);
  return {
    labels: labels ?? null,
    abstained: abstained ?? 0,
    replace: replace ?? labels == null,
    include_feedback: include_feedback ?? false,
  };
}

const Weight = z.strictObject({
  mean: z.number(),
  std: z.number().positive(),
  weight: z.number(),
});
const Weights = Object.fromEntries(FEATURES.map((name) => [name, Weight])) as Record<
  FeatureName,
  typeof Weight
>;
const Floor = z.strictObject({ above: Share, floor: Share });
/** The stage before reading. */
const Before = z.strictObject({
  weights: z.strictObject(Object.fromEntries(QUESTION_FEATURES.map((name) => [name, Weight]))),
  bias: z.number(),
  floors: z
    .array(Floor)
    .max(ROUTER_FLOORS_MAX)
    .refine(
      (floors) =>
        floors.every(({ above, floor }, i) => {
          const last = floors[i - 1] ?? { above: -1, floor: 0 };
          return above > last.above && floor > last.floor;
        }),
      { error: "must ascend in above and in floor" },
    ),
});
const WeightsVersion = z
  .string()
  .min(1)
  .max(WEIGHTS_VERSION_CHARS_MAX)
  .refine((name) => name !== "shipped" && !/^v\d+$/.test(name), {
    error: "may not look like a version of the service's: shipped, v1, v2, ...",
  });
const Pair = z.tuple([Share, z.union([z.literal(0), z.literal(1)])]);

/** models/difficulty.json's layout; what else the file tells is not kept. */
export const VersionBodyRequest = z
  .strictObject({
    model: z
      .object({
        version: WeightsVersion.openapi({ description: "The weights' own name." }),
        weights: z.strictObject(Weights).openapi({
          description: "Of each feature: weight * (value - mean) / std is added to the logit.",
        }),
        bias: z.number().openapi({ description: "The logit of the average question." }),
        before: Before.nullish().openapi({
          description: "The stage before reading; null: every question is read.",
        }),
        calibration: z.object({
          version: z.string().max(WEIGHTS_VERSION_CHARS_MAX),
          scores: z.array(Pair).max(CALIBRATION_SCORES_MAX).openapi({
            description: "Of each answer [difficulty, 1 where it was wrong or else 0].",
          }),
          abstained: Abstained.openapi({ description: "Questions beside that got no answer." }),
        }),
      })
      .openapi({ description: "As in models/difficulty.json." }),
    note: z.string().max(ROUTER_NOTE_CHARS_MAX).nullish().openapi({ description: "For people." }),
    activate: z.boolean().nullish().openapi({ description: "Whether it is in use from now on." }),
  })
  .openapi("RouterVersionRequest");

/** Throws `invalid_request`. */
export function parseVersion(body: unknown): VersionRequest {
  const { model, note, activate } = parse(VersionBodyRequest, body);
  return { model, note: note ?? null, activate: activate ?? false };
}

export const VersionReply = z
  .object({ version: z.string(), weights_version: z.string(), active: z.boolean() })
  .openapi("RouterVersionAdded");

export const VersionsReply = z
  .object({
    versions: z.array(
      z.object({
        version: z.string(),
        created_at: z.number().nullable().openapi({ description: "Unix time in ms." }),
        source: z.enum(["shipped", "upload", "labels", "collected", "automatic"]),
        note: z.string().nullable(),
        weights_version: z.string(),
        labels: z.int(),
        abstained: z.int(),
        active: z.boolean(),
      }),
    ),
  })
  .openapi("RouterVersionList");

export const RollbackRequest = z
  .strictObject({
    version: z.string().min(1).max(WEIGHTS_VERSION_CHARS_MAX).openapi({
      description: "shipped, a version, or that of weights: the newest other version with them.",
    }),
  })
  .openapi("RouterRollback");

export const OutcomesQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(OUTCOMES_PAGE_MAX)
    .default(OUTCOMES_PAGE_MAX)
    .openapi({ description: "How many to a page." }),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, { error: "must come from an earlier page" })
    .optional()
    .openapi({ description: "The last page's `cursor`; omitted: the first page." }),
  labelled: z
    .enum(["true", "false"])
    .default("false")
    .openapi({ description: "true: only those with a label." }),
});

const Label = z.object({ wrong: z.boolean(), source: z.enum(["feedback", "backend"]) });

export const OutcomesReply = z
  .object({
    outcomes: z.array(
      z.object({
        trace_id: z.string(),
        at: z.number().openapi({ description: "Unix time in ms." }),
        namespace: z.string().nullable(),
        conversation: z.string().nullable(),
        question: z.string().openapi({ description: "Empty where no texts are kept." }),
        route: z.enum(["edge", "backend"]),
        engine: z.string().openapi({ description: "As `brink.engine`." }),
        edge_answer: z.string().nullable().openapi({ description: "The reader's." }),
        text: z.string().openapi({ description: "What the caller got." }),
        difficulty_before: z.number().nullable(),
        difficulty: z.number().nullable(),
        features: z.record(z.string(), z.number()).nullable(),
        threshold: z.number(),
        weights_version: z.string(),
        passages: z.array(
          z.object({
            document_id: z.string(),
            passage_id: z.string(),
            version: z.int().optional(),
            digest: z.string().optional(),
          }),
        ),
        cited: z.array(z.string()).optional().openapi({
          description: "The documents that the answer cites.",
        }),
        notes: z.array(z.string()),
        cost_usd: z.number().nullable(),
        standing: z.enum(["alone", "instructed", "dependent"]).optional().openapi({
          description: "What the answer hangs on besides its question.",
        }),
        asked: z.string().optional().openapi({ description: "The model that was named." }),
        whole: z.boolean().optional().openapi({ description: "Whether the text is all of it." }),
        cache: z.string().optional().openapi({
          description: "The cached answer that it was or became, by the hash of its request.",
        }),
        rating: z.enum(["good", "bad"]).nullable(),
        label: Label.nullable().openapi({
          description: "Whether the reader's answer was wrong, and who says so.",
        }),
      }),
    ),
    cursor: z.string().nullable().openapi({ description: "For the next page; null: the last." }),
  })
  .openapi("RouterOutcomes");

export const ForgottenReply = z.object({ deleted: z.int() }).openapi("RouterOutcomesDeleted");
