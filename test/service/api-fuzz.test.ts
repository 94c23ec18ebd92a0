/** A short run of `npm run torture -- api`. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";
import { fuzzApi } from "../torture/api-fuzz.ts";
import { memoryFaults, watchMemory } from "../torture/memory-watch.ts";

const REQUESTS = 300;
const MS_MAX = 120_000;

let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, stop } = await startWithBackend());
}, START_MS_MAX);
afterAll(() => stop?.());

it(
  "no request that /openapi.json allows, or nearly allows, gets a 5xx or an undescribed reply",
  async () => {
    const options = { url: service.url, seed: 7, requestsMax: REQUESTS, msMax: MS_MAX };
    const { result: tally, peakBytes } = await watchMemory(service, () => fuzzApi(options));
    expect([...tally.faults, ...memoryFaults(peakBytes)]).toEqual([]);
    expect(tally.succeeded.size).toBeGreaterThan(tally.operations / 3);
  },
  MS_MAX + 60_000,
);
