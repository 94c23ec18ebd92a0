/** Calls of a service that takes them and says nothing, or stops in the middle, over HTTP. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { connect } from "../../cli/client.ts";
import { fetchWithin } from "../../cli/deadline.ts";
import { doctor } from "../../cli/doctor.ts";
import { runBrink } from "../support/brink-cli.ts";
import { runCommand } from "./said.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: RequestListener): Promise<string> {
  server = createServer(answer);
  await new Promise<void>((done) => server!.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const HEAD = { "x-brink-trace": "0".repeat(32), "content-type": "text/event-stream" };
const event = (content: string) => {
  return `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
};
const LAST = `data: ${JSON.stringify({
  brink: {
    ...{ route: "edge", engine: "minilm-squad2", difficulty: 0.1, reason: "r", answer: "x" },
    ...{ citations: [], timings_ms: {} },
  },
})}\n\ndata: [DONE]\n\n`;

it("a service that never answers is given up, with a code and what to do", async () => {
  const url = await serve(() => {});
  const args = ["keys", "list", "--json", "--url", url, "--timeout", "1"];
  const { code, out, said } = await runBrink(args);
  const message = `${url} was given up: nothing came for 1 s`;
  expect(code).toBe(1);
  expect(JSON.parse(out)).toEqual({
    error: { message, code: "timeout", remedy: expect.stringContaining("--timeout S waits") },
  });
  expect(said).toMatch(new RegExp(`^${message}\n--timeout S waits longer`));
});

it("a call that may be repeated is tried once more, and that is told", async () => {
  let calls = 0;
  const url = await serve(() => calls++);
  const { code, said } = await runBrink(["traces", "list", "--url", url, "--timeout", "1"]);
  expect([code, calls]).toEqual([1, 2]);
  expect(said).toContain("nothing came for 1 s; trying again\n");
});

it("a reply that stops in the middle is given up as well", async () => {
  const url = await serve((_, response) => response.writeHead(200, HEAD).write('{"keys"'));
  const call = connect({ url, timeout: "1" }).call("GET", "/admin/keys");
  await expect(call).rejects.toMatchObject({ code: "timeout" });
});

it("an answer that comes slowly is not cut, and one that stops is", async () => {
  let stops = false;
  const url = await serve(async (_, response) => {
    response.writeHead(200, HEAD);
    for (const word of ["one ", "two ", "three ", "four ", "five"]) {
      response.write(event(word));
      await wait(800);
    }
    if (!stops) response.end(LAST);
  });
  const args = ["ask", "q", "--url", url, "--timeout", "3"]; // less than the whole takes
  const whole = await runBrink(args);
  expect([whole.code, whole.out]).toEqual([0, "one two three four five\n"]);
  stops = true;
  const cut = await runBrink(args);
  expect([cut.code, cut.out]).toEqual([1, "one two three four five\n"]);
  expect(cut.said).toContain("the answer broke off (nothing came for 3 s): ask again");
});

it("the time that the reader takes is not the service's", async () => {
  const url = await serve((_, response) => response.writeHead(200, HEAD).end("whole"));
  const response = await fetchWithin(1_000, url, {});
  await wait(1_500);
  expect(await response.text()).toBe("whole");
});

it("--timeout is a number of seconds, and the doctor's calls have it too", async () => {
  for (const timeout of ["0", "301", "1.5", "x"])
    expect(() => connect({ timeout })).toThrow("--timeout is a number from 1 to 300");
  const url = await serve(() => {});
  const startMs = performance.now();
  const { out } = await runCommand(doctor, [], { url, timeout: "1" });
  expect(performance.now() - startMs).toBeLessThan(9_000);
  expect(out).toMatch(/fail {2}service/);
});
