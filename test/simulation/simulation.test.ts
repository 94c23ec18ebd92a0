import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Trace } from "./episode.ts";
import { replay, simulate } from "./simulation.ts";

const SECONDS = 1_000;

it(
  "the memory keeps what it says under faults of every kind",
  async () => {
    const { failure, counts } = await simulate({ steps: 100_000, seed: 20261129, threads: 2 });
    expect(failure).toBeNull();
    for (const kind of ["kill", "cut", "drop", "again", "advance", "flush", "alarm", "timer"])
      expect(counts[kind], kind).toBeGreaterThan(10); // or nothing was tried
    for (const end of ["split done", "snapshot done", "restore done"])
      expect(counts[end], end).toBeGreaterThan(10);
  },
  240 * SECONDS,
);

/** Each with a seed that finds it soon, and how long its shrunk trace is at most. */
const PLANTED: [string, number, number][] = [
  ["forgotten removals", 12, 12],
  ["early answers", 8, 6],
];

it.each(PLANTED)(
  "a planted fault is found and its trace made small: %s",
  async (mutation, seed, entriesMax) => {
    const found = await simulate({ steps: 60_000, seed, threads: 1, mutation, triesMax: 150 });
    const { kind, trace } = found.failure!;
    expect(trace.length, JSON.stringify(trace)).toBeLessThanOrEqual(entriesMax);
    expect((await replay(trace, mutation))?.kind).toBe(kind);
    expect(await replay(trace)).toBeNull();
  },
  240 * SECONDS,
);

/** Of faults that the simulation found, made small. */
const REGRESSIONS = [
  ["a memtable that lost passages and was loaded again is sealed", "seal"],
  ["of a call that is refused half way, what was stored is said to be", "partly-stored"],
  ["a split never begins with a shard that a restore replaced meanwhile", "split-replaced"],
  ["a split is chosen among shards that are there", "split-read"],
  ["a split whose documents expire while they are counted succeeds", "expired-while-counted"],
  ["a split whose end of its copy came late goes on no more", "late-end-of-copy"],
  [
    "a refusal that is heard once a restore ended says nothing of what that brought",
    "late-refusal",
  ],
  ["a namespace that is deleted twice and made anew is not deleted then", "destroyed-twice"],
] as const;

it.each(REGRESSIONS)(
  "%s",
  async (_, name) => {
    const file = join(import.meta.dirname, "traces", `${name}.json`);
    expect(await replay(JSON.parse(readFileSync(file, "utf8")) as Trace)).toBeNull();
  },
  60 * SECONDS,
);
