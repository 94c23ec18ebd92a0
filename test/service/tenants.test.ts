/** A short run of `npm run torture -- tenants`. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { START_MS_MAX, startTestService, type TestService } from "../support/running-service.ts";
import { crossTenants } from "../torture/tenants.ts";

let backend: OpenAiServer;
let service: TestService;
beforeAll(async () => {
  backend = await startOpenAiServer();
  service = await startTestService({ BACKEND_URL: backend.url, BACKEND_MODEL: "big-model" });
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  await backend?.close();
});

it("nothing of one tenant shows to another, or is changed by it", async () => {
  const options = { url: service.url, seed: 5, requestsMax: 200, msMax: 60_000 };
  const tally = await crossTenants(options);
  expect(tally.faults).toEqual([]);
  expect(tally.known).toBeGreaterThan(20);
  expect(tally.tried.size).toBeGreaterThan(8);
  expect(tally.unchanged).toBeGreaterThan(15);
}, 180_000);
