/** `brink ask` against a service over HTTP that streams what the test says. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { runBrink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const CALL = "POST /v1/chat/completions";
const BRINK = {
  route: "edge",
  engine: "brink-reader",
  answer: "28 days",
  difficulty: 0.1234,
  reason: "easy",
  citations: [
    {
      ...{ mark: 3, document_id: "leave", passage_id: "p" },
      ...{ title: "Leave", quote: "28 days of leave", score: 1 },
    },
  ],
  timings_ms: { read: 12 },
};

function streams(...events: unknown[]): void {
  const text = events.map((event) =>
    event === "[DONE]" ? "data: [DONE]\n\n" : `data: ${JSON.stringify(event)}\n\n`,
  );
  const headers = { "content-type": "text/event-stream" };
  service.canned.set(CALL, [{ status: 200, body: text.join(""), headers }]);
}

const says = (content: string) => ({ choices: [{ delta: { content } }] });
const asks = (args: string[], input?: string) =>
  runBrink(["ask", ...args], { BRINK_URL: service.url }, { input });
const sent = () => JSON.parse(service.bodies.at(-1)!);

it("the answer goes to stdout, and what it rests on to stderr", async () => {
  streams(says("28 "), says("days [3]"), { choices: [{ delta: {} }], brink: BRINK }, "[DONE]");
  const { code, out, said } = await asks(["How", "many days?", "--namespace", "hr", "--k", "3"]);
  expect([code, out]).toEqual([0, "28 days [3]\n"]);
  expect(said).toMatch(/\[3\] Leave \(leave\)\n +28 days of leave/);
  expect(said).toMatch(/route +edge: brink-reader\nreason +easy\ndifficulty +0\.123\ntime +\d+ ms/);
  expect(said).not.toContain("\x1b");
  expect(sent()).toEqual({
    model: "auto",
    messages: [{ role: "user", content: "How many days?" }],
    memory: { namespace: "hr", k: 3 },
    stream: true,
  });
});

it("a question comes from stdin, without memory if told so, and no answer is 3", async () => {
  const brink = { ...BRINK, answer: null, citations: [] };
  streams(says("nothing"), { choices: [], brink }, "[DONE]");
  const { code } = await asks(["-", "--no-memory", "--model", "edge"], "Who won?\n");
  expect(code).toBe(3);
  expect(sent()).toMatchObject({ memory: false, model: "edge" });
  expect(sent().messages[0].content).toBe("Who won?\n");
});

it("what would command a terminal does not reach it", async () => {
  const quote = "a \x1b]0;owned\x07b";
  const brink = { ...BRINK, citations: [{ ...BRINK.citations[0], quote }] };
  streams(says("red \x1b[31mtext\x9b1m\r\n"), { choices: [], brink }, "[DONE]");
  const { out, said } = await asks(["x"]);
  expect(out).toBe("red [31mtext1m\n");
  expect(said).toContain("a ]0;ownedb");
});

it("an answer that breaks off is a failure, with what came before it", async () => {
  streams(says("half"));
  const broke = await asks(["x"]);
  expect([broke.code, broke.out]).toEqual([1, "half\n"]);
  expect(broke.said).toContain("the answer broke off");
  streams(says("half"), { error: { message: "the backend left", code: "backend_unavailable" } });
  const failed = await asks(["x"]);
  expect(failed.code).toBe(1);
  expect(failed.said).toContain("the backend left (backend_unavailable)");
});

it("--json is the whole reply, and a refusal is told with its code", async () => {
  const reply = { choices: [{ message: { content: "28 days" } }], brink: BRINK };
  service.canned.set(CALL, [{ status: 200, body: reply }]);
  const whole = await asks(["x", "--json"]);
  expect([whole.code, JSON.parse(whole.out)]).toEqual([0, reply]);
  expect(sent().stream).toBeUndefined();
  const error = { message: "no namespace", code: "namespace_not_found", type: "x", param: null };
  service.canned.set(CALL, [{ status: 404, body: { error } }]);
  const refused = await asks(["x", "--json"]);
  expect([refused.code, JSON.parse(refused.out).error]).toEqual([
    1,
    {
      message: "no namespace (namespace_not_found)",
      code: "namespace_not_found",
      remedy: expect.stringContaining("npx brink namespaces list"),
    },
  ]);
});

it("wrong use is refused before anything is sent", async () => {
  for (const [args, why] of [
    [[], "what is the question?"],
    [["  "], "the question is empty"],
    [["x", "--no-memory", "--namespace", "hr"], "--no-memory goes with no --namespace"],
    [["x", "--k", "0"], "--k is a number"],
  ] as const) {
    const { code, said } = await asks([...args]);
    expect([code, said]).toEqual([2, expect.stringContaining(why)]);
  }
  expect(service.calls).toEqual([]);
});
