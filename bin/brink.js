#!/usr/bin/env node
// Starts the command line under a Node that runs TypeScript: this one, or the project's own.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const [major] = process.versions.node.split(".").map(Number);

if (major >= 24) {
  await import("../cli/main.ts");
} else {
  const name = process.platform === "win32" ? "node.exe" : "node";
  const own = join(root, "node_modules/.bin", name);
  if (!existsSync(own)) {
    console.error(
      `brink needs Node 24 or newer, this is ${process.versions.node}: run npm ci in ${root}`,
    );
    process.exit(1);
  }
  const { status } = spawnSync(own, [join(root, "cli/main.ts"), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}
