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

  const stored = async (id: string) =>
    (await service.call("GET", `/admin/namespaces/handbook/documents/${id}`)).body;

  it("editing keeps what a document is and of when, though its time is before 1973", () =>
    on({}, async ({ show }, page) => {
      const document = {
        ...{ id: "moon.md", title: "Moon", text: "# Moon\n\nMen walked on it.\n\n## Crew" },
        ...{ content_type: "text/markdown", time: "1969-07-20T20:17:40Z" },
      };
      await fill(service, "handbook", [{ ...document, metadata: { by: "nasa", crew: 3 } }]);
      const before = await stored("moon.md");
      await show("#/memory/handbook/add/moon.md");
      await page.fill("#add-text", `${document.text}\n\nThree of them.`);
      await page.click("#add-send");
      await page.getByText("1 upserted").waitFor();
      const after = await stored("moon.md");
      expect(after).toMatchObject({ content_type: "text/markdown", time: before.time, version: 2 });
      expect(after.text).toContain("Three of them.");
      await page.fill("#add-title", "The moon");
      await page.fill("#add-metadata", '{"by": "nasa", "seen": true}');
      await page.fill("#add-expires", "2099-01-01T00:00:00Z");
      const patched = page.waitForRequest((request) => request.method() === "PATCH");
      await page.click("#add-send");
      expect((await patched).postDataJSON()).toEqual({
        ...{ title: "The moon", metadata: { seen: true, crew: null }, if_version: 2 },
        expires_at: "2099-01-01T00:00:00Z",
      });
      await page.getByText("its text is as it was").waitFor();
      expect(await stored("moon.md")).toMatchObject({
        ...{ title: "The moon", metadata: { by: "nasa", seen: true }, text: after.text },
        ...{ content_type: "text/markdown", time: before.time, version: 3 },
      });
      await page.click("#add-send");
      await page.getByText("Nothing was changed").waitFor();
      expect((await stored("moon.md")).version).toBe(3);
      await fill(service, "handbook", [{ id: "lines", text: "One.\r\nTwo." }]);
      await show("#/memory/handbook/add/lines");
      await page.fill("#add-title", "Lines");
      await page.click("#add-send");
      await page.getByText("its text is as it was").waitFor();
      expect(await stored("lines")).toMatchObject({ title: "Lines", text: "One.\r\nTwo." });
    }));

  it("what somebody else changed meanwhile is not undone, and nothing typed is lost", () =>
    on({ width: 360, scheme: "dark" }, async ({ show }, page) => {
      const title = "Tea";
      await fill(service, "handbook", [{ id: "tea", title, text: "Tea is at four." }]);
      await show("#/memory/handbook/add/tea");
      await fill(service, "handbook", [{ id: "tea", title: "High tea", text: "Tea is at four." }]);
      await page.fill("#add-text", "Tea is at five.");
      await page.click("#add-send");
      await page.getByText("Somebody else changed or deleted this document").waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      expect(await stored("tea")).toMatchObject({ title: "High tea", text: "Tea is at four." });
      await page.getByRole("link", { name: "Show theirs" }).click();
      await page.locator("#memory-document h4", { hasText: "High tea" }).waitFor();
      await page.goBack();
      expect(await page.inputValue("#add-text")).toBe("Tea is at five.");
      await page.getByRole("button", { name: "Save mine over it" }).click();
      await page.getByText("1 upserted").waitFor();
      expect(await stored("tea")).toMatchObject({ title: "High tea", text: "Tea is at five." });
      expect(await page.inputValue("#add-title")).toBe("High tea");
      await service.call("DELETE", "/admin/namespaces/handbook/documents/tea");
      await page.fill("#add-title", "Late tea");
      await page.click("#add-send");
      await page.getByRole("button", { name: "Save mine over it" }).click();
      await page.getByText("1 upserted").waitFor();
      expect(await stored("tea")).toMatchObject({ title: "Late tea", text: "Tea is at five." });
    }));

  it("a file that is not UTF-8, or of no kind that is taken, is refused by name", () =>
    on({ width: 360 }, async ({ show }, page) => {
      await show("#/memory/handbook/add");
      const file = (name: string, buffer: Buffer) => ({ name, mimeType: "text/plain", buffer });
      await page.setInputFiles("#upload-files", [
        file("menu.txt", Buffer.from("Le café est à midi.", "latin1")),
        file("plan.pdf", Buffer.from("%PDF-1.7")),
        file("lines.ndjson", Buffer.from('{"id": "l1", "text": "x"}\n{"text": "\xe9"}', "latin1")),
        file("good.txt", Buffer.from("Le café est à midi.")),
      ]);
      await page.click("#upload-send");
      await page.getByText("4 of 4 files").waitFor();
      const [menu, plan, lines, good] = await page.locator(".upload-state").allTextContents();
      expect(menu).toMatch(/^menu\.txt is not UTF-8\. Save the file/);
      expect(plan).toMatch(/^plan\.pdf is not taken/);
      expect(lines).toMatch(/^1 taken, 1 passage line 2 is not UTF-8\. Save the file/);
      expect(good).toContain("1 taken");
      expect((await stored("good.txt")).text).toBe("Le café est à midi.");
      for (const id of ["menu.txt", "plan.pdf"])
        expect((await stored(id)).error.code).toBe("document_not_found");
      expect(await seriousFindings(page)).toEqual([]);
    }));

  it("of lines that are refused the first are told, and how many there are", () =>
    on({}, async ({ show }, page) => {
      await show("#/memory/handbook/add");
      const line = (_: unknown, i: number) => `{"id": "r"${i % 200 === 9 ? ', "text": "x"' : ""}}`;
      const some = Array.from({ length: 400 }, line);
      const none = Array.from({ length: 50 }, () => "{}");
      const buffer = Buffer.from([...some, ...none].join("\n"));
      const file = { name: "r.ndjson", mimeType: "text/plain", buffer };
      await page.setInputFiles("#upload-files", [file]);
      await page.click("#upload-send");
      await page.getByText("1 of 1 file").waitFor();
      const state = page.locator(".upload-state");
      expect(await state.textContent()).toMatch(
        /^1 taken, 1 passage, 1 unchanged, 398 refused.*from document 401 on: document 0: /,
      );
      const faults = await state.locator("p.fault").allTextContents();
      expect(faults.map((fault) => /^Document \d+/.exec(fault)![0])).toEqual([
        ...["Document 1", "Document 2", "Document 3", "Document 4", "Document 5"],
      ]);
    }));

  it("a text is read in its own direction, and turns no other words around", () =>
    on({}, async ({ show }, page) => {
      const id = "turned\u202e";
      await fill(service, "handbook", [{ id, text: "يحصل الموظفون على إجازة!" }]);
      await show(`#/memory/handbook/document/${encodeURIComponent(id)}`);
      const left = (element: string, words: string) =>
        page.evaluate(`(() => {
          const node = document.querySelector("${element}").firstChild;
          const range = document.createRange();
          range.setStart(node, node.data.indexOf("${words}"));
          range.setEnd(node, range.startOffset + 1);
          return range.getBoundingClientRect().left;
        })()`) as Promise<number>;
      const text = "#memory-document .text";
      expect(await left(text, "!")).toBeLessThan(await left(text, "يحصل"));
      await page.getByRole("button", { name: "Delete", exact: true }).click();
      const asked = "#confirm-text";
      expect(await left(asked, "goes from")).toBeLessThan(await left(asked, "from"));
    }));

  it("bars and what is chosen show in the reader's own colours too", () =>
    on({}, async ({ show }, page) => {
      await page.emulateMedia({ forcedColors: "active" });
      await show("#/memory/handbook/search");
      await page.fill("#search-query", "days of leave");
      await page.click("#search-send");
      await page.waitForSelector(".hits .bar");
      const style = (element: string, name: string) =>
        page.evaluate(`getComputedStyle(document.querySelector("${element}")).${name}`);
      expect(await style(".hits .bar > span", "backgroundColor")).not.toBe(
        await style(".hits .bar", "backgroundColor"),
      );
      expect(await style(".tabs [aria-current]", "outlineStyle")).toBe("solid");
      expect(await seriousFindings(page)).toEqual([]);
    }));

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

  it("a namespace is compacted and split when it is asked for", () =>
    on({ width: 360 }, async ({ show }, page) => {
      const documents = Array.from({ length: 8 }, (_, i) => ({ id: `d${i}`, text: `Text ${i}.` }));
      await fill(service, "grown", documents);
      await show("#/memory/grown/search");
      await page.getByText("Upkeep").click();
      await page.getByText("1 shard; no work runs.").waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      await page.click("#upkeep-compact");
      await page.getByText("Compacted: 8 passages").waitFor();
      await page.click("#upkeep-split");
      await page.getByText("The split has begun.").waitFor();
      const state = async () => {
        const { shards, work } = (await service.call("GET", "/admin/namespaces/grown/stats")).body;
        return [shards.length, work];
      };
      await expect.poll(state, { timeout: 20_000 }).toEqual([2, null]);
      await page.click("#upkeep-look");
      await page.getByText("2 shards; no work runs.").waitFor();
      await show("#/memory/handbook/search");
      await page.getByText("Upkeep").click();
      await page.getByText("1 shard; no work runs.").waitFor();
      expect(await page.textContent("#upkeep-outcome")).toBe("");
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
