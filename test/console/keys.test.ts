/** The Keys page of the console in a real browser: what a key may read and until when, its text,
 *  and where the keyboard is afterwards. Skipped where there is no Chromium. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ConsolePage,
  type Look,
  launchBrowser,
  noBrowser,
  seriousFindings,
  settled,
} from "../support/browser.ts";
import { onConsole } from "../support/console-page.ts";
import { START_MS_MAX, startTestService, type TestService } from "../support/running-service.ts";

let service: TestService;
let browser: Browser;

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

describe(where, { skip: noBrowser !== null }, () => {
  beforeAll(async () => {
    [service, browser] = await Promise.all([startTestService(), launchBrowser()]);
    for (const name of ["handbook", "wiki"])
      await service.call("PUT", `/admin/namespaces/${name}`, {});
  }, START_MS_MAX);
  afterAll(async () => {
    await browser?.close();
    await service?.stop();
  });

  const on = (look: Look, work: (open: ConsolePage, page: Page) => Promise<void>) =>
    onConsole(browser, service.url, look, work);

  const keyNamed = async (wanted: string) => {
    const { keys } = (await service.call("GET", "/admin/keys")).body;
    return keys.find(({ name }: { name: string }) => name === wanted);
  };
  const makeKey = async (body: object) => (await service.call("POST", "/admin/keys", body)).body;
  const row = (page: Page, name: string) => page.locator("#keys-list tbody tr", { hasText: name });

  it("a key is made for some namespaces, with a default and an end", () =>
    on({}, async ({ show }, page) => {
      await show("#/keys");
      await page.fill("#keys-name", "web");
      await page.getByLabel("handbook", { exact: true }).check();
      await page.getByLabel("wiki", { exact: true }).check();
      await page.getByText("must name memory.namespace").waitFor();
      const offered = await page.locator("#keys-default option").allTextContents();
      expect(offered).toEqual(["none", "handbook", "wiki"]);
      await page.fill("#keys-expires", "2099-05-03T12:30");
      expect(await seriousFindings(page)).toEqual([]);
      await page.click("#keys-send");
      await row(page, "web").getByText("no default").waitFor();
      expect(await keyNamed("web")).toMatchObject({
        ...{ namespaces: ["handbook", "wiki"], default_namespace: null },
        expires_at: new Date("2099-05-03T12:30").getTime(),
      });
      await row(page, "web").getByRole("button", { name: "Edit web" }).click();
      expect(await page.isChecked("#keys-namespaces [value=wiki]")).toBe(true);
      await page.getByLabel("handbook", { exact: true }).uncheck();
      await page.selectOption("#keys-default", "wiki");
      expect(await page.textContent("#keys-default-note")).toBe("");
      await page.click("#keys-send");
      await row(page, "web").getByText("default: wiki").waitFor();
      await row(page, "web").getByRole("button", { name: "Edit web" }).click();
      await page.selectOption("#keys-scope", "admin");
      expect(await page.isDisabled("#keys-namespaces [value=wiki]")).toBe(true);
      expect(await seriousFindings(page)).toEqual([]);
      await page.fill("#keys-expires", "");
      await page.click("#keys-send");
      await row(page, "web").getByText("all", { exact: true }).waitFor();
      expect(await keyNamed("web")).toMatchObject({
        ...{ scopes: ["admin"], namespaces: null, default_namespace: "wiki", expires_at: null },
      });
    }));

  it("a change undoes none of somebody else's, and none is sent where nothing was changed", () =>
    on({}, async ({ show }, page) => {
      const wide = { name: "wide", scopes: ["inference", "memory:write"] };
      const { id } = await makeKey({ ...wide, namespaces: ["wiki", "handbook"], budget_usd: 9 });
      const edit = () => row(page, "wide").getByRole("button", { name: "Edit wide" }).click();
      await show("#/keys");
      await edit();
      const narrow = {
        ...{ scopes: ["inference"], namespaces: ["handbook"], default_namespace: "handbook" },
        ...{ budget_usd: 1, budget_period: "day", requests_per_minute: 7 },
      };
      await service.call("PATCH", `/admin/keys/${id}`, narrow);
      const patched = page.waitForRequest((request) => request.method() === "PATCH");
      await page.fill("#keys-name", "wide no more");
      await page.click("#keys-send");
      expect((await patched).postDataJSON()).toEqual({ name: "wide no more" });
      await page.getByText("wide no more is changed").waitFor();
      expect(await keyNamed("wide no more")).toMatchObject(narrow);
      await edit();
      await page.click("#keys-send");
      await page.getByText("Nothing was changed.").waitFor();
      expect(await page.textContent("#keys-form-title")).toBe("New key");
    }));

  it("an end that is not touched keeps its seconds, and an expired key is marked", () =>
    on({}, async ({ show }, page) => {
      await makeKey({ name: "late", expires_at: "2020-01-01T00:00:07Z" });
      await show("#/keys");
      const late = row(page, "late");
      expect(await late.locator(".badge").allTextContents()).toEqual(["expired"]);
      await late.getByRole("button", { name: "Edit late" }).click();
      await page.fill("#keys-rpm", "7");
      await page.click("#keys-send");
      await late.getByText("7 requests/min").waitFor();
      expect((await keyNamed("late")).expires_at).toBe(Date.parse("2020-01-01T00:00:07Z"));
    }));

  it("a key's text stays until it is dismissed, whatever else is done", () =>
    on({ width: 360, scheme: "dark" }, async ({ show }, page) => {
      await makeKey({ name: "other" });
      await show("#/keys");
      await page.fill("#keys-name", "shown");
      await page.click("#keys-send");
      const texts = page.locator("#keys-texts code");
      await texts.waitFor();
      const text = (await texts.textContent())!;
      expect((await service.call("GET", "/v1/models", undefined, text)).status).toBe(200);
      await row(page, "other").getByRole("button", { name: "Disable other" }).click();
      await page.getByText("other is disabled").waitFor();
      await row(page, "other").getByRole("button", { name: "Rotate other" }).click();
      await page.getByLabel("goes on working for").selectOption({ label: "a day" });
      expect(await seriousFindings(page)).toEqual([]);
      const rotated = page.waitForRequest((request) => request.url().endsWith("/rotate"));
      await page.click("#confirm-go");
      expect((await rotated).postDataJSON()).toEqual({ grace_seconds: 86_400 });
      await page.getByText("The one it had works for a day more").waitFor();
      await show("#/memory");
      await page.getByText("New namespace").click();
      await page.fill("#namespace-name", `made-${Date.now()}`);
      await page.getByRole("button", { name: "Create" }).click();
      await page.locator("#namespace-outcome .done").waitFor();
      await show("#/keys");
      expect(await texts.count()).toBe(2);
      expect(await texts.first().textContent()).toBe(text);
      expect(await seriousFindings(page)).toEqual([]);
      const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(wide).toBeLessThanOrEqual(0);
      await page.getByRole("button", { name: "Dismiss" }).first().click();
      expect(await texts.count()).toBe(1);
      await page.fill("#key", "brink-dev");
      await page.press("#key", "Enter");
      await settled(page);
      expect(await texts.count()).toBe(0);
    }));

  it("the keyboard goes on where it was when a key was made, changed or rotated", () =>
    on({}, async ({ show }, page) => {
      const focused = () => page.evaluate(FOCUSED) as Promise<string>;
      await show("#/keys");
      await page.fill("#keys-name", "focus");
      await page.focus("#keys-send");
      await page.keyboard.press("Enter");
      await expect.poll(focused).toBe("The text of focus");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await expect.poll(focused).toBe("keys-list");
      for (const [name, then] of [
        ["Disable focus", "Enable focus"],
        ["Enable focus", "Disable focus"],
        ["Edit focus", "keys-name"],
      ] as const) {
        await page.getByRole("button", { name }).focus();
        await page.keyboard.press("Enter");
        await expect.poll(focused).toBe(then);
      }
      await page.focus("#keys-send");
      await page.keyboard.press("Enter");
      await expect.poll(focused).toBe("Edit focus");
      await page.getByRole("button", { name: "Rotate focus" }).focus();
      await page.keyboard.press("Enter");
      await page.locator("#confirm[open]").waitFor();
      await page.click("#confirm-go");
      await expect.poll(focused).toBe("The text of focus");
      await page.getByRole("button", { name: "Revoke focus" }).focus();
      await page.keyboard.press("Enter");
      await page.locator("#confirm[open]").waitFor();
      await page.click("#confirm-go");
      await expect.poll(focused).toBe("keys-list");
    }));

  it("no word of the table is broken but a name's", () =>
    on({ width: 1_200 }, async ({ show }, page) => {
      const name = "a-name-of-some-length-".repeat(8);
      await makeKey({
        ...{ name, scopes: ["inference", "memory:write"], namespaces: ["handbook", "wiki"] },
        ...{ default_namespace: "wiki", expires_at: "2020-12-31T23:59:59Z", budget_usd: 12_345.5 },
        disabled: true,
        ...{ requests_per_minute: 1_000_000, tokens_per_minute: 1_000_000_000 },
      });
      await show("#/keys");
      await row(page, name).waitFor();
      expect(await page.evaluate(BROKEN_WORDS)).toEqual([]);
      const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(wide).toBeLessThanOrEqual(0);
    }));

  it("traces are filtered by a key that is chosen by its name, or from the table of keys", () =>
    on({}, async ({ show }, page) => {
      const { id, key } = await makeKey({ name: "asker" });
      const body = { model: "nobody", messages: [{ role: "user", content: "?" }] };
      const ask = (by: string) => service.call("POST", "/v1/chat/completions", body, by);
      await Promise.all([ask(key), ask("brink-admin")]);
      const known = async () => (await service.call("GET", `/admin/traces?key=${id}`)).body.traces;
      await expect.poll(async () => (await known()).length, { timeout: 10_000 }).toBe(1);
      const rows = page.locator(".traces tbody tr");
      await show("#/traces");
      await expect.poll(() => page.locator("#traces-key option").count()).toBeGreaterThan(2);
      await page.selectOption("#traces-key", { label: `asker (${id})` });
      await page.click("#traces-form [type=submit]");
      await settled(page);
      expect(await rows.count()).toBe(1);
      await show("#/keys");
      await row(page, "asker").getByText(id).waitFor();
      await row(page, "asker").getByRole("link", { name: "Traces of asker" }).click();
      await rows.waitFor(); // the page goes there after the click has returned
      await settled(page);
      expect(await page.inputValue("#traces-key")).toBe(id);
      expect(await rows.count()).toBe(1);
      await service.call("DELETE", `/admin/keys/${id}`);
      await rows.getByRole("link").click();
      await page.getByRole("link", { name: id }).click();
      await rows.waitFor();
      await settled(page);
      expect(await page.inputValue("#traces-key")).toBe(id);
      expect(await rows.count()).toBe(1);
    }));

  it("many keys come a page at a time, and one is found by its name or its id", () =>
    on({ width: 360 }, async ({ show }, page) => {
      const names = Array.from({ length: 52 }, (_, i) => `many ${i}`);
      for (const name of names) await makeKey({ name });
      await show("#/keys");
      const rows = page.locator("#keys-list tbody tr");
      expect(await rows.count()).toBe(25);
      await page.click("#keys-next");
      await page.locator("#keys-page", { hasText: "Page 2 of" }).waitFor();
      await expect.poll(() => page.evaluate(FOCUSED)).toBe("keys-list");
      expect(await seriousFindings(page)).toEqual([]);
      await page.fill("#keys-find", "MANY 51");
      expect(await rows.count()).toBe(1);
      await rows.getByRole("button", { name: "Disable many 51" }).click();
      await page.getByText("many 51 is disabled").waitFor();
      expect(await rows.count()).toBe(1);
      expect(await page.isHidden("#keys-pages")).toBe(true);
      await page.fill("#keys-find", (await keyNamed("many 50")).id);
      expect(await rows.textContent()).toContain("many 50");
      await page.fill("#keys-find", "nobody's");
      await page.getByText("No key has that").waitFor();
    }));
});

/** The focused element by its name or id. */
const FOCUSED = `(() => {
  const element = document.activeElement;
  return element.getAttribute("aria-label") || element.id || element.outerHTML;
})()`;

/** The words of the table, but for names, that stand on more than one line. */
const BROKEN_WORDS = `(() => {
  const broken = [];
  for (const cell of document.querySelectorAll(".wide td, .wide thead th, .wide .badge")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode())
      for (const { index, 0: word } of node.data.matchAll(/\\S+/g)) {
        const range = document.createRange();
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) broken.push(word);
      }
  }
  return broken;
})()`;
