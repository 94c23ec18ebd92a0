/** Chooses the prior's settings by cross-validation over subjects, and scores each subject by a fit
 *  that never saw it, with settings that never saw it either. */
import { createHash } from "node:crypto";
import type { LabelledPrompt } from "../eval/routellm-data.ts";
import { apgr, curveOf, rankByScore } from "../eval/routing-curve.ts";
import { priorFeatures, wordsIn } from "../src/router/prior-features.ts";
import { fitPrior, gainBy, type PriorSettings, PriorTable } from "./prior-fit.ts";

/** What is tried. The penalties of hardness and of words matter little, so each is one. */
export const SETTINGS: readonly PriorSettings[] = [1, 1.2, 1.4].flatMap((slope) =>
  [4_000, 16_000, 64_000].map((edgePenalty) => {
    return { slope, edgePenalty, hardPenalty: 300, wordPenalty: 200 };
  }),
);
/** Subjects are dealt to so many parts in the order of their names' hashes. */
export const PARTS = 8;

export function tableOf(prompts: readonly LabelledPrompt[]): PriorTable {
  return new PriorTable(
    prompts.map(({ subject, prompt, weakRight, strongRight }) => ({
      group: subject,
      features: priorFeatures(prompt),
      words: wordsIn(prompt),
      weakWrong: !weakRight,
      strongWrong: !strongRight,
    })),
  );
}

export interface Selection {
  settings: PriorSettings;
  /** Of each prompt, by a fit of the chosen settings to the other parts: the weights have not seen
   *  its subject, the choice has. */
  heldOut: number[];
}

/** The settings with the highest APGR of held-out parts. PARTS fits for each of SETTINGS. */
export function selectPrior(
  prompts: readonly LabelledPrompt[],
  table: PriorTable,
  progress: (done: number) => void,
): Selection {
  const part = partOf(table.groups);
  const tried = SETTINGS.map((settings, s) => {
    const heldOut = new Array<number>(table.n);
    for (let p = 0; p < PARTS; p++) {
      const fit = fitPrior(
        table,
        rowsWhere(table, (i) => part[i] !== p),
        settings,
      );
      for (const i of rowsWhere(table, (row) => part[row] === p))
        heldOut[i] = gainBy(fit, table, i);
      progress((s * PARTS + p + 1) / (SETTINGS.length * PARTS));
    }
    return { settings, heldOut };
  });
  const all = rowsWhere(table, () => true);
  return best(tried, ({ heldOut }) => apgrOf(prompts, all, (i) => heldOut[i]!));
}

export interface Nested {
  gains: number[];
  /** What was chosen for each part's subjects. */
  chosen: PriorSettings[];
}

/** Leave-subjects-out, nested: the gains of a subject come from a fit to all other subjects, whose
 *  settings have the highest APGR on the other parts, each held out in turn, by fits that saw
 *  neither part. PARTS (PARTS - 1) / 2 fits for each of SETTINGS, and one for each subject. */
export function leaveSubjectsOut(
  prompts: readonly LabelledPrompt[],
  table: PriorTable,
  progress: (done: number) => void,
): Nested {
  const part = partOf(table.groups);
  const chosen = choosePerPart(prompts, table, part, progress);
  const gains = new Array<number>(table.n);
  for (const subject of new Set(table.groups)) {
    const own = rowsWhere(table, (i) => table.groups[i] === subject);
    const others = rowsWhere(table, (i) => table.groups[i] !== subject);
    const fit = fitPrior(table, others, chosen[part[own[0]!]!]!);
    for (const i of own) gains[i] = gainBy(fit, table, i);
  }
  return { gains, chosen };
}

function choosePerPart(
  prompts: readonly LabelledPrompt[],
  table: PriorTable,
  part: readonly number[],
  progress: (done: number) => void,
): PriorSettings[] {
  const tried = SETTINGS.map((settings, s) => {
    const without = Array.from({ length: PARTS }, () => new Array<number>(table.n));
    for (let p = 0; p < PARTS; p++)
      for (let q = 0; q < p; q++) {
        const rest = rowsWhere(table, (i) => part[i] !== p && part[i] !== q);
        const fit = fitPrior(table, rest, settings);
        for (const i of rowsWhere(table, (row) => part[row] === q))
          without[p]![i] = gainBy(fit, table, i);
        for (const i of rowsWhere(table, (row) => part[row] === p))
          without[q]![i] = gainBy(fit, table, i);
        progress((s + (p * (p - 1) + 2 * q + 2) / (PARTS * (PARTS - 1))) / SETTINGS.length);
      }
    return { settings, without };
  });
  return Array.from({ length: PARTS }, (_, p) => {
    const others = rowsWhere(table, (i) => part[i] !== p);
    return best(tried, ({ without }) => apgrOf(prompts, others, (i) => without[p]![i]!)).settings;
  });
}

function apgrOf(
  prompts: readonly LabelledPrompt[],
  rows: readonly number[],
  gain: (row: number) => number,
): number {
  const ranking = rankByScore(
    rows.map(gain),
    rows.map((i) => prompts[i]!.prompt),
  );
  return apgr(curveOf(ranking.map((r) => prompts[rows[r]!]!)));
}

/** The part of each example, 0..PARTS - 1. */
export function partOf(groups: readonly string[]): number[] {
  const hash = (name: string) => createHash("sha256").update(name).digest("hex");
  const order = [...new Set(groups)].sort((a, b) => (hash(a) < hash(b) ? -1 : 1));
  return groups.map((group) => order.indexOf(group) % PARTS);
}

function rowsWhere(table: PriorTable, test: (row: number) => boolean): number[] {
  return Array.from({ length: table.n }, (_, i) => i).filter(test);
}

function best<T>(items: readonly T[], value: (item: T) => number): T {
  const values = items.map(value);
  return items[values.indexOf(Math.max(...values))]!;
}
