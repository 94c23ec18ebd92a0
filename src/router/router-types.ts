/** What a tenant's router goes by, and what it keeps. Plain data: it crosses object RPC. */
import type { DifficultyModel } from "./difficulty.ts";
import type { Target } from "./target.ts";

/** What answers are routed by, as an isolate holds it. */
export interface ActiveRouter {
  /** The weights that score, with their calibration set. */
  model: DifficultyModel;
  target: Target;
  /** The largest difficulty that stays at the edge, by the target and the calibration set; -1: none
   *  does. */
  threshold: number;
}
