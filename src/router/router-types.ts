/** What a tenant's router goes by, and what it keeps. Plain data: it crosses object RPC. */
import type { LabelledScore } from "./calibration.ts";
import type { DifficultyFile, DifficultyModel } from "./difficulty.ts";
import type { RiskState, ShiftState } from "./drift.ts";
import type { EngineSet, Rung } from "./ladder.ts";
import type { Outcome } from "./outcome.ts";
import { TARGET_DEFAULT, type Target } from "./target.ts";

/** What answers are routed by, as an isolate holds it. */
export interface ActiveRouter {
  /** The weights that score. */
  model: Omit<DifficultyModel, "calibration">;
  /** A budget as the share that it pays for. */
  target: Target;
  /** The largest difficulty that stays at the edge, by the target and the calibration set; -1: none
   *  does. */
  threshold: number;
  /** The engines that may answer what is harder, cheapest first. */
  ladder: readonly Rung[];
  /** The share of questions, 0..1, that are compared with the backend. */
  shadow_rate: number;
  /** Of the state that this was made from; each change makes it greater. */
  revision: number;
}

export interface RouterSettings {
  target: Target;
  shadow_rate: number;
  /** Whether outcomes are kept with their texts. */
  keep_text: boolean;
  /** Whether enough compared answers make a version by themselves. */
  auto_calibrate: boolean;
}

export const SETTINGS_DEFAULT: RouterSettings = {
  target: TARGET_DEFAULT,
  shadow_rate: 0,
  keep_text: true,
  auto_calibrate: true,
};

/** A version's name: `shipped`, or `v1`, `v2` and so on for a tenant's own. */
export const SHIPPED_VERSION = "shipped";

export interface VersionInfo {
  version: string;
  /** Unix ms; null for the shipped one. */
  created_at: number | null;
  /** `upload`: weights that came with their set; the others are sets for the weights that were in
   *  use: an administrator's `labels`, what the service `collected`, and that by itself. */
  source: "shipped" | "upload" | "labels" | "collected" | "automatic";
  note: string | null;
  weights_version: string;
  /** Answers of the calibration set, and abstentions beside them. */
  labels: number;
  abstained: number;
  active: boolean;
}

/** What an isolate remembers of a tenant's router. */
export interface RouterSnapshot {
  revision: number;
  settings: RouterSettings;
  /** The version that serves. */
  version: string;
  /** A version that is set and does not fit this build, so that the shipped one serves; or null. */
  unfit: string | null;
  /** The weights of `version`; null where that is the shipped one. */
  model: DifficultyFile | null;
  /** By its weights, what the ladder is made of. */
  engines: EngineSet[];
}

/** Whether the reader's answer was wrong, and who says so. */
export interface OutcomeLabel {
  wrong: boolean;
  source: "feedback" | "backend";
}

export interface RecordedOutcome extends Outcome {
  rating: "good" | "bad" | null;
  label: OutcomeLabel | null;
}

/** What an isolate tells of an answer. */
export interface Recording {
  outcome: Outcome;
  /** Of the router that scored it. */
  revision: number;
  /** Whether the difficulty of the reader's answer, its abstention, or what was promised before
   *  reading, decided where it went. Where nothing was read the outcome has no difficulty. */
  routed: boolean;
  /** Set where the question is one of the sample and all is known: whether the reader's answer is
   *  wrong, or null where it gave none. */
  sample: { wrong: boolean | null } | null;
}

/** An engine's answer to a question of the sample, once the backend's is at hand as well. */
export interface Comparison {
  /** As `brink.engine`; null for the reader. */
  engine: string | null;
  outcome: Pick<Outcome, "trace_id" | "weights_version" | "threshold">;
  /** The reader's. */
  difficulty: number;
  revision: number;
  /** Null where nothing can be said. */
  wrong: boolean | null;
}

/** What comparing answers with the backend's took, in all. */
export interface ShadowCounts {
  /** Times that the backend, or an engine below it, was asked what another had answered. */
  sent: number;
  /** Of these, those it failed at. */
  failed: number;
  /** Questions of the sample that were let go, whatever became of them, as too many were under
   *  way. */
  dropped: number;
  prompt_tokens: number;
  completion_tokens: number;
}

export const NO_SHADOWS: ShadowCounts = {
  sent: 0,
  failed: 0,
  dropped: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
};

/** The tests of drift since the calibration or, of risk, also the target changed. */
export interface DriftState {
  shift: ShiftState;
  /** Of kept answers that were compared, and of those that were rated; null before the first. */
  backend: RiskState | null;
  feedback: RiskState | null;
  /** Unix ms of the first alarm that stands; null without one. */
  since: number | null;
  /** What is older counts for no test of shift, and for none of risk. */
  shift_from: number;
  risk_from: number;
  /** The calibration that it is held against. */
  basis: string;
}

/** Everything there is to tell of a tenant's router. */
export interface RouterOverview extends RouterSnapshot {
  drift: DriftState;
  shadow: ShadowCounts;
  labels: { backend: number; feedback: number };
  /** By the weights in use, what was collected of other engines. */
  collected: EngineSet[];
  outcomes: number;
}

/** A calibration set to be: labels of the operator's own, or null for those that were collected. */
export interface NewCalibration {
  labels: LabelledScore[] | null;
  abstained: number;
  /** Whether they stand alone; else the tenant's own set, if it has one, keeps what it has. */
  replace: boolean;
  /** Whether ratings count among collected labels. */
  include_feedback: boolean;
}

export interface OutcomePage {
  outcomes: RecordedOutcome[];
  /** Null on the last. */
  cursor: string | null;
}
