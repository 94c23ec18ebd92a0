/** A short run of `npm run torture -- tenants`. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";
import { memoryFaults, watchMemory } from "../torture/memory-watch.ts";
import { crossTenants } from "../torture/tenants.ts";

let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, stop } = await startWithBackend());
}, START_MS_MAX);
afterAll(() => stop?.());

it("nothing of one tenant shows to another, or is changed by it", async () => {
  const options = { url: service.url, seed: 5, requestsMax: 200, msMax: 60_000 };
  const { result: tally, peakBytes } = await watchMemory(service, () => crossTenants(options));
  expect([...tally.faults, ...memoryFaults(peakBytes)]).toEqual([]);
  expect(tally.known).toBeGreaterThan(20);
  expect(tally.tried.size).toBeGreaterThan(8);
  expect(tally.unchanged).toBeGreaterThan(15);
}, 180_000);
