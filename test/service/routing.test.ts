/** Routing over HTTP: the built Worker with a scripted backend. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { OpenAiServer } from "../support/openai-server.ts";
import { chat, fill, START_MS_MAX, type TestService } from "../support/running-service.ts";
import { startWithBackend } from "../support/service-with-backend.ts";

let backend: OpenAiServer;
let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, backend, stop } = await startWithBackend({
    BACKEND_PRICE_INPUT_PER_MTOK: "2",
    BACKEND_PRICE_OUTPUT_PER_MTOK: "8",
  }));
  await fill(service, "ferry", DOCUMENTS);
  await service.call("PUT", "/admin/router", { target: { max_risk: 0.15 } });
}, START_MS_MAX);
afterAll(() => stop?.());

const DOCUMENTS = [
  { id: "ferry", title: "Ferry", text: "The ferry to the island leaves at 07:40 and 16:10 daily." },
  { id: "fares", title: "Fares", text: "A return ticket is 12 euros, and children travel free." },
  { id: "bikes", title: "Bicycles", text: "Bicycles stand on the lower deck and are tied down." },
  { id: "dogs", title: "Dogs", text: "Dogs are kept on a lead, and not let into the saloon." },
];

type Message = { role: "system" | "user" | "assistant"; content: string };

const EASY: Message = { role: "user", content: "When does the ferry to the island leave?" };
/** 4,000 tokens, about: dearer to read again than what a short answer saves. */
const LONG: Message = { role: "system", content: "Be brief and kind. ".repeat(850) };
const BRIEF: Message = { role: "system", content: "Be brief." };

function ask(messages: Message[], headers: Record<string, string> = {}, rest: object = {}) {
  const create = service.openai.chat.completions.create.bind(service.openai.chat.completions);
  const body = { model: "auto", messages, memory: { namespace: "ferry" }, ...rest };
  // biome-ignore lint/suspicious/noExplicitAny: `brink` is not in the client's types
  return create(body as Parameters<typeof create>[0], { headers }) as Promise<any>;
}

const backendTurn = { "x-brink-route": "backend" };

it("a header forces the route, and the reason says so", async () => {
  expect((await ask([EASY])).brink.route).toBe("edge");
  const { brink } = await ask([EASY], backendTurn);
  expect(brink).toMatchObject({ route: "backend", engine: "backend:big-model" });
  expect(brink.reason).toBe("the header x-brink-route named a backend");
  const edge = await ask([EASY], { "x-brink-route": "edge" });
  expect(edge.brink).toMatchObject({ route: "edge", difficulty: expect.any(Number) });
  await expect(ask([EASY], { "x-brink-route": "moon" })).rejects.toMatchObject({
    status: 400,
    code: "invalid_request",
    param: "x-brink-route",
  });
});

