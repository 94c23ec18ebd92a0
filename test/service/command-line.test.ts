/** `npx brink` against the built Worker, which it starts itself. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { checkAnswer, checkHealth, curlLine, makeFirstKey } from "../../scripts/deploy-check.ts";
import { freePort } from "../../scripts/service.ts";
import { runBrink } from "../support/brink-cli.ts";
import { START_MS_MAX } from "../support/running-service.ts";

const script = join(import.meta.dirname, "../../bin/brink.js");
const state = mkdtempSync(join(tmpdir(), "brink-dev-"));
let dev: ChildProcess;
let url: string;
let printed = "";

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  dev = spawn(process.execPath, [script, "dev", "--port", `${port}`, "--state", state]);
  await new Promise<void>((done, fail) => {
    dev.once("exit", () => fail(new Error(printed)));
    for (const stream of [dev.stdout!, dev.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        if (printed.includes(`ready ${url}`)) done();
      });
  });
}, START_MS_MAX);
afterAll(() => {
  dev.kill("SIGKILL");
  rmSync(state, { recursive: true, force: true });
});

it("a question is answered from memory, as it comes and as one document", async () => {
  const question = "How much memory does an isolate have?";
  const [streamed, whole] = await Promise.all([
    runBrink(["ask", question], { BRINK_URL: url }),
    runBrink(["ask", question, "--json", "--namespace", "docs"], { BRINK_URL: url }),
  ]);
  expect([streamed.code, whole.code]).toEqual([0, 0]);
  const { choices, brink } = JSON.parse(whole.out);
  expect(streamed.out.trimEnd()).toBe(choices[0].message.content.trimEnd());
  expect(brink.answer).toContain("128 MB");
  expect(streamed.said).toContain(brink.citations[0].document_id);
  expect(streamed.said).toMatch(/^route +edge: brink-reader$/m);
});

it("a question that the memory cannot answer exits with 3", async () => {
  const { code, said } = await runBrink(
    ["ask", "-"],
    { BRINK_URL: url },
    { input: "Who won the 1998 football world cup final in Paris?" },
  );
  expect(code).toBe(3);
  expect(said).toContain("though backend was wanted");
});

it("the doctor finds a fresh service well, and tells keys apart", async () => {
  const [admin, inference, wrong] = await Promise.all(
    ["brink-admin", "brink-dev", "brink-wrong-key-text"].map((key) =>
      runBrink(["doctor", "--json", "--key", key], { BRINK_URL: url }),
    ),
  );
  const checks = JSON.parse(admin!.out).checks as { name: string; state: string }[];
  expect(checks.filter(({ state }) => state === "fail")).toEqual([]);
  expect(checks.map(({ name }) => name)).toContain("snapshots");
  expect([inference!.code, inference!.out]).toEqual([
    0,
    expect.stringContaining("brink-dev has inference, memory:write"),
  ]);
  expect([wrong!.code, wrong!.out]).toEqual([
    1,
    expect.stringContaining("brink-wr…: the key is unknown or was revoked"),
  ]);
});

it("the terminal has the service's failures, and of a caller's mistakes nothing", async () => {
  const authorization = "Bearer brink-admin";
  const missing = await fetch(`${url}/admin/namespaces/none/stats`, { headers: { authorization } });
  expect(missing.status).toBe(404);
  const messages = [{ role: "user", content: "hi" }];
  const failed = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ model: "backend", memory: false, messages }),
  });
  expect(failed.status).toBe(503);
  // Printed in their order: what was thrown before is there by then, or never.
  await vi.waitUntil(() => printed.includes('"status":503'), { timeout: 10_000 });
  expect(printed).not.toContain("Uncaught");
});

it("what npm run deploy asks of a deployment is answered, and asked again as well", async () => {
  await checkHealth(url);
  expect(await checkAnswer(url, "brink-admin")).toMatch(/heliotrope/);
  expect(await checkAnswer(url, "brink-admin")).toMatch(/heliotrope/);
  const key = await makeFirstKey(url, "brink-admin");
  // As the shell cuts the line into words: -s URL -H AUTHORIZATION -H TYPE -d BODY.
  const words = `curl() { printf '%s\\0' "$@"; }; ${curlLine(url, key)}`;
  const [, address, , authorization, , type, , body] = execFileSync("bash", ["-c", words], {
    encoding: "utf8",
  }).split("\0");
  const headers = [authorization!, type!].map((line) => line.split(": ") as [string, string]);
  const reply = await (await fetch(address!, { method: "POST", headers, body })).json();
  expect((reply as { brink: { answer: string } }).brink.answer).toMatch(/heliotrope/);
});

it("dev ends with all it started when it is told to", async () => {
  const ended = new Promise<number | null>((done) => dev.once("exit", done));
  dev.kill("SIGTERM");
  expect(await ended).toBe(143);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
