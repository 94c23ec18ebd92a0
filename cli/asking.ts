/** Questions to whoever sits at the terminal. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** Whether somebody sits there. */
export function mayAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** The line that is typed; `otherwise` for an empty one. */
export async function ask(what: string, otherwise: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const hint = otherwise === "" ? "none" : otherwise;
    return (await lines.question(`${what} (${hint}): `)).trim() || otherwise;
  } finally {
    lines.close();
  }
}

/** The line that is typed, which does not show; empty for an empty one. */
export async function askSecret(what: string): Promise<string> {
  const nowhere = new Writable({ write: (_, __, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(`${what}, which will not show: `);
  try {
    return (await lines.question("")).trim();
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}
