/** `npx brink` as an operator runs it, in a process of its own. */
import { spawn } from "node:child_process";
import { join } from "node:path";

const script = join(import.meta.dirname, "../../bin/brink.js");

export interface Ended {
  code: number | null;
  /** What it wrote to stdout, and to stderr. */
  out: string;
  said: string;
}

/** Runs it to its end with these variables beside the test's own; profiles that whoever runs the
 *  test has are not seen. `input` is what it reads from stdin. */
export async function runBrink(
  args: string[],
  env: Record<string, string> = {},
  { input = "", cwd }: { input?: string; cwd?: string } = {},
): Promise<Ended> {
  const none = { BRINK_CONFIG: join(import.meta.dirname, "no-profiles.json") };
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...none, ...env },
    cwd,
  });
  let [out, said] = ["", ""];
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    said += text;
  });
  child.stdin.end(input);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, out, said };
}

/** Runs it to its end against the service at `url`; what it prints. Throws what it says when it
 *  fails. */
export async function brink(url: string, ...args: string[]): Promise<string> {
  const { code, out, said } = await runBrink(args, { BRINK_URL: url });
  if (code !== 0) throw new Error(said);
  return out;
}
