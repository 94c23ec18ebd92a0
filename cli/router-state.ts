/** GET /admin/router as a table for people. */
import type { Drift, RiskTest, RouterState, RungState } from "../src/pipeline/learning-types.ts";
import type { Target } from "../src/router/target.ts";
import { countOfAnswers, showTime, table } from "./table.ts";

/** What it promises first, then how it is kept to. */
export function describeState(state: RouterState): string {
  const { target, calibration, labels } = state;
  return table([
    ["target", describeTarget(target)],
    ["threshold", describeThreshold(state)],
    ...describeExpected(state),
    ["version", describeVersion(state)],
    ["calibration", describeCalibration(calibration)],
    ["drift", describeDrift(state.drift)],
    ["  of difficulty", describeShift(state.drift.difficulty)],
    ["  of risk, compared", describeTest(state.drift.risk)],
    ["  of risk, rated", describeTest(state.drift.feedback)],
    ["compared", describeShadow(state)],
    ["labels", `${labels.backend} by comparing, ${labels.feedback} by ratings`],
    ["calibrates itself", state.auto_calibrate ? "yes, once there are enough labels" : "no"],
    [
      "remembered",
      `${countOfAnswers(state.outcomes)}, ${state.keep_text ? "with" : "without"} texts`,
    ],
    ...state.engines.map((rung) => [rung.engine, describeRung(rung)]),
  ]);
}

export function describeTarget(target: Target): string {
  if ("max_risk" in target) {
    const { max_risk, confidence } = target;
    const how = confidence === undefined ? "" : `, with confidence ${percent(confidence)}`;
    return `at most ${percent(max_risk)} of the edge's answers wrong${how}`;
  }
  if ("backend_share" in target)
    return `${percent(target.backend_share)} of questions to the backend`;
  return `${target.budget_usd_per_1k} USD for 1,000 questions`;
}

function describeThreshold({ threshold, target }: RouterState): string {
  const why = "max_risk" in target ? "the labels support none" : "the target has all leave";
  if (threshold < 0) return `none: ${why}, and the edge keeps no question`;
  return `${threshold.toFixed(4)}: the edge keeps what is no harder`;
}

function describeExpected({ expected, target }: RouterState): string[][] {
  const { coverage, risk, risk_upper, backend_share, usd_per_1k } = expected;
  const confidence = "confidence" in target ? target.confidence : undefined;
  const how = confidence === undefined ? "" : ` with confidence ${percent(confidence)}`;
  const rows = [
    ["kept at the edge", `${percent(coverage)} of questions`],
    ["of these wrong", `${percent(risk)}, at most ${percent(risk_upper)}${how}`],
    ["to the backend", percent(backend_share)],
  ];
  if (usd_per_1k !== null) rows.push(["cost", `${usd_per_1k.toFixed(2)} USD for 1,000 questions`]);
  return rows;
}

function describeVersion({ version, weights_version, unfit }: RouterState): string {
  const serving = `${version}, weights ${weights_version}`;
  return unfit === null ? serving : `${serving}; ${unfit} is set and does not fit this build`;
}

function describeCalibration(calibration: RouterState["calibration"]): string {
  const { version, source, labels, abstained } = calibration;
  const whose = source === "own" ? "of your own" : "as shipped: npx brink router calibrate";
  return `${version}, ${labels} labels and ${abstained} abstentions, ${whose}`;
}

function describeDrift({ alarm, since, difficulty, risk, feedback }: Drift): string {
  if (!alarm) return "no alarm";
  const which = [
    ...(difficulty.alarm ? ["questions are harder or easier than those calibrated on"] : []),
    ...(risk.alarm || feedback.alarm ? ["more answers are wrong than promised"] : []),
  ].join(", and ");
  const from = since === null ? "" : ` since ${showTime(since)}`;
  return `ALARM${from}: ${which}: npx brink router calibrate`;
}

function describeShift({ questions, window, windows, distance, bound }: Drift["difficulty"]) {
  const open = `${questions} of ${window} questions in the window that fills`;
  if (distance === null || bound === null) return open;
  const last = `the last ${distance.toFixed(3)} from the calibration, alarm above`;
  return `${open}; ${windows} before it, ${last} ${bound.toFixed(3)}`;
}

function describeTest({ labels, wrong, promised, ...test }: RiskTest): string {
  if (labels === 0) return "no labels yet";
  const found = `${wrong} of ${labels} wrong, ${percent(promised)} promised`;
  const alarm = `alarm from ${test.log_evidence_alarm.toFixed(2)}`;
  return `${found}; evidence ${test.log_evidence.toFixed(2)}, ${alarm}`;
}

function describeShadow({ shadow_rate, shadow }: RouterState): string {
  const { sent, failed, dropped, prompt_tokens, completion_tokens } = shadow;
  const tokens = prompt_tokens + completion_tokens;
  const asked = `${sent} asked, ${failed} failed, ${dropped} let go, ${tokens} tokens`;
  return `${percent(shadow_rate)} of questions: ${asked}`;
}

function describeRung({ usd_per_1k, labels, wrong, threshold, kept }: RungState): string {
  const known = `${usd_per_1k} USD for 1,000 questions, ${wrong} of ${labels} compared wrong`;
  if (threshold === null || kept === null) return `${known}: too few labels to be asked first`;
  const risk = `${kept.wrong} of ${kept.labels} wrong there, at most ${percent(kept.risk_upper)}`;
  return `${known}: answers up to ${threshold.toFixed(4)}, ${risk}`;
}

/** `12.3 %` of a share. */
export function percent(share: number): string {
  return `${+(100 * share).toFixed(1)} %`;
}
