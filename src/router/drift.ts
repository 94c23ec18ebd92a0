/** Alarms that what is asked, or how often the edge is wrong, is no longer as it was calibrated.
 *  Each state is plain data, so that it can be stored between questions. Alarms stay until the
 *  calibration changes. */
import {
  DRIFT_ALARM_PROBABILITY,
  DRIFT_BINS,
  DRIFT_START_EVERY,
  DRIFT_STARTS_MAX,
  DRIFT_WINDOW,
} from "../limits.ts";
import type { CalibrationSet } from "./calibration.ts";

/** The test of difficulties so far. */
export interface ShiftState {
  /** The calibration set's questions by difficulty, [DRIFT_BINS]; an abstention counts as 1. */
  expected: number[];
  /** The open window's, [DRIFT_BINS]. */
  window: number[];
  /** Up to where, 0..1, the open window's difficulties are known: the least threshold at which a
   *  question of it left unread, as one that is harder than that. 1 where all were read. */
  comparable: number;
  /** Windows that were tested. */
  tests: number;
  /** Of the last window: the greatest difference of the two distributions, 0..1, and above which
   *  it is an alarm. */
  distance: number | null;
  bound: number | null;
  alarm: boolean;
}

export function newShift(set: Pick<CalibrationSet, "scores" | "abstained">): ShiftState {
  const expected = new Array<number>(DRIFT_BINS).fill(0);
  for (const { difficulty } of set.scores) expected[binOf(difficulty)]! += 1;
  expected[DRIFT_BINS - 1]! += set.abstained;
  const window = new Array<number>(DRIFT_BINS).fill(0);
  return { expected, window, comparable: 1, tests: 0, distance: null, bound: null, alarm: false };
}

/** Counts a question of this difficulty, 0..1 with an abstention as 1; a full window is tested. Of
 *  one that left unread, all that is known is that it is above `above`: then distributions are
 *  compared up to there, which the bound below, on all differences at once, covers.
 *
 *  Two-sample Kolmogorov-Smirnov on windows that share no question. For any distribution, with
 *  probability 1 - a a sample of m differs from it by at most sqrt(ln(2 / a) / (2 m)) (Dvoretzky,
 *  Kiefer and Wolfowitz 1956, with the constant of Massart 1990). Half of the tolerated probability
 *  is spent once on the calibration sample, and (3 / pi^2) / j^2 of it on the j-th window, which
 *  sums to the other half; by the triangle inequality both bounds add. So the chance of any false
 *  alarm ever is at most DRIFT_ALARM_PROBABILITY, ties and bins included. */
export function countDifficulty(state: ShiftState, difficulty: number, above = 1): ShiftState {
  const comparable = Math.min(state.comparable, above);
  const window = state.window.slice();
  window[binOf(difficulty)]! += 1;
  if (total(window) < DRIFT_WINDOW) return { ...state, window, comparable };
  const tests = state.tests + 1;
  const calibrated = total(state.expected);
  const distance = calibrated === 0 ? 0 : maxDifference(state.expected, window, comparable);
  const bound =
    calibrated === 0
      ? 1
      : dkw(calibrated, DRIFT_ALARM_PROBABILITY / 2) +
        dkw(DRIFT_WINDOW, (DRIFT_ALARM_PROBABILITY * 3) / (Math.PI * tests) ** 2);
  return {
    expected: state.expected,
    window: new Array<number>(DRIFT_BINS).fill(0),
    comparable: 1,
    tests,
    distance,
    bound,
    alarm: state.alarm || distance > bound,
  };
}

const dkw = (m: number, probability: number) => Math.sqrt(Math.log(2 / probability) / (2 * m));

function binOf(difficulty: number): number {
  return Math.max(0, Math.min(DRIFT_BINS - 1, Math.floor(difficulty * DRIFT_BINS)));
}

/** A threshold times the bins may miss a whole number by its last bits. */
const ROUNDING = 1e-9;

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

