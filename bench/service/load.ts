/** An open-loop generator of calls: each is sent when its time has come, whatever became of those
 *  before it, and its latency counts from that time, so that a slow server cannot hide by slowing
 *  its client. Source of the method: Tene, "How NOT to Measure Latency", 2013 (coordinated
 *  omission). */
import { Agent, request } from "node:http";
import { answerTo } from "./mock-backend.ts";

/** Where calls go. */
export interface Target {
  name: string;
  /** Ends in /v1. */
  url: string;
  headers: Record<string, string>;
  /** Beside the messages and `stream`. */
  body: object;
}

/** One call's times, ms from when it was due. */
export interface Sample {
  stream: boolean;
  /** Until the answer's first token was there: of a whole reply, until its end. */
  firstMs: number;
  endMs: number;
}

export interface LoadResult {
  /** By pair: those of one index were due one after the other, and asked the same. Null: failed. */
  samples: (Sample | null)[][];
  /** What went wrong, ERRORS_KEPT at most. */
  errors: string[];
  failed: number;
  /** How much later than due calls were sent, ms, sorted: what the generator itself adds. */
  lateMs: number[];
}

const ERRORS_KEPT = 10;
const CALL_MS_MAX = 10_000;
const SYSTEM = "You answer briefly and say so when you do not know.";

/** No question is asked twice of one gateway: it might remember the answer. */
let runs = 0;

/** Calls each target `rate` times a second for `seconds`, in turn, whole and streamed alike; the
 *  one that is called first changes from pair to pair. */
export async function runLoad(
  targets: readonly Target[],
  { rate, seconds }: { rate: number; seconds: number },
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true });
  const pairs = Math.round(rate * seconds);
  const samples = Array.from({ length: pairs }, () => targets.map((): Sample | null => null));
  const errors: string[] = [];
  let failed = 0;
  runs += 1;
  const each = { rate: rate * targets.length, calls: pairs * targets.length };
  const lateMs = await openLoop(each, async (k, dueMs) => {
    const i = Math.floor(k / targets.length);
    const at = (i + (k % targets.length)) % targets.length;
    const target = targets[at]!;
    try {
      samples[i]![at] = await call(agent, target, `${runs}-${i}`, i % 2 === 1, dueMs);
    } catch (error) {
      failed += 1;
      if (errors.length < ERRORS_KEPT) errors.push(`${target.name}: ${(error as Error).message}`);
    }
  });
  agent.destroy();
  return { samples, errors, failed, lateMs };
}

/** Makes so many calls, `rate` a second, each when it is due, in ms of performance.now(); resolves
 *  when all have ended, with how much later than due each was made, ms, sorted. `make` must not
 *  reject. */
export async function openLoop(
  { rate, calls }: { rate: number; calls: number },
  make: (i: number, dueMs: number) => Promise<void>,
): Promise<number[]> {
  const lateMs: number[] = [];
  const open = new Set<Promise<void>>();
  const startMs = performance.now() + 100;
  for (let i = 0; i < calls; i++) {
    const dueMs = startMs + (1000 / rate) * i;
    await until(dueMs);
    lateMs.push(performance.now() - dueMs);
    const made = make(i, dueMs).finally(() => open.delete(made));
    open.add(made);
  }
  await Promise.all(open);
  return lateMs.sort((a, b) => a - b);
}

async function until(dueMs: number): Promise<void> {
  for (;;) {
    const waitMs = dueMs - performance.now();
    if (waitMs <= 0) return;
    await new Promise((done) => setTimeout(done, Math.floor(waitMs)));
  }
}

/** Rejects for any reply but the right answer, whole. */
function call(
  agent: Agent,
  target: Target,
  id: string,
  stream: boolean,
  dueMs: number,
): Promise<Sample> {
  const question = `question ${id}`;
  const messages = [
    { role: "system", content: SYSTEM },
    { role: "user", content: question },
  ];
  const bytes = Buffer.from(JSON.stringify({ ...target.body, messages, stream }));
  const headers = {
    ...target.headers,
    "content-type": "application/json",
    "content-length": bytes.length,
  };
  return new Promise((done, fail) => {
    const url = `${target.url}/chat/completions`;
    const sent = request(url, { method: "POST", agent, headers }, (reply) => {
      let text = "";
      let firstMs: number | null = null;
      reply.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (stream && firstMs === null && /"content":"[^"]/.test(text))
          firstMs = performance.now() - dueMs;
      });
      reply.on("error", fail);
      reply.on("end", () => {
        const endMs = performance.now() - dueMs;
        const said = reply.statusCode === 200 ? textOf(text, stream) : null;
        if (said === answerTo(question)) done({ stream, firstMs: firstMs ?? endMs, endMs });
        else fail(new Error(`${reply.statusCode} ${text.slice(0, 300)}`));
      });
    });
    sent.setTimeout(CALL_MS_MAX, () => sent.destroy(new Error(`silent for ${CALL_MS_MAX} ms`)));
    sent.on("error", fail);
    sent.end(bytes);
  });
}

/** What a reply says; null where it is no reply, or breaks off. */
function textOf(body: string, stream: boolean): string | null {
  if (!stream) return JSON.parse(body).choices[0].message.content;
  const data = Array.from(body.matchAll(/^data: (.*)$/gm), ([, text]) => text!);
  if (data.pop() !== "[DONE]") return null;
  return data.map((text) => JSON.parse(text).choices[0]?.delta?.content ?? "").join("");
}
