/** What the memory learns and keeps, in the console: notes and caches, in a real browser. Skipped
 *  where there is no Chromium. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ConsolePage,
  launchBrowser,
  noBrowser,
  seriousFindings,
  settled,
} from "../support/browser.ts";
import { HOSTILE, onConsole } from "../support/console-page.ts";
import { fill, START_MS_MAX } from "../support/running-service.ts";
import { type Backed, startWithBackend } from "../support/service-with-backend.ts";

const NOTES = "/admin/namespaces/handbook/notes";

let backed: Backed;
let browser: Browser;

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

describe(where, { skip: noBrowser !== null }, () => {
  beforeAll(async () => {
    [backed, browser] = await Promise.all([startWithBackend({}), launchBrowser()]);
    const text = "The handbook is for all staff. Staff have 28 days of leave.";
    await fill(backed.service, "handbook", [{ id: "leave", title: "Leave", text }]);
  }, START_MS_MAX);
  afterAll(async () => {
    await browser?.close();
    await backed?.stop();
  });

  const on = (work: (open: ConsolePage, page: Page) => Promise<void>) =>
    onConsole(browser, backed.service.url, {}, work);

  it("a correction becomes a note, which is shown with its source, edited and removed", () =>
    on(async ({ show }, page) => {
      const ask = async (model: string) => {
        await show("#/ask");
        await page.selectOption("#ask-model", model);
        await page.selectOption("#ask-namespace", "handbook");
        await page.fill("#question", `Who may wave at ${HOSTILE}?`);
        await page.press("#question", "Enter");
        await settled(page);
        return page.locator(".exchange").first();
      };
      const first = await ask("backend");
      await first.getByRole("button", { name: "Wrong" }).click();
      await first.getByLabel("What is the answer?").fill(`All may wave. ${HOSTILE}`);
      expect(await seriousFindings(page)).toEqual([]);
      await first.getByRole("button", { name: "Send" }).click();
      await first.getByText("It is a note now").waitFor();
      await first.getByRole("link", { name: "Notes" }).click();
      const note = page.locator(".notes > li");
      await note.getByText("a correction").waitFor();
      expect(await note.locator("h4").textContent()).toBe(`Who may wave at ${HOSTILE}?`);
      expect(await note.locator(".text").textContent()).toBe(`All may wave. ${HOSTILE}`);
      expect(await seriousFindings(page)).toEqual([]);
      const second = await ask("auto");
      expect(await second.locator(".citations").textContent()).toContain("note: Who may wave");
      expect(await second.locator(".reason").textContent()).toContain("a correction of");
      await show("#/memory/handbook/notes");
      await note.getByRole("button", { name: /^Edit/ }).click();
      await note.getByLabel("Answer").fill("Nobody may wave.");
      await note.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      await expect.poll(() => note.locator(".text").textContent()).toBe("Nobody may wave.");
      await note.getByText("written by an administrator").waitFor();
      await note.getByRole("button", { name: /^Remove/ }).click();
      await page.click("#confirm-go");
      await page.getByText("No notes yet.").waitFor();
      const { notes } = (await backed.service.call("GET", NOTES)).body;
      expect(notes).toEqual([]);
    }));

  it("what waits for approval is approved, and the policy is the namespace's", () =>
    on(async ({ show }, page) => {
      const asked = await backed.service.call("POST", "/v1/chat/completions", {
        ...{ model: "backend", memory: { namespace: "handbook" } },
        messages: [{ role: "user", content: "Who keeps the parrots?" }],
      });
      const trace_id = asked.headers.get("x-brink-trace");
      const body = { trace_id, rating: "bad", correction: "The porter keeps them." };
      const { service } = backed;
      const reader = { name: "reader", scopes: ["inference"] };
      const { id, key } = (await service.call("POST", "/admin/keys", reader)).body;
      const rated = await service.call("POST", "/v1/feedback", body, key);
      await service.call("DELETE", `/admin/keys/${id}`);
      expect(rated.body).toMatchObject({ learned: "pending" });
      await show("#/memory/handbook/notes");
      await page.selectOption("#notes-state", "pending");
      await page.getByRole("button", { name: /^Approve/ }).click();
      await page.getByText("Approved: it answers from now on.").waitFor();
      await page.getByText("Nothing waits for approval.").waitFor();
      await page.selectOption("#notes-state", "active");
      await page.getByText("The porter keeps them.").waitFor();
      const policy = "/admin/namespaces/handbook/note-policy";
      await page.selectOption("#notes-policy", "off");
      await service.call("PUT", policy, { ttl_days: 7 }); // somebody else, meanwhile
      await page.click("#notes-save");
      await page.getByText("Saved: it holds").waitFor();
      expect((await service.call("GET", policy)).body).toEqual({ notes: "off", ttl_days: 7 });
      await page.click("#notes-save");
      await page.getByText("Nothing was changed.").waitFor();
    }));

  it("a namespace's cache is set, follows the tenant's again, and is emptied", () =>
    on(async ({ show }, page) => {
      const path = "/admin/namespaces/handbook/cache";
      await backed.service.call("DELETE", path);
      const own = async () => (await backed.service.call("GET", path)).body.own;
      await show("#/memory/handbook/cache");
      expect(await page.locator("#cache-exact option").first().textContent()).toMatch(
        /^as the tenant's: /,
      );
      await page.selectOption("#cache-exact", "all");
      await page.fill("#cache-ttl", "600");
      await page.click("#cache-save");
      await page.getByText("Saved.").waitFor();
      expect((await own()).sort()).toEqual(["exact", "ttl_s"]);
      await backed.service.call("PUT", path, { ttl_s: 60 }); // somebody else, meanwhile
      await page.fill("#cache-cosine", "0.9");
      await page.click("#cache-save");
      await expect.poll(own).toContain("cosine_min");
      const { policy } = (await backed.service.call("GET", path)).body;
      expect(policy).toMatchObject({ exact: "all", cosine_min: 0.9, ttl_s: 60 });
      await page.click("#cache-save");
      await page.getByText("Nothing was changed.").waitFor();
      const question = { role: "user", content: "What is kept of this?" };
      const request = { model: "backend", messages: [question] };
      const call = { ...request, memory: { namespace: "handbook" } };
      await backed.service.call("POST", "/v1/chat/completions", call);
      const kept = async () => (await backed.service.call("GET", path)).body.answers;
      await expect.poll(kept).toBe(1);
      await show("#/ask");
      await show("#/memory/handbook/cache");
      await page.click("#cache-purge");
      await page.click("#confirm-go");
      await page.getByText("1 answer forgotten.").waitFor();
      expect(await kept()).toBe(0);
      await page.selectOption("#cache-exact", "");
      await page.fill("#cache-cosine", "");
      await page.fill("#cache-ttl", "");
      await page.click("#cache-save");
      await page.getByText("Saved.").waitFor();
      expect(await own()).toEqual([]);
    }));

  it("a note whose document changed is told to be silent, and answers again once confirmed", () =>
    on(async ({ show }, page) => {
      const { service } = backed;
      const policy = { notes: "rated" };
      await service.call("PUT", "/admin/namespaces/handbook/note-policy", policy);
      const question = "How many days of leave do staff have?";
      const asked = await service.call("POST", "/v1/chat/completions", {
        ...{ model: "backend", memory: { namespace: "handbook" } },
        messages: [{ role: "user", content: question }],
      });
      const trace_id = asked.headers.get("x-brink-trace");
      await service.call("POST", "/v1/feedback", { trace_id, rating: "good" });
      await fill(service, "handbook", [{ id: "leave", text: "Staff have 30 days of leave." }]);
      await show("#/memory/handbook/notes");
      const note = page.locator(".notes > li", { hasText: question });
      await note.getByText("A document behind it changed").waitFor();
      await note.getByRole("button", { name: /^It still holds/ }).click();
      await page.getByText("Confirmed: it answers again.").waitFor();
      await expect.poll(() => note.getByText("A document behind it").count()).toBe(0);
    }));
});
