/** The tests of drift of one tenant, and against what they are held. */
import type { CalibrationSet } from "./calibration.ts";
import { countDifficulty, countLabel, newRisk, newShift } from "./drift.ts";
import { riskUpperBound } from "./risk.ts";
import type { DriftState } from "./router-types.ts";
import { CONFIDENCE_DEFAULT, type Target } from "./target.ts";

/** By what it is known whether tests are of the calibration that serves. */
export function basisOf(
  active: Record<"model" | "set", { version: string }> & { version: string },
) {
  const { version, model, set } = active;
  return `${version} ${model.version} ${set.version}`;
}

/** Fresh tests, of what is scored by a revision of at least `revision`. */
export function newDrift(basis: string, set: CalibrationSet, revision: number): DriftState {
  return {
    ...{ basis, shift: newShift(set), backend: null, feedback: null, since: null },
    ...{ shift_from: revision, risk_from: revision },
  };
}

/** The same after the target changed: what risk was promised is another now. */
export function withNewPromise(state: DriftState, revision: number): DriftState {
  const since = state.shift.alarm ? state.since : null;
  return { ...state, backend: null, feedback: null, since, risk_from: revision };
}

/** Counts a question that the router decided; an abstention has the difficulty 1, and null one that
 *  left unread, so that it is above `threshold`. */
export function watchDifficulty(
  state: DriftState,
  label: { difficulty: number | null; threshold: number; revision: number },
  now: number,
): DriftState {
  const { difficulty, threshold, revision } = label;
  if (revision < state.shift_from) return state;
  const shift =
    difficulty === null
      ? countDifficulty(state.shift, 1, threshold)
      : countDifficulty(state.shift, difficulty);
  return noteAlarm({ ...state, shift }, now);
}

/** Counts the first verdict of a source on an answer that the threshold kept. */
export function watchLabel(
  state: DriftState,
  source: "backend" | "feedback",
  label: { difficulty: number; threshold: number; wrong: boolean; revision: number },
  promise: { target: Target; set: CalibrationSet },
  now: number,
): DriftState {
  if (label.revision < state.risk_from || label.difficulty > label.threshold) return state;
  const test = state[source] ?? newRisk(promisedRisk(promise, label.threshold));
  return noteAlarm({ ...state, [source]: countLabel(test, label.wrong) }, now);
}

/** Of a target that names no risk, the bound that the calibration set gives its threshold. */
export function promisedRisk(
  { target, set }: { target: Target; set: CalibrationSet },
  threshold: number,
): number {
  if ("max_risk" in target) return target.max_risk;
  const kept = set.scores.filter(({ difficulty }) => difficulty <= threshold);
  const wrong = kept.filter((score) => score.wrong).length;
  return riskUpperBound(kept.length, wrong, CONFIDENCE_DEFAULT);
}

export function isAlarmed({ shift, backend, feedback }: DriftState): boolean {
  return shift.alarm || backend?.alarm === true || feedback?.alarm === true;
}

function noteAlarm(state: DriftState, now: number): DriftState {
  return isAlarmed(state) && state.since === null ? { ...state, since: now } : state;
}
