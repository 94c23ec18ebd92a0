/** What a call leaves to the garbage collector, and what of it only a collection of the whole heap
 *  takes back, by V8's sampling heap profiler: of Brink's answers of a backend, and of single
 *  things that the runtime does. And how long Brink's isolate pauses for it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { InspectorSession } from "../../scripts/inspector.ts";
import { freePort, LOCAL_KEY } from "../../scripts/service.ts";
import { BenchClient } from "../client.ts";
import type { BenchOptions } from "../main.ts";
import { runLoad, type Target } from "./load.ts";
import { plain, startBackend, startBrink, startWorker } from "./processes.ts";

const RATE = 100;
const SECONDS = 30;
const WARM_UP_SECONDS = 5;
/** Of calls under which pauses are looked for, and how: a collection frees megabytes. */
const PAUSES_RATE = 200;
const READ_EVERY_MS = 4;
const PAUSE_MS_MIN = 6;
const SHRUNK_BYTES = 2e6;
/** Requests a case, on so many connections. */
const REQUESTS = 8_000;
const CONNECTIONS = 8;
/** Bytes between two samples, on average. */
const INTERVAL = 4_096;
/** Chunks of the body that cases read. */
const CHUNKS = 10;

interface Profile {
  selfSize: number;
  children: Profile[];
}

/** KB a call. Sampled: a run is a few per cent beside the next, and what the last minor collection
 *  was not to see counts as surviving, 16 MB at most in all. */
export async function run({ quick }: BenchOptions) {
  const brink = await profileBrink(quick ? 3 : SECONDS);
  const cases = await profileCases(quick ? 500 : REQUESTS);
  return { brink, cases };
}

async function profileBrink(seconds: number) {
  const backend = await startBackend();
  const port = await freePort();
  const brink = await startBrink(backend.url, port);
  const session = await InspectorSession.open(`http://127.0.0.1:${port}`);
  const headers = { authorization: `Bearer ${LOCAL_KEY}` };
  const body = { model: "backend", memory: false };
  const target: Target = { name: "Brink", url: brink.url, headers, body };
  const load = async () => {
    const { samples, failed, errors } = await runLoad([target], { rate: RATE, seconds });
    if (failed > 0) throw new Error(`${failed} calls failed: ${errors[0]}`);
    return samples.length;
  };
  try {
    await runLoad([target], { rate: RATE, seconds: WARM_UP_SECONDS });
    const garbage = await profile(session, true, load);
    const surviving = await profile(session, false, load);
    console.log(`an answer of a backend: ${kb(garbage)} of garbage, ${kb(surviving)} survive`);
    const pauses = await watchPauses(session, () =>
      runLoad([target], { rate: PAUSES_RATE, seconds }).then(() => {}),
    );
    return { garbage, surviving, ...pauses };
  } finally {
    session.close();
    await brink.stop();
    await backend.stop();
  }
}

/** How long the isolate answers nothing, by reading its heap again and again: where the heap has
 *  shrunk by then, it was collected. */
async function watchPauses(session: InspectorSession, work: () => Promise<void>) {
  const collections: number[] = [];
  const others: number[] = [];
  let over = false;
  const startMs = performance.now();
  const watching = (async () => {
    for (let before = 0; !over; ) {
      const askedMs = performance.now();
      const { usedSize } = await session.send("Runtime.getHeapUsage");
      const ms = performance.now() - askedMs;
      const shrunk = before - Number(usedSize) > SHRUNK_BYTES;
      if (ms >= PAUSE_MS_MIN) (shrunk ? collections : others).push(ms);
      before = Number(usedSize);
      await new Promise((done) => setTimeout(done, READ_EVERY_MS));
    }
  })();
  await work();
  over = true;
  await watching;
  const allMs = performance.now() - startMs;
  const told = (ms: number[]) => {
    const share = ms.reduce((sum, one) => sum + one, 0) / allMs;
    const most = Math.max(0, ...ms);
    const percent = (100 * share).toFixed(1);
    return `${ms.length} of ${most.toFixed(0)} ms at most, ${percent} % of the time`;
  };
  console.log(
    `pauses of ${PAUSE_MS_MIN} ms and more at ${PAUSES_RATE} a second: collections ` +
      `${told(collections)}; others ${told(others)}`,
  );
  return { collections, others };
}

async function profileCases(requests: number) {
  const chunked = createServer(async (_, reply) => {
    for (let i = 0; i < CHUNKS; i++) {
      reply.write("data: word\n\n");
      await new Promise((done) => setTimeout(done, 1));
    }
    reply.end();
  }).listen(0, "127.0.0.1");
  await new Promise((done) => chunked.once("listening", done));
  const BACKEND_URL = `http://127.0.0.1:${(chunked.address() as AddressInfo).port}/`;
  const port = await freePort();
  const worker = await startWorker(
    plain(join(import.meta.dirname, "survivors-worker.js"), {
      compatibilityFlags: ["enable_request_signal"],
      variables: { BACKEND_URL },
      objects: { OBJECT: "Called" },
    }),
    port,
  );
  const session = await InspectorSession.open(`http://127.0.0.1:${port}`);
  const client = new BenchClient(worker.url.replace(/\/v1$/, ""), CONNECTIONS);
  const results: Record<string, number> = {};
  try {
    for (const name of await client.call<string[]>("GET", "/")) {
      const load = async () => {
        let sent = 0;
        const work = async () => {
          while (sent++ < requests)
            await client.send("GET", `/${encodeURIComponent(name)}`, "", "");
        };
        await Promise.all(Array.from({ length: CONNECTIONS }, work));
        return requests;
      };
      await load();
      results[name] = await profile(session, false, load);
      console.log(`${name}: ${kb(results[name])} survive a request`);
    }
    return results;
  } finally {
    client.close();
    session.close();
    await worker.stop();
    chunked.close();
  }
}

/** Bytes a call of what was allocated meanwhile: with `minor` all, without it what minor
 *  collections did not take back. */
async function profile(
  session: InspectorSession,
  minor: boolean,
  work: () => Promise<number>,
): Promise<number> {
  await session.send("HeapProfiler.startSampling", {
    samplingInterval: INTERVAL,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: minor,
  });
  const calls = await work();
  const { profile } = await session.send("HeapProfiler.stopSampling");
  return sizeOf((profile as { head: Profile }).head) / calls;
}

function sizeOf({ selfSize, children }: Profile): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize);
}

const kb = (bytes: number) => `${(bytes / 1e3).toFixed(1)} KB`;
