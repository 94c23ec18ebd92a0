/** Answers given again over HTTP: the built Worker with a scripted backend. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import {
  fill,
  type Reply,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

let backend: OpenAiServer;
let service: TestService;
beforeAll(async () => {
  backend = await startOpenAiServer();
  service = await startTestService({
    ...{ BACKEND_URL: backend.url, BACKEND_MODEL: "big-model" },
    ...{ BACKEND_PRICE_INPUT_PER_MTOK: "2", BACKEND_PRICE_OUTPUT_PER_MTOK: "8" },
  });
  await fill(service, "ferries", [FERRY]);
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  await backend?.close();
});
beforeEach(async () => {
  expect((await service.call("DELETE", "/admin/cache")).status).toBe(200);
});

const FERRY = { id: "ferry", text: "The ferry to Skagen leaves at 07:40 and 16:10 daily." };
const QUESTION = "Who keeps the keys of the Skagen ferry?";
const CHAT = "/v1/chat/completions";

interface Wish {
  key?: string;
  cache?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: tests read replies of every shape
type Json = any;

async function post(path: string, body: object, { key = "brink-dev", cache }: Wish = {}) {
  const headers = {
    ...{ authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(cache === undefined ? {} : { "x-brink-cache": cache }),
  };
  return fetch(service.url + path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Asks the backend at temperature 0. */
async function ask(content: string, rest: object = {}, wish: Wish = {}): Promise<Reply> {
  const messages = [{ role: "user", content }];
  const body = { model: "backend", memory: false, temperature: 0, messages, ...rest };
  const response = await post(CHAT, body, wish);
  const reply = await response.json();
  expect(response.status, JSON.stringify(reply)).toBe(200);
  return { status: 200, headers: response.headers, body: reply };
}

const statusOf = ({ headers }: Reply) => headers.get("x-brink-cache");
const textOf = ({ body }: Reply) => body.choices[0].message.content;

/** Answers are kept once they are out: waits for so many. */
async function kept(answers: number, path = "/admin/cache") {
  const count = async () => (await service.call("GET", path)).body.answers;
  await expect.poll(count, { timeout: 5_000, interval: 30 }).toBe(answers);
}

it("the same request again gets the same answer for nothing, without the backend", async () => {
  backend.script({ text: "The harbour master." });
  const first = await ask(QUESTION);
  expect([statusOf(first), first.body.brink.cache]).toEqual(["miss", undefined]);
  await kept(1);
  const asked = backend.requests.length;
  const again = await ask(QUESTION, { user: "somebody else" });
  expect(backend.requests.length).toBe(asked);
  expect([statusOf(again), textOf(again)]).toEqual(["hit", "The harbour master."]);
  expect(again.body).toMatchObject({ model: "big-model", usage: first.body.usage });
  const { prompt_tokens, completion_tokens } = first.body.usage;
  expect(again.body.brink.cache).toMatchObject({
    status: "hit",
    trace_id: first.headers.get("x-brink-trace"),
    saved: {
      ...{ prompt_tokens, completion_tokens },
      usd: (prompt_tokens * 2 + completion_tokens * 8) / 1e6,
    },
  });
  for (const other of [{ temperature: 0, seed: 1 }, { max_tokens: 9 }, { model: "auto" }])
    expect(statusOf(await ask(QUESTION, other)), JSON.stringify(other)).toBe("miss");
  const { status, body } = await service.call("GET", "/admin/cache");
  expect([status, body.policy.exact, body.own]).toEqual([200, "repeatable", []]);
});

