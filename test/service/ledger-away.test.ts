/** The built Worker while its objects of keys and limits throw, or do not answer at all. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_ADMIN_KEY, type RunningService, startService } from "../../scripts/service.ts";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { START_MS_MAX } from "../support/running-service.ts";

const CONFIG = join(import.meta.dirname, "../support/ledger-away/wrangler.toml");

let backend: OpenAiServer;
let service: RunningService;
const state = mkdtempSync(join(tmpdir(), "brink-test-"));
const log: string[] = [];
beforeAll(async () => {
  backend = await startOpenAiServer();
  const variables = {
    BACKEND_URL: backend.url,
    BACKEND_MODEL: "big-model",
    BACKEND_PRICE_INPUT_PER_MTOK: "1",
    BACKEND_PRICE_OUTPUT_PER_MTOK: "2",
  };
  const onLog = (line: string) => log.push(line);
  const readyPath = "/openapi.json"; // nothing here looks into the memory
  service = await startService({ state, configs: [CONFIG], variables, onLog, readyPath });
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  await backend?.close();
  rmSync(state, { recursive: true, force: true });
});

const send = (path: string, key: string, body?: object) =>
  fetch(service.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
const jsonOf = async (response: Response) => JSON.parse(await response.text());
const makeKey = async (limits: object): Promise<string> =>
  (await jsonOf(await send("/admin/keys", LOCAL_ADMIN_KEY, limits))).key;
const MESSAGES = [{ role: "user", content: "hi" }];
const ask = (key: string) =>
  send("/v1/chat/completions", key, { model: "backend", memory: false, messages: MESSAGES });
const away = (query: string) => fetch(`${service.url}/away?${query}`);

it.each(["deny", "allow"])(
  "%s is what becomes of a key's requests; its limits count again afterwards",
  { timeout: 60_000 },
  async (choice) => {
    const rated = await makeKey({ requests_per_minute: 2 });
    const paid = await makeKey({ budget_usd: 0 });
    const free = await makeKey({});
    const statuses = () =>
      Promise.all([rated, paid, free].map(async (key) => (await ask(key)).status));
    await away(`choice=${choice}`);
    expect(await statuses()).toEqual([200, 429, 200]);
    for (const how of ["throw", "hang"]) {
      await away(`how=${how}`);
      expect(await statuses()).toEqual(choice === "deny" ? [503, 503, 200] : [200, 200, 200]);
      const unknown = await ask("brink-never-seen");
      expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "1"]);
      const error = { code: "ledger_unavailable", type: "server_error" };
      expect(await jsonOf(unknown)).toMatchObject({ error });
    }
    await away("how=no");
    expect(await statuses()).toEqual([200, 429, 200]);
    expect(await statuses()).toEqual([429, 429, 200]);
    const said = log.join("\n");
    expect(said.includes("limits not applied")).toBe(choice === "allow");
    for (const key of [rated, paid, free]) expect(said).not.toContain(key);
    const metrics = await (await send("/admin/metrics", LOCAL_ADMIN_KEY)).text();
    const allowed = Number(/^brink_ledger_allowed_total (\d+)$/m.exec(metrics)![1]);
    expect(allowed > 0).toBe(choice === "allow");
  },
);
