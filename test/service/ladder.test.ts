/** Engines in order of cost over HTTP: the built Worker with two scripted backends. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ENGINE_LABELS_STEP, SHADOWS_UNDER_WAY_MAX } from "../../src/limits.ts";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import {
  chat,
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

let large: OpenAiServer;
let small: OpenAiServer;
let service: TestService;
beforeAll(async () => {
  [large, small] = await Promise.all([startOpenAiServer(), startOpenAiServer()]);
  const prices = (usd: number) => ({ price_input_per_mtok: usd, price_output_per_mtok: usd });
  service = await startTestService({
    BACKENDS: JSON.stringify([
      { name: "large", url: large.url, model: "large-model", ...prices(5) },
      { name: "small", url: small.url, model: "small-model", order: 1, ...prices(0.1) },
    ]),
  });
  await fill(service, "ferry", [
    { id: "ferry", title: "Ferry", text: "The ferry to the island leaves at 07:40 and 16:10." },
  ]);
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  await Promise.all([large?.close(), small?.close()]);
});

/** A question that the passages say nothing of. */
async function askHard(i: number) {
  const content = `Who was the captain of vessel number ${i}?`;
  const messages = [{ role: "user", content }];
  return (await chat(service, { model: "auto", messages, memory: { namespace: "ferry" } })).brink;
}

// biome-ignore lint/suspicious/noExplicitAny: a test names the fields that it looks at.
async function readEngines(): Promise<any[]> {
  return (await service.call("GET", "/admin/router")).body.engines;
}

it("a cheaper backend answers once enough of its answers were found right", async () => {
  expect(await readEngines()).toMatchObject([
    { engine: "backend:small", labels: 0, threshold: null, kept: null },
  ]);
  await service.call("PUT", "/admin/router", { shadow_rate: 1, target: { max_risk: 0.1 } });
  expect((await askHard(0)).engine).toBe("backend:large");
  for (let i = 1; i < 5 * ENGINE_LABELS_STEP; i += SHADOWS_UNDER_WAY_MAX) {
    const asked = Array.from({ length: SHADOWS_UNDER_WAY_MAX }, (_, k) => askHard(i + k));
    await Promise.all(asked);
    if ((await readEngines())[0].labels >= ENGINE_LABELS_STEP) break;
  }
  const [engine] = await readEngines();
  expect(engine).toMatchObject({ wrong: 0, threshold: 1 });
  expect(engine.kept.risk_upper).toBeLessThan(0.1);
  // What routes is remembered for half a minute, unless it is set here.
  await service.call("PUT", "/admin/router", { shadow_rate: 0 });
  const chosen = await askHard(1_000);
  expect(chosen).toMatchObject({ route: "backend", engine: "backend:small" });
  expect(chosen.reason).toMatch(/; backend:small may answer up to 1\.000$/);
  // What has read a conversation's beginning reads on, although another is asked first of all.
  const read = "The captain of a vessel answers for all who sail in her. ".repeat(200);
  const turns = [
    { role: "user", content: read },
    { role: "assistant", content: "I have read it." },
  ];
  const askOn = async (content: string) => {
    turns.push({ role: "user", content });
    const body = { model: "auto", messages: turns, memory: { namespace: "ferry" } };
    const reply = await chat(service, body);
    turns.push({ role: "assistant", content: reply.choices[0].message.content });
    return reply.brink;
  };
  expect((await askOn("Who was the captain of vessel number 2,000?")).engine).toBe("backend:small");
  const next = await askOn("And who was her first mate?");
  expect(next).toMatchObject({ engine: "backend:small" });
  expect(next.reason).toMatch(/^the conversation stays with backend:small/);
  expect(next.switched).toBeUndefined();
  small.script({ status: 501, body: "{}" }); // which is not tried again
  const fallen = await askHard(1_001);
  expect(fallen.engine).toBe("backend:large");
  expect(fallen.reason).toMatch(/backend:small failed \(\w+\), so the backend answers$/);
}, 120_000);
