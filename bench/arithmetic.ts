/** On paper: a hundred million passages, from the figures of a smaller run on one thread. */
import { SHARD_FANOUT, SHARD_PASSAGES_SPLIT, SHARDS_MAX } from "../src/limits.ts";

const AIM = 100_000_000;
/** Round trip between two objects, ms: an assumption, of objects in one data centre. */
const ROUND_TRIP_MS = 3;
/** What one object answers with: the best by BM25 and by estimate, each with its scores and place
 *  (CandidateList: four f64, two f32, two u32, a u16 and a u8). */
const CANDIDATES = 128 + 256;
const CANDIDATE_BYTES = 4 * 8 + 2 * 4 + 2 * 4 + 2 + 1;
const QUERY_TERMS = 10;
/** Statistics, candidates, and the texts of the hits. */
const PHASES = 3;

/** What was measured: all shards on one thread, one after the other. */
export interface Measured {
  passages: number;
  shards: number;
  residentBytes: number;
  sqliteBytes: number;
  /** Median of a hybrid query over all shards, and over one passage: what is no shard's work. */
  hybridMs: number;
  smallMs: number;
}

/** The lines of the reckoning, inputs and results. Deployed, each shard has a thread of its own, so
 *  a level of the tree costs its slowest member and not their sum. */
export function arithmetic(measured: Measured): string[] {
  const { passages, hybridMs, smallMs, residentBytes, sqliteBytes } = measured;
  const shards = Math.ceil(AIM / SHARD_PASSAGES_SPLIT);
  let levels = 0;
  for (let room = 0; room < shards; levels++) room += SHARD_FANOUT ** (levels + 1);
  const held = passages / measured.shards;
  const ownMs = (hybridMs - smallMs) / measured.shards;
  const fullMs = ownMs * (SHARD_PASSAGES_SPLIT / held);
  const fullBytes = (residentBytes / passages) * SHARD_PASSAGES_SPLIT;
  const trips = PHASES * levels;
  const latencyMs = smallMs + trips * ROUND_TRIP_MS + fullMs;
  const statistics = QUERY_TERMS * 8 * SHARD_FANOUT;
  const candidates = CANDIDATES * CANDIDATE_BYTES * SHARD_FANOUT;
  const n = (value: number) => Math.round(value).toLocaleString("en-US");
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return [
    `shards: ${n(AIM)} / ${n(SHARD_PASSAGES_SPLIT)} a shard = ${n(shards)}`,
    `  (a namespace may have ${SHARDS_MAX} today, in two levels: ` +
      `${n(SHARDS_MAX * SHARD_PASSAGES_SPLIT)} passages)`,
    `tree: at most ${SHARD_FANOUT} connections an object, ${levels} levels (6 + 36 + 216 + ...)`,
    `memory: ${(fullBytes / 1e6).toFixed(1)} MB a full shard, ` +
      `${((fullBytes * shards) / 1e9).toFixed(1)} GB in all`,
    `disk: ${n(sqliteBytes / passages)} B a passage, ` +
      `${n(((sqliteBytes / passages) * AIM) / 1e9)} GB`,
    `statistics into an object: ${QUERY_TERMS} terms * 8 B * ${SHARD_FANOUT} = ${statistics} B`,
    `candidates into an object: ${CANDIDATES} * ${CANDIDATE_BYTES} B * ${SHARD_FANOUT} = ` +
      `${n(candidates / 1000)} KB`,
    `a shard's own time: (${ms(hybridMs)} - ${ms(smallMs)}) / ${measured.shards} = ` +
      `${ms(ownMs)} with ${n(held)} passages, ${ms(fullMs)} when full`,
    `latency: ${ms(smallMs)} + ${PHASES} phases * ${levels} levels * ${ROUND_TRIP_MS} ms (assumed ` +
      `round trip) + ${ms(fullMs)} = ${ms(latencyMs)}`,
  ];
}
