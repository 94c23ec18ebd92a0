/** What is typed in the console and not saved: nothing that is shown anew takes it away. In a real
 *  browser; skipped where there is no Chromium. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConsolePage, launchBrowser, noBrowser, seriousFindings } from "../support/browser.ts";
import { onConsole } from "../support/console-page.ts";
import { fill, START_MS_MAX } from "../support/running-service.ts";
import { type Backed, startWithBackend } from "../support/service-with-backend.ts";

const NAMESPACE = "/admin/namespaces/handbook";
const QUESTIONS = ["Who keeps the parrots?", "Who feeds the parrots?", "Who wakes the parrots?"];

let backed: Backed;
let browser: Browser;

const where = noBrowser === null ? "in Chromium" : `skipped: ${noBrowser}`;

/** Documents, and a note a question. */
async function seed(): Promise<void> {
  const { service } = backed;
  const text = "Staff have 28 days of leave.";
  await fill(service, "handbook", [
    { id: "leave", text },
    { id: "tea", text: "Tea is at four." },
  ]);
  await service.call("PUT", "/admin/namespaces/wiki", {});
  for (const content of QUESTIONS) {
    const { headers } = await service.call("POST", "/v1/chat/completions", {
      ...{ model: "backend", memory: { namespace: "handbook" } },
      messages: [{ role: "user", content }],
    });
    const said = { rating: "bad", correction: `${content} The porter.` };
    await service.call("POST", "/v1/feedback", { trace_id: headers.get("x-brink-trace"), ...said });
  }
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

  const on = (work: (open: ConsolePage, page: Page) => Promise<void>) =>
    onConsole(browser, backed.service.url, {}, work);
  /** Whether the browser would ask before it leaves the page. */
  const asksFirst = (page: Page) =>
    page.evaluate(`!dispatchEvent(new Event("beforeunload", { cancelable: true }))`);

  it("a note that is saved or removed leaves what is typed into another as it is", () =>
    on(async ({ show }, page) => {
      await show("#/memory/handbook/notes");
      const note = (i: number) => page.locator(".notes > li", { hasText: QUESTIONS[i]! });
      const edit = (i: number) => note(i).getByRole("button", { name: /^Edit/ });
      const focused = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
      await edit(0).click();
      expect(await asksFirst(page)).toBe(false);
      await note(0).getByLabel("Answer").fill("Nobody yet.");
      expect(await asksFirst(page)).toBe(true);
      await edit(1).click();
      await note(1).getByLabel("Answer").fill("The cook.");
      await note(1).getByRole("button", { name: "Save" }).click();
      await note(1).locator(".text", { hasText: "The cook." }).waitFor();
      await expect.poll(focused).toBe(`Edit: ${QUESTIONS[1]}`);
      expect(await note(0).getByLabel("Answer").inputValue()).toBe("Nobody yet.");
      await note(2)
        .getByRole("button", { name: /^Remove/ })
        .click();
      await page.click("#confirm-go");
      await note(2).waitFor({ state: "detached" });
      await page.fill("#notes-days", "77");
      await show("#/memory/wiki/documents");
      await show("#/memory/handbook/notes");
      expect(await note(0).getByLabel("Answer").inputValue()).toBe("Nobody yet.");
      expect(await seriousFindings(page)).toEqual([]);
      await note(0).getByRole("button", { name: "Save" }).click();
      await note(0).locator(".text", { hasText: "Nobody yet." }).waitFor();
      expect(await asksFirst(page)).toBe(false);
      const { notes } = (await backed.service.call("GET", `${NAMESPACE}/notes`)).body;
      expect(notes.map(({ answer }: { answer: string }) => answer).sort()).toEqual([
        ...["Nobody yet.", "The cook."],
      ]);
    }));

  it("what is typed into a policy or the router's forms stays while they are read anew", () =>
    on(async ({ show }, page) => {
      await show("#/memory/handbook/notes");
      await page.fill("#notes-days", "77");
      await show("#/memory/handbook/cache");
      await page.fill("#cache-ttl", "99");
      await show("#/router");
      await page.fill("#settings-shadow", "0.5");
      await page.fill("#target-value", "0.2");
      await page.click("#router-send");
      await page.locator("#router-state dd", { hasText: "0.2" }).first().waitFor();
      expect(await page.inputValue("#settings-shadow")).toBe("0.5");
      await page.fill("#target-value", "0.4");
      await page.click("#settings-send");
      await page.locator("#settings-outcome", { hasText: "Saved." }).waitFor();
      expect(await page.inputValue("#target-value")).toBe("0.4");
      await backed.service.call("PUT", `${NAMESPACE}/note-policy`, { notes: "agreed" });
      await show("#/memory/handbook/notes");
      expect(await page.inputValue("#notes-days")).toBe("77");
      expect(await page.inputValue("#notes-policy")).toBe("agreed");
      await show("#/memory/handbook/cache");
      expect(await page.inputValue("#cache-ttl")).toBe("99");
      await show("#/router");
      expect(await page.inputValue("#target-value")).toBe("0.4");
      await page.getByText("With this target").waitFor();
      await show("#/memory/wiki/notes");
      expect(await page.inputValue("#notes-days")).not.toBe("77");
      await show("#/memory/wiki/cache");
      expect(await page.inputValue("#cache-ttl")).toBe("");
    }));

  it("a document that is being written is there again, and so is what became of it", () =>
    on(async ({ show }, page) => {
      await show("#/memory/handbook/add");
      await page.fill("#add-text", "A new text.");
      await show("#/memory/handbook/add/tea");
      expect(await page.inputValue("#add-text")).toBe("Tea is at four.");
      await page.fill("#add-title", "Tea");
      await show("#/memory/wiki/add");
      expect(await page.inputValue("#add-text")).toBe("");
      await page.fill("#key", "brink-admin");
      await page.press("#key", "Enter"); // the same once more
      await show("#/memory/handbook/add/tea");
      expect(await page.inputValue("#add-title")).toBe("Tea");
      let answer = () => {};
      const answered = new Promise<void>((done) => {
        answer = done;
      });
      const refused = { error: { message: "it rests", code: "memory_busy" } };
      await page.route("**/documents/tea", async (route) => {
        if (route.request().method() !== "PATCH") return route.continue();
        await answered;
        await route.fulfill({ status: 503, json: refused });
      });
      await page.click("#add-send");
      await show("#/memory/handbook/add");
      expect(await page.inputValue("#add-text")).toBe("A new text.");
      answer();
      await page.click("#add-send");
      await page.getByText("1 upserted").waitFor();
      await page.unroute("**/documents/tea");
      await show("#/memory/handbook/add/tea");
      await page.getByText("it rests").waitFor();
      expect(await asksFirst(page)).toBe(true);
      await page.click("#add-send");
      await page.getByText("its text is as it was").waitFor();
      expect(await asksFirst(page)).toBe(false);
    }));

  it("a key's form keeps what is typed unless its user gives that up", () =>
    on(async ({ show }, page) => {
      for (const name of ["first", "second"])
        await backed.service.call("POST", "/admin/keys", { name });
      await show("#/keys");
      const press = (verb: string, name: string) =>
        page.getByRole("button", { name: `${verb} ${name}` }).click();
      await page.fill("#keys-name", "third");
      await press("Disable", "first");
      await page.getByText("first is disabled").waitFor();
      await show("#/ask");
      await show("#/keys");
      expect(await page.inputValue("#keys-name")).toBe("third");
      await press("Edit", "first");
      await page.click("#confirm-cancel");
      expect(await page.inputValue("#keys-name")).toBe("third");
      await press("Edit", "first");
      await page.click("#confirm-go");
      await expect.poll(() => page.inputValue("#keys-name")).toBe("first");
      await page.fill("#keys-rpm", "3");
      await press("Revoke", "first");
      await page.click("#confirm-go");
      await page.getByText("first is revoked").waitFor();
      expect(await page.textContent("#keys-form-title")).toBe("New key");
      expect(await asksFirst(page)).toBe(false);
      let answer = () => {};
      const answered = new Promise<void>((done) => {
        answer = done;
      });
      await page.route("**/admin/keys", async (route) => {
        if (route.request().method() === "POST") await answered;
        await route.continue();
      });
      await page.fill("#keys-name", "fourth");
      await page.click("#keys-send");
      await page.fill("#keys-name", "fifth");
      answer();
      await page.locator("#keys-texts code").waitFor();
      expect(await page.inputValue("#keys-name")).toBe("fifth");
      await page.fill("#keys-name", "fourth");
      expect(await asksFirst(page)).toBe(true); // of the text that is shown this once
    }));

  it("a file that is dropped is chosen in the form, and opened nowhere", () =>
    on(async ({ show }, page) => {
      await show("#/memory/handbook/add");
      const folder = mkdtempSync(join(tmpdir(), "brink-drop-"));
      writeFileSync(join(folder, "lunch.txt"), "Lunch is at noon.");
      const session = await page.context().newCDPSession(page);
      const drop = async (onto: string) => {
        await page.locator(onto).scrollIntoViewIfNeeded();
        const { x, y } = (await page.locator(onto).boundingBox())!;
        const data = { items: [], files: [join(folder, "lunch.txt")], dragOperationsMask: 1 };
        for (const type of ["dragEnter", "dragOver", "drop"] as const)
          await session.send("Input.dispatchDragEvent", { type, x: x + 3, y: y + 3, data });
      };
      const chosen = () =>
        page.evaluate("[...document.querySelector('#upload-files').files].map((f) => f.name)");
      for (const onto of ["#add-text", "#memory-title", "#memory-name"]) await drop(onto);
      expect(await chosen()).toEqual([]);
      await drop("#upload-help");
      await expect.poll(chosen).toEqual(["lunch.txt"]);
      await page.click("#upload-send");
      await page.getByText("1 of 1 file").waitFor();
      expect(new URL(page.url()).hash).toBe("#/memory/handbook/add");
      rmSync(folder, { recursive: true });
    }));
});
