/** What the API asks of the router that learns, and what it gets back. Names in snake_case are
 *  those of the HTTP contract. */
import type { Expected } from "../router/calibration.ts";
import type { CurvePoint, HistogramBin, ReliabilityBin } from "../router/curves.ts";
import type { DifficultyFile } from "../router/difficulty.ts";
import type {
  NewCalibration,
  OutcomePage,
  RouterSettings,
  ShadowCounts,
  VersionInfo,
} from "../router/router-types.ts";
import type { Target } from "../router/target.ts";
import type { Caller } from "./types.ts";

export interface FeedbackRequest {
  /** The answer's x-brink-trace. */
  trace_id: string;
  rating: "good" | "bad";
  /** With `bad`: what the answer should have been. */
  correction: string | null;
}

export interface FeedbackReply {
  recorded: true;
  /** A note that answers from now on, one that waits for an administrator, or none. */
  learned: "note" | "pending" | null;
}

/** A test of the risk that was promised, by labels of answers that the edge kept. */
export interface RiskTest {
  alarm: boolean;
  promised: number;
  labels: number;
  wrong: number;
  /** ln of the evidence against the promise, and from where on it is an alarm. */
  log_evidence: number;
  log_evidence_alarm: number;
}

export interface Drift {
  /** Whether any of the three stands. */
  alarm: boolean;
  /** Unix ms of the first alarm that stands; null without one. */
  since: number | null;
  difficulty: {
    alarm: boolean;
    /** Questions of the open window, and how many a window has. */
    questions: number;
    window: number;
    /** Windows that were tested. */
    windows: number;
    /** Of the last: how far it was from the calibration set, 0..1, and what is still none. */
    distance: number | null;
    bound: number | null;
  };
  /** By answers that were compared with the backend's. */
  risk: RiskTest;
  /** By ratings, which are no fair sample. */
  feedback: RiskTest;
}

/** An engine between the reader and the backends that are asked first. */
export interface RungState {
  /** As `brink.engine`. */
  engine: string;
  /** USD for 1,000 questions. */
  usd_per_1k: number;
  /** Its answers to questions of the sample that were compared with the backend's. */
  labels: number;
  wrong: number;
  /** The largest difficulty that it may answer; null while its labels support none. */
  threshold: number | null;
  /** Of its labels between what is kept below and the threshold: how many, how many were wrong, and
   *  what the share of wrong ones is below with the target's confidence; null without threshold. */
  kept: { labels: number; wrong: number; risk_upper: number } | null;
}

export interface RouterState extends RouterSettings {
  threshold: number;
  weights_version: string;
  version: string;
  unfit: string | null;
  calibration: {
    version: string;
    source: "shipped" | "own";
    labels: number;
    abstained: number;
  };
  expected: Expected;
  drift: Drift;
  shadow: ShadowCounts;
  labels: { backend: number; feedback: number };
  /** Cheapest first. */
  engines: RungState[];
  outcomes: number;
}

/** What another target would mean. */
export interface RouterPreview {
  target: Target;
  threshold: number;
  expected: Expected;
}

/** What the calibration set in use says. */
export interface RouterCurves {
  /** By ascending threshold. */
  points: CurvePoint[];
  /** Easiest first. */
  reliability: ReliabilityBin[];
  histogram: HistogramBin[];
}

export type CalibrateRequest = NewCalibration;

export interface VersionRequest {
  model: DifficultyFile;
  note: string | null;
  activate: boolean;
}

/** Of the caller's tenant, and of no other. */
export interface RouterAdmin {
  get(caller: Caller): Promise<RouterState>;
  /** What is not named stays. Throws `invalid_request` for a budget without prices. */
  put(caller: Caller, changes: Partial<RouterSettings>): Promise<RouterState>;
  /** Sets nothing. Throws `invalid_request` for a budget without prices. */
  preview(caller: Caller, target: Target): Promise<RouterPreview>;
  curves(caller: Caller): Promise<RouterCurves>;
  /** Throws `invalid_request` where there is not one label. */
  calibrate(caller: Caller, request: CalibrateRequest): Promise<RouterState>;
  /** Newest first, the shipped one last. */
  versions(caller: Caller): Promise<VersionInfo[]>;
  /** Throws `conflict` where other weights have the same name. */
  addVersion(
    caller: Caller,
    request: VersionRequest,
  ): Promise<{ version: string; weights_version: string; active: boolean }>;
  /** Throws `not_found`, and `invalid_request` for one that does not fit this release. */
  rollBack(caller: Caller, version: string): Promise<RouterState>;
  outcomes(
    caller: Caller,
    page: { limit: number; cursor: number | null; labelled: boolean },
  ): Promise<OutcomePage>;
  /** How many there were. */
  forgetOutcomes(caller: Caller): Promise<number>;
  drift(caller: Caller): Promise<Drift>;
}
