import { expect, it } from "vitest";
import { addConsole } from "../../src/api/console.ts";
import { startApi } from "./fake-service.ts";

it("the console's files come with headers against guesses and foreign code", async () => {
  const { app } = startApi();
  addConsole(app);
  const assets = {
    fetch: async ({ url }: Request) =>
      url.endsWith("/console/app.js")
        ? new Response("start();", {
            headers: { "content-type": "text/javascript", "cache-control": "public" },
          })
        : new Response(null, { status: 404 }),
  };
  for (const origin of [undefined, "https://elsewhere.example"]) {
    const headers: Record<string, string> = origin === undefined ? {} : { origin };
    const reply = await app.request("/console/app.js", { headers }, { ASSETS: assets });
    expect([reply.status, await reply.text()]).toEqual([200, "start();"]);
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      "content-type": "text/javascript",
      "cache-control": "no-cache",
      "content-security-policy": expect.stringContaining("script-src 'self'"),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "x-brink-trace": expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  }
  const missing = await app.request("/console/nothing.js", {}, { ASSETS: assets });
  expect(missing.status).toBe(404);
});
