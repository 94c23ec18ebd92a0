/** What watching adds to a request of its own computing, on Node: `node bench/watching.ts`. What is
 *  noted while the request goes on delays its reply; what is told at its end does not. */

import { Trace } from "../src/pipeline/trace.ts";
import { parseTraceparent } from "../src/pipeline/trace-context.ts";
import { traceLog } from "../src/pipeline/trace-log.ts";
import type { Caller } from "../src/pipeline/types.ts";
import { newWatch } from "../src/pipeline/watch.ts";
import { quantile } from "./report.ts";

const REQUESTS = 30_000;
const WARM_UP = 10_000;
const HEADER = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
const CALLER: Caller = {
  ...{ tenant: "t", scopes: ["inference"], namespaces: null, default_namespace: null },
};

const config = {
  ...{ sample: 1, traceText: false, log: "all" as const, logText: false, otlp: null },
};
const ring = { record: async () => {} };
const env = { TRACES: { getByName: () => ring }, ANALYTICS: { writeDataPoint() {} } };
const watch = newWatch(env as unknown as Parameters<typeof newWatch>[0], config, () => {});

const [during, after]: [number[], number[]] = [[], []];
const { log } = console;
console.log = () => {}; // the line is made, and not written
for (let i = 0; i < REQUESTS; i++) {
  const startMs = performance.now();
  const trace = await requestOf();
  const endMs = performance.now();
  trace.finish(200);
  watch(trace);
  after.push(performance.now() - endMs);
  during.push(endMs - startMs);
}
console.log = log;
const { kept, dropped } = traceLog.totals.traces;
if (dropped > 0 || kept < REQUESTS - 50) throw new Error(`${kept} kept, ${dropped} dropped`);
for (const [what, times] of Object.entries({ during, after })) {
  const sorted = times.slice(WARM_UP).sort((a, b) => a - b);
  const at = (share: number) => (1_000 * quantile(sorted, share)).toFixed(1);
  console.log(`${what.padEnd(6)}  median ${at(0.5)} us, 99th percentile ${at(0.99)} us`);
}

/** A question that goes to a backend, and its spans. */
async function requestOf(): Promise<Trace> {
  const trace = new Trace(parseTraceparent(HEADER));
  trace.endpoint = "POST /v1/chat/completions";
  trace.caller = CALLER;
  await trace.span("auth", () => {});
  await trace.span("quota", () => {});
  await trace.time("retrieve", () => {});
  const span = trace.begin("backend");
  trace.attempts("backend").begin("main", "org/big", "first").end("answered", null);
  trace.firstTokenMs = trace.now();
  span.end();
  trace.used(11, 7, 1_000);
  return trace;
}