it("a stream comes again as a stream, or whole, also as a Response", async () => {
  backend.script({ text: "One two three four five six seven eight nine ten eleven." });
  const body = { model: "backend", memory: false, temperature: 0, stream: true };
  const messages = [{ role: "user", content: "Count." }];
  const stream = async () => {
    const options = { stream_options: { include_usage: true } };
    const response = await post(CHAT, { ...body, ...options, messages });
    return { status: response.headers.get("x-brink-cache"), text: await response.text() };
  };
  const first = await stream();
  expect(first.status).toBe("miss");
  await kept(1);
  const again = await stream();
  expect(again.status).toBe("hit");
  const chunks = (text: string) =>
    [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!));
  const said = (text: string) =>
    chunks(text)
      .map(({ choices }) => choices[0]?.delta.content ?? "")
      .join("");
  expect(said(again.text)).toBe("One two three four five six seven eight nine ten eleven.");
  expect(chunks(again.text).length).toBeGreaterThan(4);
  expect(again.text.trimEnd().endsWith("data: [DONE]")).toBe(true);
  expect(chunks(again.text).at(-1).usage).toEqual(chunks(first.text).at(-1).usage);
  const whole = await ask("Count.");
  expect([statusOf(whole), textOf(whole)]).toEqual(["hit", said(again.text)]);
  const rest = { model: "backend", memory: false, temperature: 0, input: "Count." };
  const response = await post("/v1/responses", rest);
  expect(response.headers.get("x-brink-cache")).toBe("hit");
  expect(JSON.stringify(await response.json())).toContain(said(again.text));
});

it("an answer that broke off, was cut off, failed or was left is not kept", async () => {
  const event = (content: string) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
  backend.script({ chunks: [event("Half an")], ending: "reset" });
  const body = { model: "backend", memory: false, temperature: 0, stream: true };
  const messages = [{ role: "user", content: "Break off." }];
  const broken = await post(CHAT, { ...body, messages });
  expect(await broken.text()).toContain("error");
  backend.script({ text: "Nothing for", finish_reason: "content_filter" });
  await ask("Be filtered.");
  backend.script({ endless: event("more ") });
  const left = new AbortController();
  const headers = { authorization: "Bearer brink-dev", "content-type": "application/json" };
  const text = JSON.stringify({ ...body, messages: [{ role: "user", content: "Go on." }] });
  const options = { method: "POST", headers, body: text, signal: left.signal };
  const reader = (await fetch(service.url + CHAT, options)).body!.getReader();
  await reader.read();
  left.abort();
  backend.script({ text: "Whole." });
  await ask("Be whole.");
  await kept(1);
  backend.script({ text: "Now whole." }, { text: "Unfiltered." });
  expect(textOf(await ask("Break off."))).toBe("Now whole.");
  expect(textOf(await ask("Be filtered."))).toBe("Unfiltered.");
});

it("sampled answers are kept on request; off and refresh do as they say", async () => {
  backend.script({ text: "Heads." }, { text: "Tails." }, { text: "Edge." }, { text: "Anew." });
  const toss = (cache?: string) => ask("Toss a coin.", { temperature: 1 }, { cache });
  const first = await toss();
  expect([statusOf(first), textOf(first)]).toEqual(["bypass", "Heads."]);
  expect(textOf(await toss("on"))).toBe("Tails.");
  await kept(1);
  expect(textOf(await toss("on"))).toBe("Tails.");
  const off = await toss("off");
  expect([statusOf(off), textOf(off)]).toEqual(["bypass", "Edge."]);
  const fresh = await toss("refresh");
  expect([statusOf(fresh), textOf(fresh)]).toEqual(["refresh", "Anew."]);
  await expect.poll(async () => textOf(await toss("on")), { timeout: 5_000 }).toBe("Anew.");
  backend.script({ text: "New." });
  const zero = (cache?: string) => ask("Toss a stone.", {}, { cache });
  expect(textOf(await zero())).toBe("New.");
  await kept(2);
  backend.script({ text: "Newer." });
  const refreshed = await zero("refresh");
  expect([statusOf(refreshed), textOf(refreshed)]).toEqual(["refresh", "Newer."]);
  await expect.poll(async () => textOf(await zero()), { timeout: 5_000 }).toBe("Newer.");
  const wrong = await post(CHAT, { messages: [{ role: "user", content: "?" }] }, { cache: "yes" });
  expect([wrong.status, ((await wrong.json()) as Json).error.param]).toEqual([
    400,
    "x-brink-cache",
  ]);
});

