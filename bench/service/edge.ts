/** Edge answers one after the other on two connections, so that the isolate never waits: how many
 *  a second, and how long each takes; and how many a second of CPU time. */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "../../scripts/service.ts";
import type { BenchOptions } from "../main.ts";
import { quantile } from "../report.ts";
import { QUESTIONS, timeAnswer } from "./answers.ts";
import { cpuSeconds, type ProcessTime } from "./cpu-time.ts";

const ANSWERS = 400;
const CONNECTIONS = 2;
export async function run({ quick }: BenchOptions) {
  const state = mkdtempSync(join(tmpdir(), "brink-bench-"));
  const service = await startService({ state, variables: { BRINK_LOG: "errors" } });
  try {
    for (const question of QUESTIONS) await timeAnswer(service, question); // warms up
    const answers = quick ? 16 : ANSWERS;
    const ms: number[] = [];
    const ofService = ({ group }: ProcessTime) => group === service.process.pid;
    const cpuBefore = cpuSeconds(ofService);
    const startMs = performance.now();
    let next = 0;
    const ask = async () => {
      while (next < answers)
        ms.push(await timeAnswer(service, QUESTIONS[next++ % QUESTIONS.length]!));
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, ask));
    const wallSeconds = (performance.now() - startMs) / 1000;
    const cpuAfter = cpuSeconds(ofService);
    ms.sort((a, b) => a - b);
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((p) => quantile(ms, p));
    const perSecond = answers / wallSeconds;
    const perCpuSecond = cpuBefore === null ? null : answers / (cpuAfter! - cpuBefore);
    const [load] = loadavg();
    console.log(
      `edge answers: ${perSecond.toFixed(1)} a second on ${CONNECTIONS} connections, ` +
        `${perCpuSecond?.toFixed(1) ?? "?"} a second of one core's time; ` +
        `${p50!.toFixed(0)}, ${p95!.toFixed(0)}, ${p99!.toFixed(0)} ms at P50, P95, P99; ` +
        `load ${load!.toFixed(1)}`,
    );
    return { answers, perSecond, perCpuSecond, p50, p95, p99, load };
  } finally {
    await service.stop();
    rmSync(state, { recursive: true, force: true });
  }
}
