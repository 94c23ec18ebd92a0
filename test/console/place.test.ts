/** Where the console's user is: the page that is read, the part that has the keyboard, and the
 *  address that leads there again. In a real browser; skipped where there is no Chromium. */
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
import { onConsole, TRACED_WAIT } from "../support/console-page.ts";
import { streamReply } from "../support/openai-server.ts";
import { fill, START_MS_MAX } from "../support/running-service.ts";
import { type Backed, becomes, startWithBackend } from "../support/service-with-backend.ts";

const NAMESPACES = 30;
const REQUESTS = 30;

let backed: Backed;
let browser: Browser;
let keyId: string;

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

/** More namespaces, documents and requests than one page shows. */
async function seed(): Promise<void> {
  const { service } = backed;
  const documents = Array.from({ length: 45 }, (_, i) => ({ id: `d${i}`, text: `Text ${i}.` }));
  await fill(service, "handbook", documents);
  for (let i = 0; i < NAMESPACES; i++) await service.call("PUT", `/admin/namespaces/n${i}`, {});
  const { id, key } = (await service.call("POST", "/admin/keys", { name: "asker" })).body;
  keyId = id;
  const body = { model: "nobody", messages: [{ role: "user", content: "?" }] };
  const ask = () => service.call("POST", "/v1/chat/completions", body, key);
  await Promise.all(Array.from({ length: REQUESTS }, ask));
  const path = `/admin/traces?limit=100&key=${id}`;
  const known = async () => (await service.call("GET", path)).body.traces.length === REQUESTS;
  await vi.waitUntil(known, TRACED_WAIT);
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

  const on = (look: Look, work: (open: ConsolePage, page: Page) => Promise<void>) =>
    onConsole(browser, backed.service.url, look, work);
  const focused = (page: Page) => page.evaluate("document.activeElement.id") as Promise<string>;
  const top = (page: Page, element: string) =>
    page.locator(element).evaluate((e) => Math.round(e.getBoundingClientRect().top));

  it("a page that is turned to is read from its top on, and the keyboard is there", () =>
    on({ height: 500 }, async ({ show }, page) => {
      for (const { hash, next, list, number } of [
        {
          ...{ hash: "#/memory/handbook/documents", list: "#documents" },
          ...{ next: "#documents-next", number: "#documents-page" },
        },
        {
          ...{ hash: "#/traces", list: "#traces-list" },
          ...{ next: "#traces-older", number: "#traces-page" },
        },
      ]) {
        await show(hash);
        await page.focus(next);
        await page.keyboard.press("Enter");
        await page.locator(number, { hasText: "Page 2" }).waitFor();
        expect(await focused(page)).toBe(list.slice(1));
        await expect.poll(() => top(page, list)).toBe(0);
      }
    }));

  it("the traces of a filter are there again after one of them, and after loading anew", () =>
    on({}, async ({ show }, page) => {
      const rows = page.locator(".traces tbody tr");
      await show(`#/traces?key=${keyId}`);
      await page.fill("#traces-status", "5xx"); // which lists others once it is sent
      await page.click("#traces-older");
      await page.locator("#traces-page", { hasText: "Page 2" }).waitFor();
      await rows.first().getByRole("link").click();
      await page.locator(".waterfall").waitFor();
      await page.goBack();
      await expect.poll(() => rows.count()).toBe(REQUESTS - 25);
      expect(await page.textContent("#traces-page")).toBe("Page 2");
      await page.selectOption("#traces-key", "");
      await page.fill("#traces-status", "404");
      await page.click("#traces-form [type=submit]");
      await expect.poll(() => rows.count()).toBe(25);
      const filter = async () => [
        ...[await page.inputValue("#traces-key"), await page.inputValue("#traces-status")],
      ];
      await rows.first().getByRole("link").click();
      await page.locator(".waterfall").waitFor();
      await page.goBack();
      await rows.first().waitFor();
      expect(await filter()).toEqual(["", "404"]);
      await page.reload();
      await rows.first().waitFor();
      expect(await filter()).toEqual(["", "404"]);
      await rows.first().getByRole("link").click();
      await page.getByRole("link", { name: "All traces" }).click();
      await rows.first().waitFor();
      expect(await filter()).toEqual(["", "404"]);
      await page.getByRole("button", { name: "Clear" }).click();
      await expect.poll(() => new URL(page.url()).hash).toBe("#/traces");
    }));

  it("a search is there again after loading anew, and another namespace begins without", () =>
    on({}, async ({ show }, page) => {
      await show("#/memory/handbook/search");
      await page.fill("#search-query", "Text 7 & more?");
      await page.selectOption("#search-mode", "bm25");
      await page.fill("#search-k", "3");
      await page.check("#search-explain");
      await page.click("#search-send");
      await page.locator(".hits > li").nth(2).waitFor();
      await page.reload();
      await page.locator(".hits .explanation").nth(2).waitFor();
      expect(await page.inputValue("#search-query")).toBe("Text 7 & more?");
      expect(await page.inputValue("#search-mode")).toBe("bm25");
      await show("#/memory/n0/search");
      await page.getByText("Search for a word").waitFor();
      expect(new URL(page.url()).hash).toBe("#/memory/n0/search");
    }));

  it("who starts or stops something by the keyboard goes on from the other button", () =>
    on({}, async ({ show }, page) => {
      backed.backend.script({ endless: streamReply({ text: "Slowly. " })[1]! });
      const before = backed.backend.aborted;
      await show("#/ask");
      await page.selectOption("#ask-model", "backend");
      await page.fill("#question", "Who is slow?");
      await page.focus("#ask-send");
      await page.keyboard.press("Enter");
      await page.getByText("Slowly.").waitFor();
      expect(await focused(page)).toBe("ask-stop");
      await page.keyboard.press("Enter");
      await page.getByText("Stopped.").waitFor();
      await expect.poll(() => focused(page)).toBe("ask-send");
      expect(await page.inputValue("#question")).toBe("Who is slow?");
      expect(await becomes(() => backed.backend.aborted > before)).toBe(true);
      await show("#/memory/n1/add");
      const refused = { name: "b.pdf", mimeType: "text/plain", buffer: Buffer.alloc(9_000, 65) };
      await page.setInputFiles("#upload-files", [refused]);
      await page.focus("#upload-send");
      await page.keyboard.press("Enter");
      await page.getByText("1 of 1 file").waitFor();
      await expect.poll(() => focused(page)).toBe("upload-send");
      expect(await page.evaluate("document.querySelector('#upload-bar').value")).toBe(1);
    }));

  it("an example that is asked leaves the keyboard with the question's buttons", () =>
    on({}, async ({ show }, page) => {
      await show("#/ask");
      await page.locator("#ask-examples button").first().focus();
      await page.keyboard.press("Enter");
      await page.locator(".exchange .reason").waitFor();
      await expect.poll(() => focused(page)).toBe("ask-send");
    }));

  it("the router stays on show while its target is set, with the keyboard where it was", () =>
    on({}, async ({ show }, page) => {
      await show("#/router");
      await page.fill("#target-value", "0.25");
      await page.getByText("With this target").waitFor();
      let release = () => {};
      const released = new Promise<void>((done) => {
        release = done;
      });
      await page.route("**/admin/router/curves", async (route) => {
        await released;
        await route.continue();
      });
      const read = page.waitForRequest((request) => request.url().endsWith("/curves"));
      await page.focus("#router-send");
      await page.keyboard.press("Enter");
      await page.getByText("The target is set.").waitFor();
      await read;
      expect(await page.locator(".chart svg").count()).toBeGreaterThan(2);
      expect(await focused(page)).toBe("router-send");
      release();
      await page.locator("#router-state dd", { hasText: "0.25" }).waitFor();
      expect(await focused(page)).toBe("router-send");
    }));

  it("a long list of namespaces leaves room, and shows the current one", () =>
    on({ width: 360, height: 740 }, async ({ show }, page) => {
      await show("#/memory/n9/search");
      expect(await top(page, "#memory-name")).toBeLessThan(740);
      const list = await page.locator(".namespaces").boundingBox();
      const item = await page.locator(".namespaces [aria-current]").boundingBox();
      expect(item!.y).toBeGreaterThanOrEqual(list!.y);
      expect(item!.y + item!.height).toBeLessThanOrEqual(list!.y + list!.height);
      expect(await page.evaluate("scrollY")).toBe(0);
      expect(await seriousFindings(page)).toEqual([]);
    }));

  it("a namespace that was made or deleted elsewhere is so here with the next page", () =>
    on({}, async ({ show }, page) => {
      await show("#/memory/n0/documents");
      await backed.service.call("PUT", "/admin/namespaces/made-elsewhere", {});
      await backed.service.call("DELETE", "/admin/namespaces/n29");
      const listed = (name: string) => page.locator("#namespaces").getByText(name, { exact: true });
      expect(await listed("n29").count()).toBe(1);
      await show("#/ask");
      await page.locator("#ask-namespace option", { hasText: "made-elsewhere" }).waitFor({
        state: "attached",
      });
      await show("#/memory");
      expect(await listed("made-elsewhere").count()).toBe(1);
      expect(await listed("n29").count()).toBe(0);
    }));

  it("another key's user begins at the first page", () =>
    on({}, async ({ show }, page) => {
      await show("#/memory/handbook/documents");
      await page.click("#documents-next");
      await page.locator("#documents-page", { hasText: "Page 2" }).waitFor();
      const scopes = ["admin:read"];
      const { key } = (await backed.service.call("POST", "/admin/keys", { scopes })).body;
      await page.fill("#key", key);
      await page.press("#key", "Enter");
      await settled(page);
      await page.locator("#documents-page", { hasText: "Page 1" }).waitFor();
    }));
});
