/** The isolate's memory while it serves 50,000 requests: answers of a backend, whole and streamed,
 *  searches, and edge answers. Garbage is collected before each reading, so that growth is what is
 *  held. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  collectGarbage,
  ISOLATE_BYTES_MAX,
  type MemoryUsage,
  readMemory,
} from "../../scripts/inspector.ts";
import { type RunningService, startService } from "../../scripts/service.ts";
import { BenchClient } from "../client.ts";
import type { BenchOptions } from "../main.ts";
import { QUESTIONS } from "./answers.ts";
import { startBackend } from "./processes.ts";

const REQUESTS = 50_000;
const READINGS = 20;
const CONNECTIONS = 8;
/** Of a hundred requests; the rest go to the backend. An edge answer takes 0.2 s. */
const EDGE = 1;
const SEARCHES = 14;
/** Caches fill in the first fifth. */
const WARM_UP_SHARE = 0.2;
/** What may be added from then to the end, of the mean: readings differ by as much. */
const GROWTH_MAX = 0.05;

export interface Reading extends MemoryUsage {
  requests: number;
}

/** Exits with 1 where memory grows, or a reading is over the bound. Throws where a call fails. */
export async function run({ quick }: BenchOptions) {
  const requests = quick ? 2_000 : REQUESTS;
  const state = mkdtempSync(join(tmpdir(), "brink-bench-"));
  const backend = await startBackend();
  const variables = { BACKEND_URL: backend.url, BACKEND_MODEL: "mock", BRINK_LOG: "errors" };
  const service = await startService({ state, variables });
  try {
    const readings = await serve(service, requests);
    return judgeMemory(readings, requests);
  } finally {
    await service.stop();
    await backend.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

async function serve(service: RunningService, requests: number): Promise<Reading[]> {
  const client = new BenchClient(service.url, CONNECTIONS);
  // Answers are to be found, not remembered.
  await client.send("PUT", "/admin/cache", '{"exact":"off"}', "application/json");
  const readings: Reading[] = [];
  let sent = 0;
  const startMs = performance.now();
  for (let part = 1; part <= READINGS; part++) {
    const end = Math.round((requests * part) / READINGS);
    const work = async () => {
      while (sent < end) await request(client, sent++);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
    await collectGarbage(service);
    const reading = { requests: sent, ...(await readMemory(service)) };
    readings.push(reading);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
    console.log(`${sent} requests, ${seconds} s: ${megabytes(reading.totalBytes)}`);
  }
  client.close();
  return readings;
}

/** Throws for any status but 200. */
async function request(client: BenchClient, i: number): Promise<void> {
  const question = QUESTIONS[i % QUESTIONS.length]!;
  const kind = (i * 37) % 100; // mixes: 37 and 100 have no common factor
  if (kind < SEARCHES) {
    await client.search("docs", { query: question, k: 5 });
    return;
  }
  const edge = kind < SEARCHES + EDGE;
  const content = edge ? question : `${question} (${i})`; // each is asked once
  const messages = [{ role: "user", content }];
  const rest = edge ? { model: "edge" } : { model: "backend", memory: false, stream: i % 2 === 1 };
  const body = JSON.stringify({ ...rest, messages });
  await client.send("POST", "/v1/chat/completions", body, "application/json");
}

/** Says how memory grew once it was warm, and sets the exit status to 1 where it is not flat, or
 *  over its bound. */
export function judgeMemory(readings: readonly Reading[], requests: number) {
  const warm = readings.filter((reading) => reading.requests > WARM_UP_SHARE * requests);
  const slope = slopeOf(warm.map((reading) => [reading.requests, reading.totalBytes]));
  const mean = warm.reduce((sum, { totalBytes }) => sum + totalBytes, 0) / warm.length;
  const growth = (slope * requests * (1 - WARM_UP_SHARE)) / mean;
  const peakBytes = Math.max(...readings.map(({ totalBytes }) => totalBytes));
  const more = `${(slope * 1000).toFixed(0)} bytes more a thousand requests`;
  console.log(
    `memory over ${requests} requests: ${megabytes(mean)} in the mean, ` +
      `${megabytes(peakBytes)} at most, ${more}, ${(100 * growth).toFixed(1)} % in all ` +
      `(bounds ${megabytes(ISOLATE_BYTES_MAX)}, ${100 * GROWTH_MAX} %)`,
  );
  const flat = growth <= GROWTH_MAX && peakBytes <= ISOLATE_BYTES_MAX;
  if (!flat) {
    console.error("memory is not flat, or over its bound");
    process.exitCode = 1;
  }
  return { requests, mean, peakBytes, slope, growth, flat, readings };
}

/** Of the least squares' line. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