it("what the memory has nothing near to goes to the backend unread", async () => {
  const strange: Message = { role: "user", content: "Which football team won in 1954?" };
  const { brink } = await ask([strange], {}, { explain: true });
  expect(brink).toMatchObject({ route: "backend", engine: "backend:big-model" });
  expect(brink.reason).toMatch(/^difficulty [\d.]+ > [\d.]+ before anything was read \(harder by/);
  expect(brink.timings_ms.read).toBeUndefined();
  const parts: number[] = Object.values(brink.contributions);
  const logit = parts.reduce((sum, part) => sum + part, 0);
  expect(brink.difficulty_before).toBeCloseTo(1 / (1 + Math.exp(-logit)), 9);
  expect(brink.difficulty).toBeGreaterThanOrEqual(brink.difficulty_before);
  const refusal = { status: 501, body: "{}" }; // which is not tried again
  backend.script(refusal);
  const fallen = (await ask([strange])).brink;
  expect(fallen).toMatchObject({ route: "edge", wanted: "backend" });
  expect(fallen.timings_ms.read).toBeGreaterThan(0);
  const named = (await ask([strange], { "x-brink-route": "edge" })).brink;
  expect(named.timings_ms.read).toBeGreaterThan(0);
});

it("a long conversation stays with the backend that has read it", async () => {
  const first = [LONG, { role: "user", content: "Who are you?" } as const];
  const one = await ask(first, backendTurn);
  const said: Message = { role: "assistant", content: one.choices[0].message.content };
  const { brink } = await ask([...first, said, EASY]);
  expect(brink).toMatchObject({ route: "backend", difficulty: null });
  expect(brink.reason).toMatch(
    /^the conversation stays with backend:big-model: to read its prompt again would cost USD 0\.00/,
  );
  expect(brink.timings_ms.read).toBeUndefined();
  expect(brink.switched).toBeUndefined();
  const other = await ask([...first, { ...said, content: "Somebody else." }, EASY]);
  expect(other.brink.route).toBe("backend"); // known up to the question that was answered
  const edited = await ask([{ ...LONG, content: `${LONG.content}!` }, first[1]!, said, EASY]);
  expect(edited.brink.route).toBe("edge");
});

it("a conversation that stays but finds its backend down is answered at the edge", async () => {
  const headers = { "x-brink-conversation": "down" };
  await ask([LONG, EASY], { ...headers, ...backendTurn });
  const refusal = { status: 501, body: "{}" }; // which is not tried again
  backend.script(refusal);
  const { brink } = await ask(
    [LONG, EASY, { role: "assistant", content: "At 07:40." }, EASY],
    headers,
  );
  expect(brink).toMatchObject({ route: "edge", wanted: "backend", answer: expect.any(String) });
  expect(brink.reason).toContain("the conversation stays with");
  expect(brink.difficulty).toBeGreaterThan(0);
});

it("a short one leaves, and a switch is counted when the backend has to read again", async () => {
  const headers = { "x-brink-conversation": "short:1" };
  await ask([BRIEF, EASY], { ...headers, ...backendTurn });
  const turns: Message[] = [BRIEF, EASY, { role: "assistant", content: "At 07:40." }, EASY];
  const left = await ask(turns, headers);
  expect(left.brink).toMatchObject({
    route: "edge",
    switched: true,
    switch_cost: { from: "backend:big-model", recached_tokens: 0, usd: 0 },
  });
  const more: Message = { role: "assistant", content: "It leaves at 07:40 and at 16:10." };
  const back = await ask([...turns, more, EASY], { ...headers, ...backendTurn });
  expect(back.brink).toMatchObject({ switched: true, switch_cost: { from: "brink-reader" } });
  const { recached_tokens, usd } = back.brink.switch_cost;
  expect(recached_tokens).toBeGreaterThan(10);
  expect(usd).toBeCloseTo((recached_tokens * 2) / 1e6, 12);
});

it("another tenant's conversation of the same name is another", async () => {
  const name = { "x-brink-conversation": "shared-name" };
  await ask([LONG, EASY], { ...name, ...backendTurn });
  const made = await service.call("POST", "/admin/keys", { role: "admin", tenant: "other" });
  const { key } = made.body;
  const asked = await fetch(`${service.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...name },
    body: JSON.stringify({ model: "edge", messages: [LONG, EASY], memory: false }),
  });
  const { brink } = (await asked.json()) as { brink: object };
  expect(brink).toMatchObject({ route: "edge" });
  expect(brink).not.toHaveProperty("switched");
  const own = await chat(service, {
    model: "edge",
    messages: [LONG, EASY],
    memory: { namespace: "ferry" },
  });
  expect(own.brink.route).toBe("edge");
});

it(
  "what the isolate forgets, its data centre's cache remembers",
  async () => {
    const first = [LONG, { role: "user", content: "What do you remember?" } as const];
    await ask(first, backendTurn);
    await service.restart();
    const { brink } = await ask([...first, { role: "assistant", content: "You." }, EASY]);
    expect(brink.reason).toContain("the conversation stays with backend:big-model");
  },
  START_MS_MAX,
);
