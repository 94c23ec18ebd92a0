/** What routing costs a request before anything is written, in workerd, by a clock outside it: the
 *  difference between calls that do it many times and calls that do it never. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import difficulty from "../models/difficulty.json" with { type: "json" };
import { exitOnSignals, type RunningService, startService } from "../scripts/service.ts";
import { assert } from "../src/errors.ts";
import type { SearchHit } from "../src/memory/types.ts";
import { scoreBefore } from "../src/router/before.ts";
import { type DifficultyFile, parseDifficultyModel } from "../src/router/difficulty.ts";
import { questionFeatures } from "../src/router/features-question.ts";
import type { BenchOptions } from "./main.ts";
import { type Result, report, summarize } from "./report.ts";
import type { RouterCall } from "./router/worker.ts";

const CONFIG = join(import.meta.dirname, "router/wrangler.toml");
const SCORE_MS_MAX = 3;
const SCORES_PER_S_MIN = 200;
const PASSAGES = 8;
const PASSAGE_CHARS = 900;
/** Of a conversation of some twenty turns. */
const TURN_CHARS = 500;
const TURNS = 20;

const QUESTIONS = [
  "Where does npm start keep its state?",
  "How many passages may a namespace of the memory hold?",
  "Who decides which questions stay at the edge, and by what?",
  "Why is a revoked key still good for half a minute?",
];

export async function run({ json, quick }: BenchOptions): Promise<void> {
  exitOnSignals();
  const state = mkdtempSync(join(tmpdir(), "brink-bench-"));
  const service = await startService({ state, configs: [CONFIG], readyPath: "/" });
  try {
    const many = quick ? 200 : 2_000;
    await timeCall(service, { ...CALL, scores: many }); // the optimizing compiler has had its turn
    const [scores, lookups]: [number[], number[]] = [[], []];
    for (let round = 0; round < (quick ? 3 : 15); round++) {
      const none = await timeCall(service, CALL);
      const scored = await timeCall(service, { ...CALL, scores: many });
      const looked = await timeCall(service, { ...CALL, lookups: many / 10 });
      scores.push(Math.max(0, scored - none) / many);
      lookups.push(Math.max(0, looked - none) / (many / 10));
    }
    const results: Result[] = [
      { ...summarize("score before reading", scores), note: `bound ${SCORE_MS_MAX} ms` },
      { ...summarize("look-up of a conversation", lookups), note: "beside the search" },
    ];
    report("router", results, json);
    const perSecond = 1_000 / results[0]!.msMedian;
    console.log(`${Math.round(perSecond)} scores a second; bound ${SCORES_PER_S_MIN}`);
    if (results[0]!.msMedian > SCORE_MS_MAX || perSecond < SCORES_PER_S_MIN) {
      console.error("a figure is beyond its bound");
      process.exitCode = 1;
    }
  } finally {
    await service.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

const CALL: RouterCall = {
  questions: QUESTIONS,
  hits: makeHits(),
  messages: Array.from({ length: TURNS }, (_, i) => {
    const role = i % 2 === 0 ? ("user" as const) : ("assistant" as const);
    return { role, content: `${i} `.padEnd(TURN_CHARS, "and so on ") };
  }).concat({ role: "user", content: QUESTIONS[0]! }),
  scores: 0,
  lookups: 0,
};

/** Passages of Brink's own documentation. */
function makeHits(): SearchHit[] {
  const text = readFileSync(join(import.meta.dirname, "../docs/architecture.md"), "utf8");
  return Array.from({ length: PASSAGES }, (_, i) => {
    const part = text.slice(i * 500, i * 500 + PASSAGE_CHARS);
    const place = { document_id: `d${i}`, passage_id: `d${i}#0`, start: 0, end: part.length };
    const scores = { score: 1 / (i + 1), bm25: 8 - i, cosine: 0.6 - 0.05 * i };
    return { ...place, ...scores, text: part, title: "Architecture", metadata: {} };
  });
}

/** Wall time, ms. Throws unless the scores are those that Node computes. */
async function timeCall(service: RunningService, call: RouterCall): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(service.url, { method: "POST", body: JSON.stringify(call) });
  const { sum } = (await response.json()) as { sum: number };
  const ms = performance.now() - startMs;
  const expected = expectedSum(call.scores);
  assert(
    Math.abs(sum - expected) <= 1e-9 * (1 + expected),
    `scores sum to ${sum}, not ${expected}`,
  );
  return ms;
}

function expectedSum(scores: number): number {
  const { before } = parseDifficultyModel(difficulty as unknown as DifficultyFile);
  const each = QUESTIONS.map((question) => {
    return scoreBefore(before!, questionFeatures(question, CALL.hits)).score;
  });
  let sum = 0;
  for (let i = 0; i < scores; i++) sum += each[i % each.length]!;
  return sum;
}
