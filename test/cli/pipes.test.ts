/** What the command line does where nobody reads what it prints any more, as after `| head`. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FakeBrink } from "./fake-brink.ts";

const script = join(import.meta.dirname, "../../bin/brink.js");

let folder: string;
let service: FakeBrink;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-pipes-"));
  service = await new FakeBrink().start();
});
afterEach(() => {
  service.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What it exits with where both of its outputs are closed before it writes to them. */
async function runUnread(...args: string[]): Promise<number | null> {
  const env = { ...process.env, BRINK_CONFIG: join(folder, "none.json"), BRINK_URL: service.url };
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  child.stdout.destroy();
  child.stderr.destroy();
  return new Promise((done) => child.once("close", done));
}

it("the status is the command's, and what it does is done to its end", async () => {
  for (const name of ["a", "b"]) writeFileSync(join(folder, `${name}.md`), `# ${name}\n\nText.\n`);
  writeFileSync(join(folder, "c.txt"), Uint8Array.of(0xe9)); // is told before anything is sent
  const into = ["--namespace", "docs", "--create"];
  expect(await runUnread("ingest", folder, ...into)).toBe(1);
  expect([...service.namespaces.get("docs")!.keys()]).toEqual(["a.md", "b.md"]);
  expect([...service.jobs.values()].map(({ state }) => state)).toEqual(["finished"]);
});

it("what has no reader is no failure, and hides none", async () => {
  const statuses = [
    runUnread("help"),
    runUnread("doctor", "--url", "http://127.0.0.1:1"),
    runUnread("keys", "list", "--json", "--key", "wrong"),
  ];
  expect(await Promise.all(statuses)).toEqual([0, 1, 1]);
});
