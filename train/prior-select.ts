/** Chooses the prior's settings by cross-validation over subjects, and scores each subject by a fit
 *  that never saw it, with settings that never saw it either. */
import { createHash } from "node:crypto";
import type { LabelledPrompt } from "../eval/routellm-data.ts";
import type { Encoder } from "../src/model/encoder.ts";
import { guessOf } from "../src/router/prior.ts";
import { priorFeatures, splitPrompt, textOf } from "../src/router/prior-features.ts";
import { fitPrior, type Judged, judge, type PriorSettings, PriorTable } from "./prior-fit.ts";
import { tokenBasis } from "./token-basis.ts";

/** What is tried: the least log loss lies within these. */
export const SETTINGS: readonly PriorSettings[] = [100, 300, 1_000, 3_000].flatMap((hardPenalty) =>
  [4_000, 16_000].map((edgePenalty) => {
    return { hardPenalty, edgePenalty };
  }),
);
/** Subjects are dealt to so many parts in the order of their names' hashes. */
export const PARTS = 8;
/** Directions of the token embeddings that are looked at. */
const DIRECTIONS = 32;

export interface Tables {
  chosen: PriorTable;
  /** The same prompts without their choices. */
  open: PriorTable;
}

export function tablesOf(prompts: readonly LabelledPrompt[], encoder: Encoder): Tables {
  const basis = tokenBasis(encoder, DIRECTIONS);
  const table = (withChoices: boolean) =>
    new PriorTable(
      prompts.map(({ subject, prompt, weakRight, strongRight }) => {
        const whole = splitPrompt(prompt);
        const parts = withChoices ? whole : { stem: whole.stem, choices: [] };
        return {
          group: subject,
          features: priorFeatures(parts),
          tokens: encoder.averageTokens(textOf(parts)),
          // The engines that were marked saw the choices.
          guess: guessOf(whole),
          weakWrong: !weakRight,
          strongWrong: !strongRight,
        };
      }),
      basis,
    );
  return { chosen: table(true), open: table(false) };
}

export interface Selection {
  settings: PriorSettings;
  /** Of each prompt, by a fit of the chosen settings to the other parts: the weights have not seen
   *  its subject, the choice has. */
  heldOut: number[];
}

/** The settings with the least log loss of held-out parts, which differs less by chance than any
 *  figure of the ranking. PARTS fits for each of SETTINGS. */
export function selectPrior(table: PriorTable, progress: (done: number) => void): Selection {
  const part = partOf(table.groups);
  const tried = SETTINGS.map((settings, s) => {
    const heldOut = new Array<Judged>(table.n);
    for (let p = 0; p < PARTS; p++) {
      const fit = fitPrior(
        table,
        rowsWhere(table, (i) => part[i] !== p),
        settings,
      );
      for (const i of rowsWhere(table, (row) => part[row] === p)) heldOut[i] = judge(fit, table, i);
      progress((s * PARTS + p + 1) / (SETTINGS.length * PARTS));
    }
    return { settings, heldOut };
  });
  const { settings, heldOut } = best(tried, (one) => -lossOver(one.heldOut));
  return { settings, heldOut: heldOut.map(({ gain }) => gain) };
}

export interface Nested {
  gains: number[];
  /** What was chosen for each part's subjects. */
  chosen: PriorSettings[];
}

/** Leave-subjects-out, nested: the gains of a subject come from a fit to all other subjects, whose
 *  settings have the least log loss on the other parts, each held out in turn, by fits that saw
 *  neither part. PARTS (PARTS - 1) / 2 fits for each of SETTINGS, and one for each subject. */
export function leaveSubjectsOut(table: PriorTable, progress: (done: number) => void): Nested {
  const part = partOf(table.groups);
  const chosen = choosePerPart(table, part, progress);
  const gains = new Array<number>(table.n);
  for (const subject of new Set(table.groups)) {
    const own = rowsWhere(table, (i) => table.groups[i] === subject);
    const others = rowsWhere(table, (i) => table.groups[i] !== subject);
    const fit = fitPrior(table, others, chosen[part[own[0]!]!]!);
    for (const i of own) gains[i] = judge(fit, table, i).gain;
  }
  return { gains, chosen };
}

function choosePerPart(
  table: PriorTable,
  part: readonly number[],
  progress: (done: number) => void,
): PriorSettings[] {
  const tried = SETTINGS.map((settings, s) => {
    const without = Array.from({ length: PARTS }, () => new Array<Judged>(table.n));
    for (let p = 0; p < PARTS; p++)
      for (let q = 0; q < p; q++) {
        const rest = rowsWhere(table, (i) => part[i] !== p && part[i] !== q);
        const fit = fitPrior(table, rest, settings);
        for (const i of rowsWhere(table, (row) => part[row] === q))
          without[p]![i] = judge(fit, table, i);
        for (const i of rowsWhere(table, (row) => part[row] === p))
          without[q]![i] = judge(fit, table, i);
        progress((s + (p * (p - 1) + 2 * q + 2) / (PARTS * (PARTS - 1))) / SETTINGS.length);
      }
    return { settings, without };
  });
  return Array.from({ length: PARTS }, (_, p) => {
    const others = rowsWhere(table, (i) => part[i] !== p);
    return best(tried, ({ without }) => -lossOver(others.map((i) => without[p]![i]!))).settings;
  });
}

function lossOver(judged: readonly Judged[]): number {
  return judged.reduce((sum, { loss }) => sum + loss, 0);
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
