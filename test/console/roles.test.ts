/** What the console offers to keys that may not do everything, in a real browser. Skipped where
 *  there is no Chromium. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, noBrowser, seriousFindings, settled } from "../support/browser.ts";
import { onConsole } from "../support/console-page.ts";
import { fill, START_MS_MAX } from "../support/running-service.ts";
import { type Backed, startWithBackend } from "../support/service-with-backend.ts";

let backed: Backed;
let browser: Browser;

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

/** A document, and a note with the trace that it came of. */
async function seed(): Promise<void> {
  const { service } = backed;
  const text = "The handbook is for all staff. Staff have 28 days of leave.";
  await fill(service, "handbook", [{ id: "leave", title: "Leave", text }]);
  const { headers } = await service.call("POST", "/v1/chat/completions", {
    ...{ model: "backend", memory: { namespace: "handbook" } },
    messages: [{ role: "user", content: "Who keeps the parrots?" }],
  });
  const said = { rating: "bad", correction: "The porter keeps them." };
  const trace_id = headers.get("x-brink-trace");
  await service.call("POST", "/v1/feedback", { trace_id, ...said });
}

describe(where, { skip: noBrowser !== null }, () => {
  beforeAll(async () => {
    [backed, browser] = await Promise.all([startWithBackend(), launchBrowser()]);
    await seed();
  }, START_MS_MAX);
  afterAll(async () => {
    await browser?.close();
    await backed?.stop();
  });

  const keyWith = async (...scopes: string[]) =>
    (await backed.service.call("POST", "/admin/keys", { name: "looker", scopes })).body.key;
  const on = (
    key: string,
    work: (show: (hash: string) => Promise<void>, page: Page) => Promise<void>,
  ) => onConsole(browser, backed.service.url, { key }, ({ show }, page) => work(show, page));

  const PLACES = [
    ...["#/ask", "#/router", "#/traces", "#/keys", "#/memory"],
    ...["#/memory/handbook/documents", "#/memory/handbook/document/leave"],
    ...["#/memory/handbook/notes", "#/memory/handbook/cache"],
    ...["#/memory/handbook/search", "#/memory/handbook/add", "#/memory/handbook/add/leave"],
  ];

  it("a key that may only look is offered nothing that the service would refuse", async () => {
    await on(await keyWith("admin:read"), async (show, page) => {
      const refused: string[] = [];
      page.on("response", (reply) => {
        if (reply.status() >= 400)
          refused.push(`${reply.status()} ${new URL(reply.url()).pathname}`);
      });
      await show("#/ask");
      expect(await page.textContent("#key-status")).toBe(
        "Reading key: may look, not change or ask.",
      );
      expect(refused).toEqual(["403 /admin/namespaces", "403 /v1/models"]);
      await page.getByText("This key may look, not ask.").waitFor();
      for (const hash of PLACES) {
        await show(hash);
        expect(await page.evaluate(USABLE), hash).toEqual(USABLE_BY_READERS[hash] ?? []);
        expect(await page.getByRole("alert").filter({ visible: true }).count(), hash).toBe(0);
        expect(await seriousFindings(page), hash).toEqual([]);
      }
      expect(refused.length).toBe(2);
    });
  });

  it("it sees what there is: documents, notes, policies, the router, traces and keys", async () => {
    await on(await keyWith("admin:read"), async (show, page) => {
      await show("#/memory");
      await page.locator("#namespaces").getByText("handbook").click();
      expect(await page.locator("#memory-sections a").allTextContents()).toEqual([
        ...["Documents", "Notes", "Cache"],
      ]);
      await page.locator("#documents").getByRole("link", { name: "Leave" }).click();
      await page.locator("#memory-document").getByText("28 days").waitFor();
      await show("#/memory/handbook/notes");
      await page.getByText("The porter keeps them.").waitFor();
      expect(await page.inputValue("#notes-policy")).toBe("rated");
      await show("#/router");
      await page.fill("#target-value", "0.2");
      await page.getByText("With this target").waitFor();
      await page.press("#target-value", "Enter");
      expect(await page.textContent("#router-outcome")).toBe("");
      await show("#/keys");
      await page.getByRole("link", { name: "Traces of looker" }).first().waitFor();
    });
  });

  it("a key that may look and ask is offered both, and no change", async () => {
    await on(await keyWith("admin:read", "inference"), async (show, page) => {
      await show("#/ask");
      expect(await page.textContent("#key-status")).toBe(
        "Reading key: may look, ask and search, not change.",
      );
      expect(await page.isVisible("#ask-form")).toBe(true);
      expect(await page.isVisible("#ask-examples")).toBe(false); // of local documents
      await show("#/memory");
      expect(await page.locator("#memory-sections a").allTextContents()).toEqual([
        ...["Search", "Documents", "Notes", "Cache"],
      ]);
      expect(await page.isHidden("#namespace-delete")).toBe(true);
    });
  });

  it("a key that may only ask sees names where others have links that it could not follow", () =>
    on("brink-dev", async (show, page) => {
      await show("#/memory/handbook/search");
      await page.fill("#search-query", "leave");
      await page.click("#search-send");
      await page.locator(".hits").getByText("Leave", { exact: true }).waitFor();
      expect(await page.locator(".hits a").count()).toBe(0);
      await show("#/ask");
      await page.selectOption("#ask-namespace", { label: "another namespace" });
      await page.fill("#ask-other", "handbook");
      await page.selectOption("#ask-model", "edge");
      await page.fill("#question", "How many days of leave do staff have?");
      await page.press("#question", "Enter");
      await page.locator(".citations .source").getByText("Leave", { exact: true }).waitFor();
      expect(await page.locator(".exchange a").count()).toBe(0);
    }));

  it("a backend is asked by the name that it is listed by", () =>
    on("brink-dev", async (show, page) => {
      await show("#/ask");
      const groups = page.locator("#ask-model optgroup");
      expect(await groups.locator("option").allTextContents()).toEqual(["backend:big-model"]);
      expect(await page.inputValue("#ask-model")).toBe("auto");
      await page.selectOption("#ask-model", "backend:big-model");
      await page.fill("#question", "Who waves at parrots?");
      expect(await seriousFindings(page)).toEqual([]);
      const asked = page.waitForRequest((request) => request.url().endsWith("/completions"));
      await page.press("#question", "Enter");
      expect((await asked).postDataJSON()).toMatchObject({ model: "backend:big-model" });
      await page.getByText("The scripted backend says so").waitFor();
    }));

  it("a key that is refused from now on is told so, and what is typed stays", async () => {
    await on(await keyWith("admin"), async (show, page) => {
      await show("#/keys");
      await page.fill("#keys-name", "half a na");
      const json = { error: { message: "the key is not known", code: "invalid_api_key" } };
      await page.route("**/admin/keys", (route) => route.fulfill({ status: 401, json }));
      await page.click("#keys-send");
      await page.locator("#keys-outcome").getByText("Enter a key").waitFor();
      expect(await page.textContent("#key-status")).toBe("The service refuses this key.");
      expect(await page.inputValue("#keys-name")).toBe("half a na");
      await page.unroute("**/admin/keys");
      await page.press("#key", "Enter");
      await settled(page);
      expect(await page.textContent("#key-status")).toBe("Admin key.");
      expect(await page.inputValue("#keys-name")).toBe("half a na");
    });
  });

  it("telling what a key may do leaves no trace, and an administrator's is told as one", () =>
    on("brink-admin", async (show, page) => {
      await show("#/keys");
      expect(await page.isVisible("#keys-form")).toBe(true);
      await page.fill("#key", await keyWith("admin"));
      await page.press("#key", "Enter");
      await settled(page);
      expect(await page.textContent("#key-status")).toBe("Admin key.");
      const { traces } = (await backed.service.call("GET", "/admin/traces?status=4xx")).body;
      expect(traces).toEqual([]);
    }));
});

/** What a reader may press or fill in where anything is. */
const USABLE_BY_READERS: Record<string, string[]> = {
  "#/router": ["target-kind", "target-range", "target-value"],
  "#/traces": [...["traces-route", "traces-status", "traces-min", "traces-key", "Clear", "Show"]],
  "#/memory/handbook/notes": ["notes-state"],
};

/** The controls of the page, the key's aside, that are shown and enabled, by id or text. */
const USABLE = `[...document.querySelectorAll("main :is(button, input, select, textarea)")]
  .filter((control) => control.checkVisibility() && !control.matches(":disabled"))
  .map((control) => control.id || control.textContent)`;
