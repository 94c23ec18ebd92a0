/** The built Worker under the local runtime, timed from a client: the first answer of a fresh
 *  isolate, edge answers once warm, and the isolate's memory at its peak. Wall time, since the
 *  work is in another process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMemory } from "../../scripts/inspector.ts";
import { LOCAL_KEY, type RunningService, startService } from "../../scripts/service.ts";
import type { BenchOptions } from "../main.ts";
import { type Result, report, summarize } from "../report.ts";

export const QUESTIONS = [
  "Where does npm start keep its state?",
  "How are keys stored?",
  "What is the difficulty of a question?",
  "Which model is the encoder?",
  "What happens when the backend fails before its first token?",
  "Who decides which questions stay at the edge?",
  "How many passages may a namespace hold?",
  "What does the reader say when a passage has no answer?",
];

const COLD_MS_MAX = 3_000;
const WARM_MS_MAX = 400;

export async function run({ quick }: BenchOptions): Promise<Result[]> {
  const state = mkdtempSync(join(tmpdir(), "brink-bench-"));
  try {
    await (await startService({ state })).stop(); // fills the memory with the documentation
    const cold: number[] = [];
    const warm: number[] = [];
    let peakBytes = 0;
    for (let start = 0; start < (quick ? 1 : 5); start++) {
      // Not /healthz, which loads the models: the first answer must find a cold isolate.
      const service = await startService({ state, readyPath: "/openapi.json" });
      try {
        cold.push(await timeAnswer(service, QUESTIONS[0]!));
        const rounds = quick ? 1 : 4;
        for (let i = 0; i < rounds * QUESTIONS.length; i++)
          warm.push(await timeAnswer(service, QUESTIONS[i % QUESTIONS.length]!));
        peakBytes = Math.max(peakBytes, (await readMemory(service)).totalBytes);
      } finally {
        await service.stop();
      }
    }
    const results: Result[] = [
      { ...summarize("first answer of a fresh isolate", cold), note: `bound ${COLD_MS_MAX} ms` },
      { ...summarize("edge answer, warm", warm), note: `bound ${WARM_MS_MAX} ms` },
    ];
    report("service", results, null);
    console.log(`isolate after that: ${(peakBytes / 1e6).toFixed(1)} MB of heap and linear memory`);
    if (results[0]!.msMedian > COLD_MS_MAX || results[1]!.msMedian > WARM_MS_MAX) {
      console.error("a median is over its bound");
      process.exitCode = 1;
    }
    return results;
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

/** Wall time of one answer, ms. Throws unless the edge gave it, with its evidence. */
export async function timeAnswer(service: RunningService, question: string): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(`${service.url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      ...{ authorization: `Bearer ${LOCAL_KEY}`, "content-type": "application/json" },
      "x-brink-cache": "off", // each answer is to be found, not remembered
    },
    body: JSON.stringify({ model: "edge", messages: [{ role: "user", content: question }] }),
  });
  const { brink } = (await response.json()) as { brink?: { citations: unknown[] } };
  const ms = performance.now() - startMs;
  if (brink?.citations.length !== 1) throw new Error(`no evidence for: ${question}`);
  return ms;
}
