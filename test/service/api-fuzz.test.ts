/** A short run of `npm run torture -- api`. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { START_MS_MAX, startTestService, type TestService } from "../support/running-service.ts";
import { fuzzApi } from "../torture/api-fuzz.ts";

const REQUESTS = 300;
const MS_MAX = 120_000;

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

it(
  "no request that /openapi.json allows, or nearly allows, gets a 5xx or an undescribed reply",
  async () => {
    const tally = await fuzzApi({
      url: service.url,
      seed: 7,
      requestsMax: REQUESTS,
      msMax: MS_MAX,
    });
    expect(tally.faults).toEqual([]);
    expect(tally.succeeded.size).toBeGreaterThan(tally.operations / 3);
  },
  MS_MAX + 60_000,
);
