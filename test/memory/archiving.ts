/** A shard with documents whose vectors get cold, on a clock of its own. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Codebook } from "../../index/pq.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { xorshift32 } from "../../index/xorshift.ts";
import { ARCHIVE_PART_WIDTH } from "../../src/limits.ts";
import { Shard } from "../../src/memory/shard.ts";
import type { CandidateRequest, Change } from "../../src/memory/shard-types.ts";
import { NAMESPACE_DEFAULTS, type PreparedDocument } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { passage, prepared } from "./documents.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;
export const DAYS = 10;
export const WORDS = "amber birch cedar dune ember fjord grove heath".split(" ");
/** Few enough dimensions that a training takes no time. */
export const DIM = 32;
export const SEALED = 1_500;
/** One in so many documents brought its embedding. */
export const BROUGHT = 10;

/** A unit vector of one of eight directions with noise. */
export function vectorOf(seed: number, dim = DIM): Float32Array {
  const next = xorshift32(seed * 7_919 + 1);
  const direction = xorshift32((seed % WORDS.length) + 1);
  const vector = Float32Array.from({ length: dim }, () => {
    return (direction() / 2 ** 32 - 0.5) * 2 + (next() / 2 ** 32 - 0.5);
  });
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

export function documentOf(n: number, dim = DIM): PreparedDocument {
  const text = `${WORDS[n % WORDS.length]} ${WORDS[(n >> 3) % WORDS.length]} number ${n}`;
  const vector = quantizeVector(vectorOf(n, dim));
  const passages = [passage(0, text.length, vector)];
  return prepared(`d${n}`, text, { passages, brought: n % BROUGHT === 0 });
}

export const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => from + i);

export interface Tested {
  shard: Shard;
  sql: SqlStorage;
  /** The clock. */
  at: { now: number };
  /** Another shard over the same tables, as when the object woke. */
  reopen(): Shard;
}

/** A shard with options, all of it sealed in segments of 500. */
export async function withShard<T>(name: string, test: (tested: Tested) => T): Promise<T> {
  const stub = env.MEMORY.getByName(`archive/${name}`);
  return runInDurableObject(stub, (_, { storage }) => {
    const at = { now: 1_000 };
    const settings = { sealPassages: 500, mergeFan: 100, now: () => at.now };
    const reopen = () => new Shard(storage, kernels, settings);
    const shard = reopen();
    shard.configure({ ...NAMESPACE_DEFAULTS, archive_after_days: DAYS });
    return test({ shard, sql: storage.sql, at, reopen });
  });
}

export const upsert = (row: number, document: PreparedDocument): Change => {
  return { kind: "upsert", row, document, if_version: null };
};

/** Stores documents 1 to `count`, each at the row of its number, and seals what it can. */
export function fill(shard: Shard, count: number, dim = DIM, from = 1): void {
  for (let n = from; n <= count; n += 500) {
    shard.apply(
      range(n, Math.min(n + 500, count + 1)).map((row) => upsert(row, documentOf(row, dim))),
    );
    maintain(shard, 3);
  }
}

export function maintain(shard: Shard, steps: number): void {
  for (let step = 0; step < steps; step++) shard.maintain();
}

/** Maintains until nothing is due; how many steps that took. */
export function settle(shard: Shard, now: number): number {
  for (let steps = 0; steps < 1_000; steps++) {
    const due = shard.dueAt();
    if (due === null || due > now) return steps;
    shard.maintain();
  }
  throw new Error("it is never done");
}

export function archived({ shard, at }: Tested): void {
  at.now = 1_000 + DAYS * DAY_MS;
  settle(shard, at.now);
}

export const isBrought = (n: number) => n % BROUGHT === 0;
export const MADE = range(1, SEALED + 1).filter((n) => !isBrought(n));

/** The codebook that the shard must have come to, trained anew on what it had. */
export const trained = (made: readonly number[]) => {
  const vectors = made.map((n) => documentOf(n).passages[0]!.vector);
  return Codebook.train(vectors, DIM / ARCHIVE_PART_WIDTH);
};

export function search(shard: Shard, vector: Float32Array, rest: Partial<CandidateRequest> = {}) {
  const terms = [{ term: "amber", qtf: 1 }];
  const statistics = shard.statistics(["amber"]);
  const depths = { bm25Depth: 50, vectorDepth: 4_000, explain: false, times: false };
  const request = { mode: "hybrid" as const, terms, filter: null, vector, statistics };
  const list = shard.candidates({ ...request, ...depths, ...rest });
  return Array.from(list.row, (row, i) => {
    return { row, bm25: list.bm25[i]!, cosine: list.cosine[i]!, estimate: list.estimate[i]! };
  }).sort((a, b) => a.row - b.row);
}

export const vectorsOf = (shard: Shard) =>
  new Map(
    shard.copyPage(0, 0, 1_000).documents.map(({ row, document }) => {
      return [row, document.passages[0]!] as const;
    }),
  );