it("an edge answer comes again with its citations until the memory changes", async () => {
  const asked = "When does the ferry to Skagen leave?";
  const memory = { namespace: "ferries" };
  const edge = () => ask(asked, { model: "edge", memory, temperature: undefined });
  const first = await edge();
  expect(statusOf(first)).toBe("miss");
  await kept(1, "/admin/namespaces/ferries/cache");
  const again = await edge();
  expect(statusOf(again)).toBe("hit");
  expect(again.headers.get("x-brink-difficulty")).toBe(first.headers.get("x-brink-difficulty"));
  expect(again.body.choices).toEqual(first.body.choices);
  expect(again.body.brink.citations).toEqual(first.body.brink.citations);
  await fill(service, "ferries", [{ id: "notice", text: "The ferry to Skagen leaves at 08:00." }]);
  expect(statusOf(await edge())).toBe("miss");
  await kept(1, "/admin/namespaces/ferries/cache");
  expect(statusOf(await edge())).toBe("hit");
  const removed = "/admin/namespaces/ferries/documents/notice";
  expect((await service.call("DELETE", removed)).status).toBe(200);
  expect(statusOf(await edge())).toBe("miss");
});

it("an answer goes with the first of its documents to expire, and with its time", async () => {
  const text = "The night ferry to Anholt leaves at 23:55.";
  await service.call("PUT", "/admin/namespaces/nights", {});
  const expires_at = new Date(Date.now() + 1_500).toISOString();
  const documents = [{ id: "night", text, expires_at }];
  await service.call("POST", "/admin/namespaces/nights/documents", { documents });
  const memory = { namespace: "nights" };
  const edge = () => ask("When does the night ferry leave?", { model: "edge", memory });
  expect((await edge()).body.brink.citations).toHaveLength(1);
  await kept(1, "/admin/namespaces/nights/cache");
  expect(statusOf(await edge())).toBe("hit");
  await expect
    .poll(async () => (await edge()).body.brink.citations, { timeout: 5_000 })
    .toEqual([]);
  await service.call("DELETE", "/admin/cache");
  await service.call("PUT", "/admin/cache", { ttl_s: 1 });
  await ask("Live for a second.");
  await kept(1);
  await kept(0);
  const { own } = (await service.call("PUT", "/admin/cache", { ttl_s: null })).body;
  expect(own).toEqual([]);
});

it("tenants and namespaces never meet, and a policy is a namespace's own", async () => {
  const made = await service.call("POST", "/admin/keys", { tenant: "other", scopes: ["admin"] });
  const { key } = made.body;
  backend.script({ text: "Ours." }, { text: "Theirs." });
  expect(textOf(await ask("Whose is it?"))).toBe("Ours.");
  await kept(1);
  expect(textOf(await ask("Whose is it?", {}, { key }))).toBe("Theirs.");
  const theirs = () => service.call("GET", "/admin/cache", undefined, key);
  await expect.poll(async () => (await theirs()).body.answers).toBe(1);
  expect((await service.call("DELETE", "/admin/cache", undefined, key)).body).toEqual({
    purged: 1,
  });
  expect(textOf(await ask("Whose is it?"))).toBe("Ours.");
  await kept(1);
  const path = "/admin/namespaces/ferries/cache";
  expect((await service.call("PUT", path, { exact: "off" })).body.own).toEqual(["exact"]);
  const memory = { namespace: "ferries" };
  expect(statusOf(await ask(QUESTION, { memory }, { cache: "on" }))).toBe("bypass");
  expect((await service.call("PUT", path, { exact: null })).body.policy.exact).toBe("repeatable");
  expect((await service.call("GET", path, undefined, key)).status).toBe(404);
  expect((await service.call("PUT", path, { exact: "some" })).status).toBe(400);
});