function maxDifference(a: readonly number[], b: readonly number[], upTo: number): number {
  const [totalA, totalB] = [total(a), total(b)];
  let [sumA, sumB, greatest] = [0, 0, 0];
  for (let i = 0; i < a.length && i + 1 <= upTo * DRIFT_BINS + ROUNDING; i++) {
    sumA += a[i]! / totalA;
    sumB += b[i]! / totalB;
    greatest = Math.max(greatest, Math.abs(sumA - sumB));
  }
  return greatest;
}

/** The test of risk so far. */
export interface RiskState {
  /** The risk that was promised, (0, 1). */
  risk: number;
  /** Labels of kept answers that were counted, and the wrong ones among them. */
  labels: number;
  wrong: number;
  /** Bets under way: `from` is how many labels had been counted when it began. */
  starts: { from: number; labels: number; wrong: number }[];
  /** ln of the wealth; an alarm at ln(1 / DRIFT_ALARM_PROBABILITY). */
  log_wealth: number;
  alarm: boolean;
}

export function newRisk(risk: number): RiskState {
  const promised = Math.min(1 - 1e-3, Math.max(1e-3, risk));
  return { risk: promised, labels: 0, wrong: 0, starts: [], log_wealth: 0, alarm: false };
}

/** Counts a kept answer's label.
 *
 *  Testing by betting: under "given what came before, an answer is wrong with probability at most
 *  `risk`", a bet that multiplies wealth by q/risk for a wrong answer and (1-q)/(1-risk) for a
 *  right one, q > risk, has an expectation of at most 1, so wealth is a non-negative
 *  supermartingale, and so is a fixed mixture of such bets. By Ville's inequality (1939) it ever
 *  reaches 1/a with probability at most a: valid however often one looks, and whenever labels come
 *  (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting",
 *  JRSS-B 86(1), arXiv 2010.09686). The mixture is over the q of ODDS, and over when the risk
 *  changed: the j-th start has the weight 1 / (j (j + 1)), which sums to 1 (as the mixtures of
 *  Shin, Ramdas and Rinaldo, "E-detectors", arXiv 2203.03532, but with weights that sum to 1, which
 *  bounds the chance of any false alarm ever). What is dropped counts as nothing, which only
 *  lowers the wealth. */
export function countLabel(state: RiskState, wrong: boolean): RiskState {
  const begins = state.labels % DRIFT_START_EVERY === 0;
  const started = begins
    ? [...state.starts, { from: state.labels, labels: 0, wrong: 0 }]
    : state.starts;
  const starts = started.map((start) => ({
    from: start.from,
    labels: start.labels + 1,
    wrong: start.wrong + (wrong ? 1 : 0),
  }));
  const logs = starts.map((start) => logWealth(start, state.risk));
  if (starts.length > DRIFT_STARTS_MAX) {
    const least = logs.indexOf(Math.min(...logs));
    starts.splice(least, 1);
    logs.splice(least, 1);
  }
  const log_wealth = logSumExp(logs);
  return {
    risk: state.risk,
    labels: state.labels + 1,
    wrong: state.wrong + (wrong ? 1 : 0),
    starts,
    log_wealth,
    alarm: state.alarm || log_wealth >= Math.log(1 / DRIFT_ALARM_PROBABILITY),
  };
}

/** Where the bets lie between the promised risk and certainty of error: a risk that grew a little
 *  takes a small one. */
const ODDS = [0.03, 0.08, 0.2, 0.4, 0.8] as const;

function logWealth(start: RiskState["starts"][number], risk: number): number {
  const j = start.from / DRIFT_START_EVERY + 1;
  const right = start.labels - start.wrong;
  const bets = ODDS.map((share) => {
    const q = risk + share * (1 - risk);
    return start.wrong * Math.log(q / risk) + right * Math.log((1 - q) / (1 - risk));
  });
  return logSumExp(bets) - Math.log(ODDS.length) - Math.log(j * (j + 1));
}

function logSumExp(logs: readonly number[]): number {
  const greatest = Math.max(...logs);
  return greatest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - greatest), 0));
}
