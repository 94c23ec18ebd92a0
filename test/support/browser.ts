/** The console in headless Chromium, which is the machine's own: nothing is downloaded. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium, type Page } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const WAIT_MS_MAX = 20_000;

/** Why there is no browser here; null where there is one. */
export const noBrowser = existsSync(CHROMIUM)
  ? null
  : `no Chromium at ${CHROMIUM}: install Debian's chromium, or set CHROMIUM_PATH`;

export function launchBrowser(): Promise<Browser> {
  const root = process.getuid?.() === 0; // whose processes Chromium's sandbox refuses
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ["--disable-dev-shm-usage", ...(root ? ["--no-sandbox"] : [])],
  });
}

export interface Look {
  scheme?: "light" | "dark";
  width?: number;
  height?: number;
  /** Taken in place of the local admin key. */
  key?: string;
}

export interface ConsolePage {
  page: Page;
  /** What the page's scripts threw, logged as an error or did against its policy. */
  faults: string[];
  /** Goes to `#/...` and waits until nothing there says that it is loading. */
  show(hash: string): Promise<void>;
  close(): Promise<void>;
}

/** A page of its own, with nothing kept of others. */
export async function openConsole(
  browser: Browser,
  url: string,
  { scheme = "light", width = 1_200, height = 800, key }: Look = {},
): Promise<ConsolePage> {
  const viewport = { width, height };
  const context = await browser.newContext({ viewport, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS_MAX);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // A reply that says no is the service's, and the page's to show.
    const refused = /^Failed to load resource: the server responded with a status/;
    if (message.type() === "error" && !refused.test(message.text())) faults.push(message.text());
  });
  const watch = `addEventListener("securitypolicyviolation", (event) =>
    console.error("policy:", event.violatedDirective, event.blockedURI));`;
  const takeKey = `sessionStorage.setItem("brink-key", ${JSON.stringify(key)});`;
  await page.addInitScript({ content: key === undefined ? watch : watch + takeKey });
  let opened = false;
  const show = async (hash: string) => {
    if (opened) await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    else await page.goto(`${url}/console/${hash}`);
    opened = true;
    await settled(page);
  };
  return { page, faults, show, close: () => context.close() };
}

/** Until the key was looked at, and nothing that is shown is still being read. The page's policy
 *  lets no other way to wait for an expression through. */
export async function settled(page: Page): Promise<void> {
  const endMs = Date.now() + WAIT_MS_MAX;
  while (!(await page.evaluate(IS_SETTLED))) {
    if (Date.now() > endMs) throw new Error(`${page.url()} did not come to rest`);
    await page.waitForTimeout(20);
  }
}

const IS_SETTLED = `document.querySelector("#key-form").dataset.role !== "checking" &&
  ![...document.querySelectorAll(".loading, [aria-busy=true]")].some((e) => e.checkVisibility())`;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds serious or critical: its rule, with the elements it is about. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(`axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
    violations.filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.map(({ html, any }) =>
        html.slice(0, 120) + " " + (any[0]?.message ?? "")).slice(0, 3).join(" | ")))`);
}
