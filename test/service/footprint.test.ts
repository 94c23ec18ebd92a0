/** How much memory the built Worker's isolate takes at its peak, and how long its answers take. The
 *  times are shown and not judged, since other work on a machine moves them: `npm run bench --
 *  service` holds them to their bounds. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ISOLATE_BYTES_MAX, readMemory } from "../../scripts/inspector.ts";
import {
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

const PASSAGE = "The quarterly report names the harbour, the ferry and the lighthouse. ".repeat(40);

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ BRINK_PRELOAD: "docs" });
}, START_MS_MAX);
afterAll(() => service?.stop());

/** Wall time of an edge answer, ms. */
async function ask(question: string): Promise<number> {
  const startMs = performance.now();
  const { status } = await service.call("POST", "/v1/chat/completions", {
    model: "edge",
    messages: [{ role: "user", content: question }],
    memory: { namespace: "load" },
  });
  expect(status).toBe(200);
  return performance.now() - startMs;
}

it("answering, embedding, ingesting and searching stay within 110 MB", async () => {
  let peakBytes = 0;
  const look = async () => {
    const usage = await readMemory(service);
    peakBytes = Math.max(peakBytes, usage.totalBytes);
  };
  /** Looks while the work goes on and once it is done. */
  const watch = async (work: Promise<unknown>) => {
    await Promise.all([work, look()]);
    await look();
  };
  const answersMs: number[] = [];
  for (let round = 0; round < 6; round++) {
    const documents = Array.from({ length: 8 }, (_, i) => {
      return { id: `d${round}-${i}`, text: `Report ${round}.${i}. ${PASSAGE}` };
    });
    await watch(fill(service, "load", documents));
    await watch(Promise.all(documents.map((_, i) => ask(`What does report ${round}.${i} name?`))));
    const input = Array.from({ length: 32 }, () => PASSAGE);
    await watch(service.openai.embeddings.create({ model: "all-MiniLM-L6-v2", input }));
    for (let i = 0; i < 4; i++) answersMs.push(await ask(`Which report names harbour ${i}?`));
  }
  await service.restart();
  const firstMs = await ask("What does report 0.0 name?");
  const warmMs = answersMs.sort((a, b) => a - b)[answersMs.length >> 1]!;
  console.log(
    `peak ${(peakBytes / 1e6).toFixed(1)} MB; edge answer: median ${warmMs.toFixed(0)} ms warm, ` +
      `${firstMs.toFixed(0)} ms first after a start`,
  );
  expect(peakBytes).toBeGreaterThan(35e6); // the models alone: the measurement sees them
  expect(peakBytes).toBeLessThan(ISOLATE_BYTES_MAX);
}, 300_000);
