/** Keys with limits and budgets against the built Worker, with a backend that costs money. */
import OpenAI, { RateLimitError } from "openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { OpenAiServer } from "../support/openai-server.ts";
import { fill, START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";

let backend: OpenAiServer;
let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, backend, stop } = await startWithBackend({
    BACKEND_PRICE_INPUT_PER_MTOK: "1",
    BACKEND_PRICE_OUTPUT_PER_MTOK: "2",
  }));
}, START_MS_MAX);
afterAll(() => stop?.());

/** Of one scripted answer: 11 tokens of prompt and 7 of answer. */
const COST_USD = (11 * 1 + 7 * 2) / 1e6;
const MESSAGES = [{ role: "user" as const, content: "What would a harbour master weigh?" }];
const REQUEST = { model: "backend", messages: MESSAGES, memory: false, max_tokens: 10 };

interface MadeKey {
  id: string;
  key: string;
}

async function makeKey(limits: object, tenant?: string): Promise<MadeKey> {
  const { status, body } = await service.call("POST", "/admin/keys", { ...limits, tenant });
  expect(status).toBe(201);
  return body;
}

const post = (key: string, body: object = REQUEST, signal?: AbortSignal) =>
  fetch(`${service.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

const clientOf = (key: string) =>
  new OpenAI({ baseURL: `${service.url}/v1`, apiKey: key, maxRetries: 0 });

const usageOf = async (id: string) => (await service.call("GET", `/admin/keys/${id}/usage`)).body;

/** Settling comes after the reply. */
async function settled(id: string) {
  for (;;) {
    const usage = await usageOf(id);
    if (usage.budget.held_usd === 0) return usage;
    await new Promise((done) => setTimeout(done, 50));
  }
}

it("500 requests at once overrun a budget by nothing", { timeout: 120_000 }, async () => {
  const worth = 40;
  const { id, key } = await makeKey({ budget_usd: worth * COST_USD });
  const asked = backend.requests.length;
  const replies = await Promise.all(Array.from({ length: 500 }, () => post(key)));
  const bodies = await Promise.all(replies.map(async (reply) => JSON.parse(await reply.text())));
  const statuses = replies.map(({ status }) => status);
  const given = statuses.filter((status) => status === 200).length;
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(bodies.find(({ error }) => error)?.error).toMatchObject({
    code: "insufficient_quota",
    type: "insufficient_quota",
  });
  expect(backend.requests.length - asked).toBe(given);
  const { budget } = await settled(id);
  expect(budget.spent_usd).toBeCloseTo(given * COST_USD, 12);
  expect(budget.spent_usd).toBeLessThanOrEqual(budget.budget_usd);
  // One after another, what is left is used up until the dearest answer would not fit.
  let more = 0;
  while ((await post(key)).status === 200) {
    more++;
    await settled(id);
  }
  expect(given + more).toBeLessThanOrEqual(worth);
  const { budget: end, days } = await settled(id);
  expect(end.spent_usd).toBeLessThanOrEqual(end.budget_usd);
  expect(end.remaining_usd).toBeLessThan((MOST_TOKENS + 2 * 10) / 1e6);
  expect(days).toMatchObject([{ requests: 501 + more, completion_tokens: 7 * (given + more) }]);
});

/** The request's bytes bound the tokens of its prompt. */
const MOST_TOKENS = JSON.stringify(REQUEST).length;

it("one tenant's use is not another's, nor are its keys", async () => {
  const tenants = ["red", "blue"];
  const admins = await Promise.all(tenants.map((tenant) => makeKey({ scopes: ["admin"] }, tenant)));
  const keys = await Promise.all(tenants.map((tenant) => makeKey({ budget_usd: 1 }, tenant)));
  expect((await post(keys[0]!.key)).status).toBe(200);
  const see = (path: string, i: number) => service.call("GET", path, undefined, admins[i]!.key);
  const red = (await see("/admin/usage", 0)).body;
  expect(red).toMatchObject({
    tenant: "red",
    days: [{ completion_tokens: 7, cost_usd: COST_USD }],
  });
  expect((await see("/admin/usage", 1)).body.days).toEqual([]);
  expect((await see(`/admin/keys/${keys[0]!.id}/usage`, 1)).status).toBe(404);
  const change = { budget_usd: 100 };
  const path = `/admin/keys/${keys[0]!.id}`;
  expect((await service.call("PATCH", path, change, admins[1]!.key)).status).toBe(404);
  expect((await service.call("DELETE", path, undefined, admins[1]!.key)).status).toBe(404);
  const listed = (await see("/admin/keys", 0)).body.keys;
  expect(listed.map(({ tenant }: { tenant: string }) => tenant)).toEqual(["red", "red"]);
  expect(JSON.stringify(listed)).not.toContain(keys[0]!.key);
});

it("an answer that breaks off is paid for as far as it came, and nothing stays held", async () => {
  const { id, key } = await makeKey({ budget_usd: 1 });
  const delta = { index: 0, delta: { content: "Half an answer " }, finish_reason: null };
  const event = `data: ${JSON.stringify({ choices: [delta] })}\n\n`;
  backend.script({ chunks: [event], ending: "reset" });
  await (await post(key, { ...REQUEST, stream: true })).text();
  const { budget } = await settled(id);
  expect(budget.spent_usd).toBeGreaterThan(0);
  expect(budget.spent_usd).toBeLessThan(2 * COST_USD);
});

it("a backend that refuses costs nothing, and what was held for it is given back", async () => {
  const { id, key } = await makeKey({ budget_usd: 1 });
  const refusal = { status: 500, body: "{}" }; // tried again twice, so it takes three
  backend.script(refusal, refusal, refusal);
  expect((await post(key)).status).toBe(502);
  expect((await settled(id)).budget.spent_usd).toBe(0);
});

it("under a budget, a request that does not bound its answer gets a bound", async () => {
  const { max_tokens: _, ...unbound } = REQUEST;
  const { key } = await makeKey({ budget_usd: 1 });
  expect((await post(key, unbound)).status).toBe(200);
  expect(backend.requests.at(-1)!.body.max_tokens).toBe(4_096);
  expect((await post("brink-dev", unbound)).status).toBe(200);
  expect(backend.requests.at(-1)!.body.max_tokens).toBeUndefined();
});

it("with auto, a used up budget leaves the edge's answers, openly", async () => {
  await fill(service, "ferries", [{ id: "f", text: "The ferry leaves at 07:40 and 16:10 daily." }]);
  const { key } = await makeKey({ budget_usd: 0 });
  const memory = { namespace: "ferries" };
  const reply = await post(key, { model: "auto", messages: MESSAGES, memory });
  const { brink } = JSON.parse(await reply.text());
  expect(reply.status).toBe(200);
  expect(brink).toMatchObject({ route: "edge", wanted: "backend" });
  expect(brink.reason).toContain("insufficient_quota");
});

it("what a budget's prices do not cover is refused, with auto too", async () => {
  const { key } = await makeKey({ budget_usd: 1 });
  const asked = backend.requests.length;
  for (const model of ["backend", "auto"]) {
    const reply = await post(key, { model, messages: MESSAGES, service_tier: "priority" });
    const { error } = JSON.parse(await reply.text());
    expect([reply.status, error.code, error.param]).toEqual([
      400,
      "unsupported_parameter",
      "service_tier",
    ]);
  }
  expect(backend.requests.length).toBe(asked);
});

it("the official client is told its rate, and meets a RateLimitError beyond it", async () => {
  const { key } = await makeKey({ requests_per_minute: 2, tokens_per_minute: 10_000 });
  const client = clientOf(key);
  const embed = () => client.embeddings.create({ model: "auto", input: "x" }).withResponse();
  const { response } = await client.chat.completions
    .create({ model: "backend", messages: MESSAGES })
    .withResponse();
  expect(response.headers.get("x-ratelimit-limit-requests")).toBe("2");
  expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("1");
  expect(Number(response.headers.get("x-ratelimit-remaining-tokens"))).toBeLessThan(10_000 - 256);
  expect(response.headers.get("x-ratelimit-reset-tokens")).toMatch(/^[\d.]+s$/);
  await embed().catch(() => {}); // whatever it answers, it is counted
  const refused = await embed().catch((error) => error);
  expect(refused).toBeInstanceOf(RateLimitError);
  expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
  expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("0");
});

it("the official client does not repeat a request that a budget refuses", async () => {
  const { key } = await makeKey({ budget_usd: 0 });
  const client = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: key, maxRetries: 5 });
  const startMs = performance.now();
  const refused = await client.chat.completions
    .create({ model: "backend", messages: MESSAGES })
    .catch((error) => error);
  expect(refused).toMatchObject({ status: 429, code: "insufficient_quota" });
  expect(performance.now() - startMs).toBeLessThan(400); // the first pause would be longer
});

it("an expired, a disabled and a rotated key stop working; limits change", async () => {
  const status = async (key: string) =>
    (await service.call("GET", "/v1/models", undefined, key)).status;
  const { id, key } = await makeKey({ requests_per_minute: 1 });
  const change = (changes: object) => service.call("PATCH", `/admin/keys/${id}`, changes);
  expect([(await post(key)).status, (await post(key)).status]).toEqual([200, 429]);
  await change({ requests_per_minute: null });
  expect((await post(key)).status).toBe(200);
  await change({ expires_at: "2020-01-01T00:00:00Z" });
  expect(await status(key)).toBe(401);
  await change({ expires_at: null, disabled: true });
  expect(await status(key)).toBe(401);
  await change({ disabled: false });
  expect(await status(key)).toBe(200);
  const rotated = await service.call("POST", `/admin/keys/${id}/rotate`, { grace_seconds: 60 });
  expect([await status(key), await status(rotated.body.key)]).toEqual([200, 200]);
  const again = await service.call("POST", `/admin/keys/${id}/rotate`);
  expect(await status(key)).toBe(401);
  expect(await status(again.body.key)).toBe(200);
  await service.call("DELETE", `/admin/keys/${id}`);
  expect(await status(again.body.key)).toBe(401);
});
