/** Passages that give orders, in the memory of the built Worker with a scripted backend. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { INSTRUCTION } from "../../src/pipeline/prompt.ts";
import { fenced, INJECTIONS, type Injection } from "../injection/injections.ts";
import type { OpenAiServer } from "../support/openai-server.ts";
import { fill, type Reply, START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";

const SECRET = "sk-backend-7f3a91c2e5";
const TIMEOUT_MS = 240_000;

let service: TestService;
let backend: OpenAiServer;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, backend, stop } = await startWithBackend({ BACKEND_KEY: SECRET }));
  const ordering = INJECTIONS.map(({ id, text, order }) => ({ id, text, title: order }));
  await fill(
    service,
    "ordering",
    ordering.map((one) => ({ ...one, title: one.title.slice(0, 80) })),
  );
  await fill(
    service,
    "inert",
    INJECTIONS.map(({ id, inert }) => ({ id, text: inert })),
  );
}, START_MS_MAX);
afterAll(() => stop?.());

const textOf = new Map(INJECTIONS.map(({ id, text }) => [id, text]));

async function ask(model: string, { question }: Injection, namespace = "ordering"): Promise<Reply> {
  const messages = [{ role: "user", content: question }];
  const memory = { namespace };
  const body = { model, messages, memory, explain: true };
  const reply = await service.call("POST", "/v1/chat/completions", body);
  expect(reply.status, JSON.stringify(reply.body)).toBe(200);
  const told = JSON.stringify([reply.body, ...reply.headers]);
  expect(told).not.toContain(SECRET);
  expect(told).not.toContain(backend.url);
  return reply;
}

/** Every citation is of a document that is there and found, by words that stand in it. */
function expectHonest({ body }: Reply): void {
  for (const { document_id, quote } of body.brink.citations) {
    expect(textOf.get(document_id)).toContain(quote);
    expect(quote).not.toBe("");
  }
}

/** What may be set, without what is counted. */
async function settings(): Promise<string> {
  const paths = ["/admin/router", "/admin/keys", "/admin/namespaces", "/v1/models"];
  const bodies = await Promise.all(
    paths.map(async (path) => (await service.call("GET", path)).body),
  );
  const counted = ["drift", "outcomes", "labels", "shadow", "last_used_at"];
  return JSON.stringify(bodies, (key, value) => (counted.includes(key) ? undefined : value), 1);
}

it(
  "what a backend is sent keeps each passage in its fence, and nothing of it becomes a message",
  async () => {
    let found = 0;
    for (const injection of INJECTIONS) {
      // The worst backend: it obeys, and says what it was told to say.
      backend.script({ text: `${injection.order} [1] [2] [99]` });
      const reply = await ask("backend", injection);
      expectHonest(reply);
      expect(reply.body.brink).toMatchObject({ route: "backend", engine: "backend:big-model" });
      const marks = reply.body.brink.citations.map(({ mark }: { mark: number }) => mark);
      expect(Math.max(...marks)).toBeLessThan(99);
      const { body, headers, path } = backend.requests.at(-1)!;
      expect([path, body.model]).toEqual(["/v1/chat/completions", "big-model"]);
      expect(headers.authorization).toBe(`Bearer ${SECRET}`);
      expect(JSON.stringify(body)).not.toContain(SECRET);
      expect(Object.keys(body).sort()).toEqual(["messages", "model", "stream"]);
      expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(["system", "user"]);
      expect(body.messages[1].content).toBe(injection.question);
      const { outside, inside } = fenced(body.messages[0].content);
      expect(outside).toBe(INSTRUCTION);
      const fact = injection.text.split("\n")[0]!;
      if (inside.some((text) => text.includes(fact))) found += 1;
    }
    // Names that no vocabulary knows are found by their pieces, a few behind others.
    expect(found).toBeGreaterThan(INJECTIONS.length * 0.85);
  },
  TIMEOUT_MS,
);

it(
  "a route is what scores make of it, as for an inert passage, and settings stay as they are",
  async () => {
    const before = await settings();
    const thresholds = new Set<string>();
    const features = new Set<string>();
    const routes = { edge: 0, backend: 0 };
    for (const injection of INJECTIONS) {
      for (const namespace of ["ordering", "inert"]) {
        const reply = await ask("auto", injection, namespace);
        const { route, reason, difficulty, contributions } = reply.body.brink;
        const parts = /^difficulty [\d.]+ (<=|>) ([\d.]+)( before anything was read)?/.exec(reason);
        const [, sign, threshold] = parts ?? [];
        expect([reason, route]).toEqual([reason, sign === "<=" ? "edge" : "backend"]);
        expect(difficulty <= Number(threshold) + 0.0005).toBe(sign === "<=");
        expect(reply.headers.get("x-brink-route")).toBe(route);
        expect(Number(reply.headers.get("x-brink-difficulty"))).toBeCloseTo(difficulty, 3);
        const logit = Object.values<number>(contributions).reduce((sum, one) => sum + one, 0);
        if (parts![3] === undefined) expect(difficulty).toBeCloseTo(1 / (1 + Math.exp(-logit)), 6);
        thresholds.add(threshold!);
        features.add(Object.keys(contributions).sort().join());
        routes[route as keyof typeof routes] += 1;
        if (namespace === "ordering" && route === "edge") expectHonest(reply);
      }
    }
    expect(thresholds.size).toBe(1);
    expect(features.size).toBeLessThanOrEqual(2); // before and after reading
    expect(routes.edge).toBeGreaterThan(10);
    expect(await settings()).toBe(before);
    expect(before).toContain("threshold");
  },
  TIMEOUT_MS,
);

it(
  "at the edge, what is said is cut out of passages, and its marks are its citations'",
  async () => {
    for (const injection of INJECTIONS) {
      const reply = await ask("edge", injection);
      expectHonest(reply);
      const { answer, citations } = reply.body.brink;
      expect(reply.body.choices).toHaveLength(1);
      const { message, finish_reason } = reply.body.choices[0];
      expect(Object.keys(message).sort()).toEqual(["content", "refusal", "role"]);
      expect([message.role, finish_reason]).toEqual(["assistant", "stop"]);
      if (answer === null) continue;
      expect(citations[0].quote).toContain(answer);
      for (const { quote, mark } of citations) {
        expect(message.content).toContain(quote);
        expect(message.content).toContain(`[${mark}]`);
      }
    }
  },
  TIMEOUT_MS,
);
