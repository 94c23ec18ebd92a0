/** docs/security.md: behind each promise there is the test that it names. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const text = readFileSync("docs/security.md", "utf8");
const promises = text.slice(text.indexOf("## What is promised"), text.indexOf("## What is not"));

/** `FILE`: "TITLE", the title perhaps on the next line. */
const LINKS = [...promises.matchAll(/`(test\/[\w./-]+\.test\.ts)`:\s+"([^"]+)"/g)];

it("names tests that are there", () => {
  expect(LINKS.length).toBeGreaterThan(20);
  for (const [, file, title] of LINKS) {
    expect(existsSync(file!), file).toBe(true);
    expect(readFileSync(file!, "utf8"), `${file}: ${title}`).toContain(`"${title}"`);
  }
});

it("leaves no promise without a test", () => {
  const items = promises.split(/^- /m).slice(1);
  expect(items.length).toBeGreaterThan(15);
  for (const item of items) expect(item).toMatch(/`test\/[\w./-]+\.test\.ts`/);
});
