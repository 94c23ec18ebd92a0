/** The Memory pages of the console in a real browser: what is edited, uploaded and counted.
 *  Skipped where there is no Chromium. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ConsolePage,
  type Look,
  launchBrowser,
  noBrowser,
  seriousFindings,
} from "../support/browser.ts";
import { onConsole } from "../support/console-page.ts";
import {
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

let service: TestService;
let browser: Browser;

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

describe(where, { skip: noBrowser !== null }, () => {
  beforeAll(async () => {
    [service, browser] = await Promise.all([startTestService(), launchBrowser()]);
    await fill(service, "handbook", [{ id: "leave", text: "Staff have 28 days of leave." }]);
  }, START_MS_MAX);
  afterAll(async () => {
    await browser?.close();
    await service?.stop();
  });

  const on = (look: Look, work: (open: ConsolePage, page: Page) => Promise<void>) =>
    onConsole(browser, service.url, look, work);

  it("another namespace's figures are never shown under a namespace's name", () =>
    on({}, async ({ show }, page) => {
      await fill(service, "empty", [{ id: "one", text: "Only this." }]);
      let release = () => {};
      const released = new Promise<void>((done) => {
        release = done;
      });
      await page.route("**/namespaces/empty/stats", async (route) => {
        await released;
        await route.continue();
      });
      await show("#/memory/handbook/search");
      await page.locator("#memory-stats dl").waitFor();
      await page.evaluate("location.hash = '#/memory/empty/search'");
      await page.locator("#memory-name", { hasText: "empty" }).waitFor();
      expect(await page.textContent("#memory-stats")).toBe("Counting…");
      release();
      await page.locator("#memory-stats dl").waitFor();
    }));

  it("a text that scrolls can be reached and scrolled by keyboard, a short one is no stop", () =>
    on({ height: 500 }, async ({ show }, page) => {
      const text = Array.from({ length: 200 }, (_, i) => `Line ${i} of the long text.`).join("\n");
      const metadata = { wide: "x".repeat(2_000) };
      await fill(service, "handbook", [{ id: "long", text, metadata }]);
      await show("#/memory/handbook/document/long");
      const region = page.getByRole("region", { name: "The document's text" });
      await region.focus();
      await page.getByRole("region", { name: "Metadata", exact: true }).waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      await page.keyboard.press("End");
      const moved = "document.querySelector('#memory-document .text').scrollTop";
      await expect.poll(() => page.evaluate(moved)).toBeGreaterThan(0);
      await show("#/memory/handbook/document/leave");
      await page.getByText("28 days").waitFor();
      expect(await page.locator("#memory-document [tabindex]").count()).toBe(0);
    }));
});