it("policies of several namespaces that are set at the same time all hold", async () => {
  const namespaces = ["first", "second", "third", "fourth"].map((n) => `/admin/namespaces/${n}`);
  for (const path of namespaces) expect((await service.call("PUT", path, {})).status).toBe(200);
  const off = { exact: "off" };
  const put = namespaces.map((path) => service.call("PUT", `${path}/cache`, off));
  for (const { status, body } of await Promise.all(put))
    expect([status, body.policy.exact, body.own]).toEqual([200, "off", ["exact"]]);
  for (const path of namespaces)
    expect((await service.call("GET", `${path}/cache`)).body.own, path).toEqual(["exact"]);
});

it("a bad rating, of the answer or of its repetition, has it forgotten", async () => {
  for (const rated of ["first", "again"]) {
    backend.script({ text: "A wrong one." });
    const content = `Say what is wrong, ${rated}.`;
    const first = await ask(content);
    await kept(1);
    const again = await ask(content);
    expect(statusOf(again)).toBe("hit");
    const trace_id = (rated === "first" ? first : again).headers.get("x-brink-trace");
    const rate = (rating: string) => service.call("POST", "/v1/feedback", { trace_id, rating });
    expect((await rate("good")).status).toBe(200);
    await kept(1);
    expect((await rate("bad")).status).toBe(200);
    await kept(0);
  }
});

it("with semantic on, other words get the answer and another fact does not", async () => {
  const other = () => ask(`Can you tell me ${QUESTION.toLowerCase().replace("?", "")}, please?`);
  backend.script({ text: "The harbour master." });
  await ask(QUESTION);
  await kept(1);
  expect(statusOf(await other())).toBe("miss");
  await service.call("DELETE", "/admin/cache");
  const put = await service.call("PUT", "/admin/cache", { semantic: true });
  expect(put.body.policy.semantic).toBe(true);
  backend.script({ text: "The harbour master." });
  const first = await ask(QUESTION);
  const questions = async () => (await service.call("GET", "/admin/cache")).body.questions;
  await expect.poll(questions, { timeout: 5_000 }).toBe(1);
  const asked = backend.requests.length;
  const like = await other();
  expect([statusOf(like), textOf(like)]).toEqual(["semantic", "The harbour master."]);
  expect(like.body.brink.cache).toMatchObject({
    ...{ status: "semantic", question: QUESTION, how: "the same words" },
    trace_id: first.headers.get("x-brink-trace"),
  });
  expect(backend.requests.length).toBe(asked);
  for (const fact of ["Anholt ferry", "Skagen train", "second Skagen ferry"])
    expect(statusOf(await ask(QUESTION.replace("Skagen ferry", fact))), fact).toBe("miss");
  const earlier = [
    { role: "system", content: "Answer in Danish." },
    { role: "user", content: QUESTION },
  ];
  expect(statusOf(await ask("", { messages: earlier }))).toBe("miss");
  await service.call("PUT", "/admin/cache", { semantic: null });
});

it("/admin/metrics counts what was given again and what that saved", async () => {
  const { url } = service;
  const headers = { authorization: "Bearer brink-admin" };
  const text = await (await fetch(`${url}/admin/metrics`, { headers })).text();
  const value = (line: string) => Number(text.split(`\n${line} `)[1]?.split("\n")[0]);
  expect(value('brink_cache_answers_total{outcome="hit"}')).toBeGreaterThan(5);
  expect(value('brink_cache_answers_total{outcome="semantic"}')).toBe(1);
  expect(value('brink_cache_tokens_saved_total{kind="prompt"}')).toBeGreaterThan(0);
  expect(value("brink_cache_usd_saved_total")).toBeGreaterThan(0);
  expect(value("brink_cache_failures_total")).toBe(0);
});
