/** `npx brink` as an operator runs it, in a process of its own. */
import { spawn } from "node:child_process";
import { join } from "node:path";

const script = join(import.meta.dirname, "../../bin/brink.js");

/** Runs it to its end against the service at `url`; what it prints. Throws what it says when it
 *  fails. */
export async function brink(url: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, BRINK_URL: url };
  const child = spawn(process.execPath, [script, ...args], { env });
  let [out, said] = ["", ""];
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    said += text;
  });
  const code = await new Promise((done) => child.once("close", done));
  if (code !== 0) throw new Error(said);
  return out;
}
