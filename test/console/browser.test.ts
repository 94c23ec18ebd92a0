/** The console in a real browser, against the built Worker. Skipped where there is no Chromium. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type ConsolePage,
  type Look,
  launchBrowser,
  noBrowser,
  seriousFindings,
  settled,
} from "../support/browser.ts";
import { HOSTILE, onConsole, TRACED_WAIT } from "../support/console-page.ts";
import { fill, START_MS_MAX } from "../support/running-service.ts";
import { type Backed, startWithBackend } from "../support/service-with-backend.ts";

const LINK = "javascript:pwned=1";

let backed: Backed;
let browser: Browser;
let traceId: string;

async function seed(): Promise<void> {
  const { service, backend } = backed;
  await fill(service, "handbook", [
    {
      ...{ id: "leave", title: "Leave" },
      text: "The handbook is for all staff. Staff have 28 days of leave. Ask your manager first.",
    },
  ]);
  const hostile = { id: LINK, title: HOSTILE, text: `${HOSTILE} tells of parrots.` };
  await fill(service, "hostile", [{ ...hostile, metadata: { [HOSTILE]: HOSTILE } }]);
  await service.call("POST", "/admin/keys", { name: HOSTILE, scopes: ["inference"] });
  const ask = (model: string, question: string) =>
    service.call("POST", "/v1/chat/completions", {
      ...{ model, memory: { namespace: "hostile" } },
      messages: [{ role: "user", content: question }],
    });
  await ask(HOSTILE, "?");
  backend.script({ text: `${HOSTILE} [1]` });
  const { headers } = await ask("backend", `${HOSTILE} What of parrots?`);
  traceId = headers.get("x-brink-trace")!;
  const known = async () => (await service.call("GET", `/admin/traces/${traceId}`)).status === 200;
  await vi.waitUntil(known, TRACED_WAIT);
}

const PRICES = { BACKEND_PRICE_INPUT_PER_MTOK: "1", BACKEND_PRICE_OUTPUT_PER_MTOK: "10" };

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

describe(where, { skip: noBrowser !== null }, () => {
  beforeAll(async () => {
    [backed, browser] = await Promise.all([
      startWithBackend({ ...PRICES, BRINK_TRACE_TEXT: "redacted" }),
      launchBrowser(),
    ]);
    await seed();
  }, START_MS_MAX);
  afterAll(async () => {
    await browser?.close();
    await backed?.stop();
  });

  const on = (look: Look, work: (open: ConsolePage, page: Page) => Promise<void>) =>
    onConsole(browser, backed.service.url, look, work);

  const places = () => [
    ...["#/ask", "#/router", "#/traces", `#/traces/${traceId}`, "#/keys"],
    ...["#/memory/handbook/search", "#/memory/handbook/documents", "#/memory/handbook/add"],
    ...["#/memory/handbook/notes", "#/memory/handbook/cache"],
    "#/memory/handbook/document/leave?quote=Staff+have",
  ];

  it.each([
    { scheme: "light", width: 1_200 },
    { scheme: "dark", width: 360 },
  ] as const)("every page is accessible and no wider than the screen: %o", (look) =>
    on(look, async ({ show }, page) => {
      for (const hash of places()) {
        await show(hash);
        expect(await seriousFindings(page), hash).toEqual([]);
        const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        expect(wide, hash).toBeLessThanOrEqual(0);
      }
    }),
  );

  it("an answer comes with its badges and its quote marked in the passage", () =>
    on({ scheme: "dark" }, async ({ show }, page) => {
      await show("#/ask");
      await page.selectOption("#ask-model", "edge");
      await page.selectOption("#ask-namespace", "handbook");
      await page.fill("#question", "How many days of leave do staff have?");
      await page.press("#question", "Enter");
      await page.waitForSelector(".citations");
      expect(await page.textContent(".exchange .badge.edge")).toBe("edge");
      expect(await page.textContent(".difficulty-badge")).toMatch(/^difficulty [01]\.\d\d$/);
      const quote = await page.textContent(".citations blockquote");
      await page.click(".citations summary");
      const passage = page.locator(".citations .text");
      await passage.waitFor();
      expect(await passage.locator("mark").textContent()).toBe(quote);
      expect(await passage.textContent()).toContain("Ask your manager first.");
      expect(await seriousFindings(page)).toEqual([]);
      await page.check("#ask-follow");
      await page.selectOption("#ask-model", "backend");
      await page.fill("#question", "And whom do they ask?");
      await page.press("#question", "Enter");
      await page.getByText("The scripted backend says so").waitFor();
      const { messages } = backed.backend.requests.at(-1)!.body as { messages: { role: string }[] };
      const roles = messages.map(({ role }) => role).filter((role) => role !== "system");
      expect(roles).toEqual(["user", "assistant", "user"]);
      expect(JSON.stringify(messages)).toContain("How many days of leave do staff have?");
      await page.fill("#key", "brink-dev");
      await page.press("#key", "Enter");
      await settled(page);
      expect(await page.locator(".exchange").count()).toBe(0);
      expect(await page.isHidden("#ask-follow")).toBe(true);
    }));

  it("what others wrote is shown as text and does nothing", () =>
    on({}, async ({ show }, page) => {
      const inert = async (hash: string, shown = HOSTILE) => {
        await show(hash);
        await page.getByText(shown).filter({ visible: true }).first().waitFor();
        const made = "script:not([src='main.js']), #content img, a[href^='javascript:']";
        expect(await page.locator(made).count(), hash).toBe(0);
      };
      await inert("#/memory/hostile/documents");
      await inert(`#/memory/hostile/document/${encodeURIComponent(LINK)}`);
      await inert(`#/memory/hostile/add/${encodeURIComponent(LINK)}`, "Metadata");
      expect(await page.inputValue("#add-title")).toBe(HOSTILE);
      await inert("#/keys");
      await inert("#/traces", "model_not_found");
      await page.getByText("model_not_found").click();
      await inert(`#/traces/${traceId}`);
      await show("#/memory/hostile/search");
      await page.fill("#search-query", `parrots ${HOSTILE}`);
      await page.check("#search-explain");
      await page.click("#search-send");
      await page.waitForSelector(".explanation");
      expect(await page.textContent(".passage")).toContain(HOSTILE);
      backed.backend.script({ text: `${HOSTILE} [1]` });
      await show("#/ask");
      await page.selectOption("#ask-model", "backend");
      await page.selectOption("#ask-namespace", "hostile");
      await page.fill("#question", HOSTILE);
      await page.press("#question", "Enter");
      await page.waitForSelector(".citations");
      expect(await page.textContent(".answer")).toContain(HOSTILE);
      expect(await page.locator("#content img, #content script").count()).toBe(0);
    }));

  it("the slider shows what a target would mean, by the keyboard too, before it is set", () =>
    on({}, async ({ show }, page) => {
      await show("#/router");
      expect(await page.locator(".chart svg").count()).toBe(4);
      await page.focus("#target-range");
      await page.keyboard.press("Home");
      const tried = page.locator(".preview tbody tr").first().locator("td").nth(1);
      await expect.poll(() => tried.count()).toBe(1);
      expect(await tried.textContent()).toBe("none");
      await page.fill("#target-range", "0.3");
      await expect.poll(() => tried.textContent()).toMatch(/^0\.\d{3}$/);
      expect(await page.locator(".preview tbody tr").count()).toBe(5);
      const { body } = await backed.service.call("GET", "/admin/router");
      expect(body.target).toEqual({ max_risk: 0.15 });
      await page.click("#router-send");
      await page.waitForSelector("#router-outcome .done");
      const set = await backed.service.call("GET", "/admin/router");
      expect(set.body.target).toEqual({ max_risk: 0.3 });
    }));

  it("what the router records and compares is set, and texts go only once that was said", () =>
    on({}, async ({ show }, page) => {
      await show("#/router");
      const settings = async () => {
        const { body } = await backed.service.call("GET", "/admin/router");
        const { shadow_rate, keep_text, auto_calibrate } = body;
        return { shadow_rate, keep_text, auto_calibrate };
      };
      await page.fill("#settings-shadow", "0.05");
      await page.uncheck("#settings-automatic");
      await page.click("#settings-send");
      await page.locator("#settings-outcome", { hasText: "Saved." }).waitFor();
      const set = { shadow_rate: 0.05, keep_text: true, auto_calibrate: false };
      expect(await settings()).toEqual(set);
      await page.uncheck("#settings-texts");
      await page.click("#settings-send");
      await page.click("#confirm-cancel");
      expect(await settings()).toEqual(set);
      await page.check("#settings-texts");
      await page.fill("#settings-shadow", "0");
      await page.check("#settings-automatic");
      await page.click("#settings-send");
      await expect.poll(settings).toEqual({ ...set, shadow_rate: 0, auto_calibrate: true });
    }));

  it("documents come a page at a time, there and back", () =>
    on({}, async ({ show }, page) => {
      const documents = Array.from({ length: 21 }, (_, i) => ({ id: `d${i}`, text: `Text ${i}.` }));
      await fill(backed.service, "pages", documents);
      await show("#/memory/pages/documents");
      const rows = page.locator(".documents > li");
      expect(await rows.count()).toBe(20);
      expect(await page.isDisabled("#documents-back")).toBe(true);
      await page.click("#documents-next");
      await page.getByText("Page 2").waitFor();
      expect(await rows.count()).toBe(1);
      expect(await page.isDisabled("#documents-next")).toBe(true);
      await page.click("#documents-back");
      await page.getByText("Page 1").waitFor();
      expect(await rows.count()).toBe(20);
    }));

  it("files go into memory with what became of each", () =>
    on({}, async ({ show }, page) => {
      await show("#/memory/handbook/add");
      const file = (name: string, text: string) => {
        return { name, mimeType: "text/plain", buffer: Buffer.from(text) };
      };
      await page.setInputFiles("#upload-files", [
        file("lunch.md", "# Lunch\n\nLunch is at noon."),
        file("more.ndjson", '{"id": "tea", "text": "Tea is at four."}\n{"txt": "x"}\n'),
        file("empty.txt", ""),
      ]);
      await page.click("#upload-send");
      await page.getByText("3 of 3 files").waitFor();
      const states = await page.locator(".upload-state").allTextContents();
      expect(states[0]).toContain("1 taken, 1 passage");
      expect(states[1]).toMatch(/1 taken, 1 passage, 1 refused.*Document 2: .*invalid_request/);
      expect(states[2]).toContain("may not be empty");
      expect(await page.evaluate("document.querySelector('#upload-bar').value")).toBe(1);
      expect((await backed.service.call("GET", NOON)).status).toBe(200);
    }));

  it("traces are filtered, and one shows its stages beside their numbers", () =>
    on({}, async ({ show }, page) => {
      await show("#/traces");
      await page.selectOption("#traces-route", "backend");
      await page.click("#traces-form [type=submit]");
      await settled(page);
      const routes = await page.locator(".traces .badge.edge, .traces .badge.backend").all();
      expect(routes.length).toBeGreaterThan(0);
      for (const route of routes) expect(await route.textContent()).toBe("backend");
      await page.fill("#traces-min", "9999999");
      await page.click("#traces-form [type=submit]");
      await page.getByText("fits the filter").waitFor();
      await show(`#/traces/${traceId}`);
      const stages = await page.locator(".waterfall th[scope=row]").allTextContents();
      expect(stages[0]).toBe("request");
      expect(stages.join(" ")).toMatch(/auth .*retrieve .*backend.*attempt/);
    }));

  it("a key's limits are changed, and what is left empty is no limit", () =>
    on({}, async ({ show }, page) => {
      await show("#/keys");
      await page.getByRole("button", { name: /^Edit/ }).click();
      expect(await page.inputValue("#keys-name")).toBe(HOSTILE);
      await page.fill("#keys-rpm", "30");
      await page.fill("#keys-budget", "2.5");
      await page.click("#keys-send");
      await page.getByText("30 requests/min, $2.5 a month").waitFor();
      const { keys } = (await backed.service.call("GET", "/admin/keys")).body;
      expect(keys).toMatchObject([
        { name: HOSTILE, scopes: ["inference"], requests_per_minute: 30, tokens_per_minute: null },
      ]);
      expect(await page.textContent("#keys-form-title")).toBe("New key");
    }));

  it("a failing service is told with its code, and may be asked again", () =>
    on({ width: 360 }, async ({ show }, page) => {
      const body = JSON.stringify({ error: { message: "it rests", code: "memory_busy" } });
      for (const [hash, path] of [
        ["#/traces", "**/admin/traces?*"],
        ["#/router", "**/admin/router"],
        ["#/keys", "**/admin/keys"],
        ["#/memory/handbook/documents", "**/documents?*"],
        ["#/memory/handbook/notes", "**/notes?*"],
        ["#/memory/handbook/cache", "**/cache"],
      ] as const) {
        await page.route(path, (route) =>
          route.fulfill({ status: 503, contentType: "application/json", body }),
        );
        await show(hash);
        const alert = page.getByRole("alert").filter({ hasText: "it rests" });
        await alert.waitFor();
        expect(await alert.textContent(), hash).toContain("memory_busy");
        expect(await seriousFindings(page), hash).toEqual([]);
        await page.unroute(path);
        await alert.getByRole("button", { name: "Try again" }).click();
        await alert.waitFor({ state: "detached" });
      }
      backed.backend.script(...Array.from({ length: 9 }, () => ({ status: 500 })));
      await show("#/ask");
      await page.selectOption("#ask-model", "backend");
      await page.fill("#question", "Is anybody there?");
      await page.press("#question", "Enter");
      await page.getByText("backend_unavailable").waitFor();
    }));

  it("a page whose scripts do not come says so", () =>
    on({}, async (_, page) => {
      await page.route("**/console/notice.js", (route) => route.fulfill({ status: 404 }));
      await page.goto(`${backed.service.url}/console/`);
      await page.getByText("The console is loading.").waitFor();
      await page.unroute("**/console/notice.js");
      await page.reload();
      await settled(page);
      expect(await page.getByText("The console is loading.").count()).toBe(0);
    }));

  it("a key that is refused, or may only ask, is told what it may not see", async () => {
    await on({ key: "wrong" }, async ({ show }, page) => {
      await show("#/traces");
      expect(await page.textContent("#key-status")).toBe("The service refuses this key.");
      await page.getByRole("alert").filter({ hasText: "Enter a key" }).waitFor();
    });
    await on({ key: "brink-dev" }, async ({ show }, page) => {
      for (const hash of ["#/traces", "#/router", "#/keys"]) {
        await show(hash);
        await page.getByText("with an admin key").filter({ visible: true }).first().waitFor();
      }
      expect(await seriousFindings(page)).toEqual([]);
    });
  });

  it("the keyboard reaches all, sees where it is, and Escape keeps what would be deleted", () =>
    on({}, async ({ show }, page) => {
      await show("#/keys");
      const seen: string[] = [];
      for (let i = 0; i < 10; i++) {
        await page.keyboard.press("Tab");
        seen.push(await page.evaluate(FOCUSED));
      }
      expect(seen).toEqual([
        ...["skip", "Ask", "Memory", "Router", "Traces", "Keys", "key", "key-show", "Use"],
        "The keys",
      ]);
      await page.focus("#skip");
      await page.keyboard.press("Enter");
      expect(await page.evaluate("document.activeElement.id")).toBe("content");
      const revoke = page.getByRole("button", { name: /^Revoke/ });
      await revoke.focus();
      await page.keyboard.press("Enter");
      await page.locator("#confirm[open]").waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await page.locator("#confirm[open]").waitFor({ state: "detached" });
      await expect.poll(() => page.evaluate(FOCUSED)).toMatch(/^Revoke/);
      expect((await backed.service.call("GET", "/admin/keys")).body.keys).toHaveLength(1);
    }));
});

const NOON = "/admin/namespaces/handbook/documents/lunch.md";

/** The focused element by its id, name or text; "unseen" without an outline that shows it. */
const FOCUSED = `(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) return "unseen " + element.outerHTML;
  return element.id || element.getAttribute("aria-label") || element.textContent;
})()`;
