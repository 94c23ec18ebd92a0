/** Programs of scripts/ as commands: in a process of their own, whose end is the command's. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { CommandError } from "./command.ts";

export const root = join(import.meta.dirname, "..");

/** Runs `scripts/NAME` with these words and variables; what it exited with, and with `capture` what
 *  it wrote to stdout. Signals are passed on, so that it can end what it started. Throws
 *  CommandError where Brink's dependencies are not installed. */
export async function runScript(
  name: string,
  args: string[],
  { env = {}, capture = false }: { env?: Record<string, string>; capture?: boolean } = {},
): Promise<{ code: number; out: string }> {
  if (!existsSync(join(root, "node_modules/wrangler")))
    throw new CommandError(`Brink's dependencies are not installed: run npm ci in ${root}`);
  const child = spawn(process.execPath, [join(root, "scripts", name), ...args], {
    stdio: ["inherit", capture ? "pipe" : "inherit", "inherit"],
    env: { ...process.env, ...env },
  });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, pass);
  let out = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  try {
    const code = await new Promise<number>((done, fail) => {
      child.once("error", fail);
      child.once("close", (code, signal) =>
        done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
    return { code, out };
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}
