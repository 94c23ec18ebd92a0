/** One page of the console for one test. */
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";
import { type ConsolePage, type Look, openConsole } from "./browser.ts";

/** What must be shown as the text that it is, with a mark that turns the direction of writing. */
export const HOSTILE = `"><script>pwned=1</script><img src=x onerror="pwned=1">\u202e'&amp;`;

/** How long a request's trace is waited for, which comes a second after it. */
export const TRACED_WAIT = { timeout: 30_000, interval: 100 };

/** Runs on a page of its own, which may do nothing against its policy, nor what HOSTILE says. */
export async function onConsole(
  browser: Browser,
  url: string,
  look: Look,
  work: (open: ConsolePage, page: Page) => Promise<void>,
): Promise<void> {
  const open = await openConsole(browser, url, look);
  try {
    await work(open, open.page);
    expect(open.faults).toEqual([]);
    expect(await open.page.evaluate("typeof pwned")).toBe("undefined");
  } finally {
    await open.close();
  }
}
