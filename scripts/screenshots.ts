/** `npm run screenshots`: the pictures of docs/images, of the console at work on Brink's own
 *  documentation. Needs a Chromium (CHROMIUM_PATH, or Debian's), and a minute. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import {
  type ConsolePage,
  launchBrowser,
  noBrowser,
  openConsole,
} from "../test/support/browser.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { exitOnSignals, LOCAL_KEY, startService } from "./service.ts";

const root = join(import.meta.dirname, "..");
const images = join(root, "docs/images");
/** What a page of text loads with without anybody noticing. */
const IMAGE_BYTES_MAX = 150 * 1024;

/** Of all grades, so that the router's picture of recent questions has a shape. */
const QUESTIONS = [
  "How long does a revoked key go on working?",
  "How much memory does an isolate have?",
  "Where does npm start keep its state?",
  "How long are traces kept?",
  "What does BRINK_TRACE_TEXT do?",
  "Who won the 1998 football world cup final in Paris?",
  "Which key is used locally?",
  "How many documents may one call take?",
  "Which formats does models add take?",
  "What does the header x-brink-trace hold?",
  "Which variable sets the price of the backend?",
  "How is a budget of a key set?",
  "What is kept of an answer that was rated good?",
  "Why does the reader read before the route is chosen?",
  "How far may a shard grow before it is split?",
  "Which licence does the code have?",
  "What happens to a question while every backend is down?",
];

/** A picture, its size, and what is done before it is taken. */
interface Picture {
  name: string;
  scheme: "light" | "dark";
  width: number;
  height: number;
  prepare: (open: ConsolePage, page: Page) => Promise<void>;
}

const PICTURES: Picture[] = [
  {
    ...{ name: "console-ask", scheme: "light", width: 1_080, height: 960 },
    async prepare({ show }, page) {
      await show("#/ask");
      await page.fill("#question", QUESTIONS[0]!);
      await page.press("#question", "Enter");
      await page.waitForSelector(".citations");
      await page.click(".citations summary");
      await page.locator(".citations .text mark").first().waitFor();
    },
  },
  {
    ...{ name: "console-router", scheme: "dark", width: 1_080, height: 1_130 },
    async prepare({ show }, page) {
      await show("#/router");
      await page.fill("#target-range", "0.25");
      await page.locator(".preview thead th").nth(1).waitFor();
    },
  },
  {
    ...{ name: "console-trace", scheme: "light", width: 1_080, height: 900 },
    async prepare({ show }, page) {
      await show("#/traces");
      await page.locator(".traces tr", { hasText: "edge" }).last().locator("a").click();
      await page.waitForSelector(".waterfall");
      await page.evaluate('document.querySelector(".waterfall").scrollIntoView({ block: "end" })');
    },
  },
];

if (noBrowser !== null) throw new Error(noBrowser);
exitOnSignals();
execFileSync(process.execPath, [join(root, "scripts/build.ts"), "--quiet"], { stdio: "inherit" });
mkdirSync(images, { recursive: true });
const state = mkdtempSync(join(tmpdir(), "brink-screenshots-"));
process.once("exit", () => rmSync(state, { recursive: true, force: true }));
const backend = await startOpenAiServer();
const service = await startService({
  state,
  variables: {
    ...{ BACKEND_URL: backend.url, BACKEND_MODEL: "big-model" },
    ...{ BACKEND_PRICE_INPUT_PER_MTOK: "1", BACKEND_PRICE_OUTPUT_PER_MTOK: "10" },
  },
});
const browser = await launchBrowser();
try {
  for (const question of QUESTIONS) await ask(question);
  // An isolate sends what it knows of its requests on once a second.
  await new Promise((done) => setTimeout(done, 2_500));
  for (const picture of PICTURES) await take(picture);
} finally {
  await browser.close();
  await service.stop();
  await backend.close();
}

async function ask(question: string): Promise<void> {
  const response = await fetch(`${service.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${LOCAL_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "auto", messages: [{ role: "user", content: question }] }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

async function take({ name, prepare, ...look }: Picture): Promise<void> {
  const open = await openConsole(browser, service.url, look);
  await prepare(open, open.page);
  const path = join(images, `${name}.png`);
  await open.page.evaluate("document.activeElement.blur()");
  await open.page.screenshot({ path });
  await open.close();
  const { size } = statSync(path);
  if (size > IMAGE_BYTES_MAX) throw new Error(`${path} has ${size} bytes`);
  console.log(`${path}: ${Math.round(size / 1024)} KiB`);
}
