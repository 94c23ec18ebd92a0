/** How much memory the built Worker's isolate takes at its peak. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { readMemory } from "../../scripts/inspector.ts";
import {
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

const PEAK_BYTES_MAX = 110e6;

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
}, START_MS_MAX);
afterAll(() => service?.stop());

it("answering, embedding, ingesting and searching stay within 110 MB", async () => {
  const passage = "The quarterly report names the harbour, the ferry and the lighthouse. ".repeat(
    40,
  );
  let peakBytes = 0;
  const look = async () => {
    const usage = await readMemory(service);
    peakBytes = Math.max(peakBytes, usage.totalBytes);
  };
  await look();
  for (let round = 0; round < 6; round++) {
    const documents = Array.from({ length: 8 }, (_, i) => {
      return { id: `d${round}-${i}`, text: `Report ${round}.${i}. ${passage}` };
    });
    await fill(service, "load", documents);
    await look();
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        service.call("POST", "/v1/chat/completions", {
          model: "edge",
          messages: [{ role: "user", content: `What does report ${round}.${i} name?` }],
          memory: { namespace: "load" },
        }),
      ),
    );
    await look();
    await service.openai.embeddings.create({
      model: "all-MiniLM-L6-v2",
      input: Array.from({ length: 32 }, () => passage),
    });
    await look();
  }
  console.log(`peak: ${(peakBytes / 1e6).toFixed(1)} MB`);
  expect(peakBytes).toBeGreaterThan(35e6); // the models alone: the measurement sees them
  expect(peakBytes).toBeLessThan(PEAK_BYTES_MAX);
}, 300_000);
