/** Questions to whoever sits at the terminal. */
import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";
import { CommandError } from "./command.ts";

/** Whether somebody sits there. */
export function mayAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** The line that is typed; `otherwise` for an empty one. Throws CommandError where nobody types:
 *  for Ctrl-C and Ctrl-D. */
export async function ask(what: string, otherwise: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const hint = otherwise === "" ? "none" : otherwise;
  return (await answer(lines, `${what} (${hint}): `)) || otherwise;
}

/** The line that is typed, which does not show; empty for an empty one. Throws as `ask` does. */
export async function askSecret(what: string): Promise<string> {
  const nowhere = new Writable({ write: (_, __, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(`${what}, which will not show: `);
  try {
    return await answer(lines, "");
  } finally {
    process.stderr.write("\n");
  }
}

async function answer(lines: Interface, question: string): Promise<string> {
  const left = new Promise<never>((_, reject) => {
    lines.once("close", () => reject(new CommandError("left: nothing more was written")));
  });
  try {
    return (await Promise.race([lines.question(question), left])).trim();
  } finally {
    left.catch(() => {}); // closed because it was answered
    lines.close();
  }
}
