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

it("what the browser has already is not sent again, and keeps its policy", async () => {
  const { app } = startApi();
  addConsole(app);
  const assets = {
    fetch: async ({ headers }: Request) =>
      headers.get("if-none-match") === '"a"'
        ? new Response(null, { status: 304, headers: { etag: '"a"' } })
        : new Response("start();", { headers: { etag: '"a"' } }),
  };
  const ask = (headers: Record<string, string>) =>
    app.request("/console/app.js", { headers }, { ASSETS: assets });
  const known = await ask({ "if-none-match": '"a"' });
  expect([known.status, await known.text(), known.headers.get("etag")]).toEqual([304, "", '"a"']);
  expect(known.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect((await ask({ "if-none-match": '"b"' })).status).toBe(200);
});
