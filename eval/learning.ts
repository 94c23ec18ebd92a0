/** Does memory learn: does a fixed quality need less of the backend as questions come again in
 *  other words? */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { withService } from "./client.ts";
import { drawLearning, type QuarterFigures } from "./learning-plot.ts";
import { type Asked, replay } from "./learning-replay.ts";
import { makeTraffic, QUARTERS } from "./learning-traffic.ts";
import { bootstrap, type EvalOptions, type EvalReport, type Figure } from "./report.ts";
import { WRONG_BELOW_F1 } from "./scores.ts";
import { readSquad } from "./squad.ts";

/** Questions of a quarter, each about 0.2 s of work. */
const PER_QUARTER = 250;
const FALL_LEAST = 0.4;
const PLOT = "docs/learning.svg";

/** `limit` is the number of questions in a quarter. */
export async function evaluateLearning(options: EvalOptions): Promise<EvalReport> {
  const all = readSquad(options.data);
  const perQuarter = Math.min(options.limit, PER_QUARTER);
  const traffic = makeTraffic(all, perQuarter);
  const { asked, threshold } = await withService(options.url, (client) =>
    replay(client, traffic, all),
  );
  const groups = groupsOf(asked);
  const quality = bootstrap(groups, (some) => qualityAt(some.flat(), 0, threshold));
  const shares = quarters((quarter) =>
    bootstrap(groups, (some) => shareNeeded(some.flat(), quarter, threshold)),
  );
  const fall = bootstrap(groups, (some) => fallOf(some.flat(), threshold));
  const figures: EvalReport["figures"] = {
    threshold,
    "quality that the first quarter reaches": quality,
  };
  for (const [quarter, share] of shares.entries())
    Object.assign(figures, describeQuarter(asked, groups, quarter, share, threshold));
  figures["fall of the backend share needed, first to last quarter"] = fall;
  Object.assign(figures, describeNotes(asked));
  const plotted = shares.map((needed, quarter): QuarterFigures => {
    const own = asked.filter((one) => one.quarter === quarter);
    return { needed, byNote: shareOf(own, ({ by }) => by === "note") };
  });
  if (options.limit >= PER_QUARTER)
    writeFileSync(join(import.meta.dirname, "..", PLOT), drawLearning(plotted, quality.value));
  const name = "fall of the backend share needed";
  const bounds = [{ name, value: fall.value, least: FALL_LEAST }];
  return { what: "learning", data: options.data, questions: asked.length, figures, bounds };
}

const quarters = <T>(of: (quarter: number) => T): T[] =>
  Array.from({ length: QUARTERS }, (_, quarter) => of(quarter));

/** What is resampled: a question with all its wordings is one item. */
function groupsOf(asked: readonly Asked[]): Asked[][] {
  const groups = new Map<string, Asked[]>();
  for (const one of asked) {
    const key = one.recurring ?? `once ${one.question.id}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

const isRight = ({ f1 }: Asked) => f1 >= WRONG_BELOW_F1;

function shareOf(asked: readonly Asked[], holds: (one: Asked) => boolean): number {
  return asked.length === 0 ? 0 : asked.filter(holds).length / asked.length;
}

/** The share of right answers where what is harder than the threshold goes to the backend, which is
 *  always right. */
function qualityAt(asked: readonly Asked[], quarter: number, threshold: number): number {
  const own = asked.filter((one) => one.quarter === quarter);
  return shareOf(own, (one) => one.difficulty > threshold || isRight(one));
}

/** The least backend share of a quarter, over all thresholds, with the quality that the first
 *  quarter has at the given one. */
export function shareNeeded(asked: readonly Asked[], quarter: number, threshold: number): number {
  const wanted = qualityAt(asked, 0, threshold);
  const own = asked.filter((one) => one.quarter === quarter);
  own.sort((a, b) => a.difficulty - b.difficulty);
  let wrong = 0;
  let kept = 0;
  for (const [i, one] of own.entries()) {
    if (!isRight(one)) wrong += 1;
    const tied = own[i + 1]?.difficulty === one.difficulty; // a threshold cannot part them
    if (!tied && one.difficulty < 1 && 1 - wrong / own.length >= wanted) kept = i + 1;
  }
  return own.length === 0 ? 0 : 1 - kept / own.length;
}

function fallOf(asked: readonly Asked[], threshold: number): number {
  const first = shareNeeded(asked, 0, threshold);
  return first === 0 ? 0 : 1 - shareNeeded(asked, QUARTERS - 1, threshold) / first;
}

function describeQuarter(
  asked: readonly Asked[],
  groups: readonly Asked[][],
  quarter: number,
  share: Figure,
  threshold: number,
): EvalReport["figures"] {
  const own = asked.filter((one) => one.quarter === quarter);
  const at = `quarter ${quarter + 1}`;
  return {
    [`${at}: backend share needed`]: share,
    [`${at}: quality at the threshold`]: bootstrap(groups, (some) =>
      qualityAt(some.flat(), quarter, threshold),
    ),
    [`${at}: backend share at the threshold`]: shareOf(own, ({ difficulty }) => {
      return difficulty > threshold;
    }),
    [`${at}: answered by a note`]: shareOf(own, ({ by }) => by === "note"),
  };
}

/** How good notes are, and how often a question that was asked before finds its note, by how it was
 *  worded. */
function describeNotes(asked: readonly Asked[]): EvalReport["figures"] {
  const hits = asked.filter(({ by }) => by === "note");
  const figures: EvalReport["figures"] = {
    "wrong, share of what notes answered": shareOf(hits, (one) => !isRight(one)),
    "false hits, share of all questions": shareOf(
      asked,
      (one) => one.by === "note" && !isRight(one),
    ),
    "questions that come once and got a note": shareOf(
      asked.filter(({ recurring }) => recurring === null),
      ({ by }) => by === "note",
    ),
  };
  const again = asked.filter(({ noted }) => noted);
  const wordings = [...new Set(again.flatMap(({ made }) => made.split(" + ")))].sort();
  for (const wording of wordings) {
    const own = again.filter(({ made }) => made.split(" + ").includes(wording));
    figures[`hits, of ${own.length} by "${wording}"`] = shareOf(own, ({ by }) => by === "note");
  }
  return figures;
}
