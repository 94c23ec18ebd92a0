#!/usr/bin/env node
// Starts the command line under a Node that runs TypeScript: this one, or the project's own.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const [major] = process.versions.node.split(".").map(Number);

if (major >= 24) {
  await import("../cli/main.ts");
} else {
  const { platform, arch, versions } = process;
  const [system, name] = platform === "win32" ? ["win", "node.exe"] : [platform, "node"];
  const brought = `node-${system}-${arch}`;
  const own = join(root, "node_modules", brought, "bin", name);
  if (!existsSync(own)) {
    // npm ci brings one for some machines alone: elsewhere it would be told to run again for ever.
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const remedy = brought in optionalDependencies ? `run npm ci in ${root}` : "install Node 24";
    console.error(`brink needs Node 24 or newer, this is ${versions.node}: ${remedy}`);
    process.exit(1);
  }
  const child = spawn(own, [join(root, "cli/main.ts"), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // brink dev ends what it started: it must hear of the signal, and be waited for.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.once("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
