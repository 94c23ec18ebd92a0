/** The one way in which a deployment calls wrangler. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { wranglerEnv } from "./workers.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "build/deploy");

/** A line of what wrangler tells programs about a command, e.g. `deploy` with the URLs. */
export interface Told {
  type: string;
  targets?: string[];
  version_id?: string | null;
  message?: string;
}

export interface Called {
  code: number;
  /** What it wrote to stdout, where that was captured. */
  out: string;
  told: Told[];
}

export interface CallOptions {
  /** Takes what it writes to stdout, and asks nothing; what it asks and says goes to the terminal
   *  where absent. */
  capture?: boolean;
  /** What it reads from stdin; implies `capture`. */
  input?: string;
}

/** A deployment cannot go on. */
export class DeployError extends Error {
  /** What to do; null where the message says it. */
  readonly remedy: string | null;

  constructor(message: string, remedy: string | null = null) {
    super(message);
    this.remedy = remedy;
  }
}

/** Runs wrangler in the project with these words. BRINK_WRANGLER names another program's script in
 *  its place, as tests do. Never throws for what wrangler itself fails at: see `expectDone`. */
export async function wrangler(args: string[], options: CallOptions = {}): Promise<Called> {
  const script = process.env.BRINK_WRANGLER || join(root, "node_modules/wrangler/bin/wrangler.js");
  const { capture = false, input } = options;
  mkdirSync(folder, { recursive: true });
  const toldPath = join(folder, `told-${process.pid}.ndjson`);
  rmSync(toldPath, { force: true });
  const quiet = capture || input !== undefined;
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: wranglerEnv({ WRANGLER_OUTPUT_FILE_PATH: toldPath }),
    // Where nothing is captured, its words go to stderr: stdout is for what this program prints.
    stdio: [input === undefined ? (quiet ? "ignore" : "inherit") : "pipe", quiet ? "pipe" : 2, 2],
  });
  let out = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stdin?.on("error", () => {}); // it ended without reading, which its exit code tells
  child.stdin?.end(input);
  const code = await new Promise<number>((done, fail) => {
    child.once("error", fail);
    child.once("close", (status) => done(status ?? 1));
  });
  const told = readTold(toldPath);
  rmSync(toldPath, { force: true });
  return { code, out, told };
}

function readTold(path: string): Told[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Told);
  } catch {
    return []; // it failed before it told anything
  }
}

/** What wrangler did, or a DeployError that says what failed at `step` and what to do. */
export async function expectDone(
  step: string,
  args: string[],
  options: CallOptions = {},
): Promise<Called> {
  const called = await wrangler(args, options);
  if (called.code === 0) return called;
  const message = called.told.find(({ type }) => type === "command-failed")?.message ?? "";
  const said = message || called.out.trim().slice(-500);
  throw new DeployError(
    `${step} failed: wrangler ${args[0]} exited with ${called.code}${said ? `: ${said}` : ""}`,
    remedyFor(said),
  );
}

/** What is known to go wrong with an account, by what the platform says. */
const REMEDIES: [pattern: RegExp, remedy: string][] = [
  [
    /workers\.dev subdomain/i,
    "Register a workers.dev subdomain once in the dashboard, under Workers & Pages; then again.",
  ],
  [/enable R2|10042/i, "Enable R2 once in the dashboard; then again. Or leave out what needs it."],
  [
    /free plan|100328|cpu.?limit/i,
    "Brink needs the Workers Paid plan: answers take more CPU time than the free plan allows.",
  ],
  [
    /migration/i,
    "Durable Objects' migrations only go forward: deploy a version that has all those of the\n" +
      "deployed one (docs/operations.md, Rolling back).",
  ],
  [
    /authentication|not authorized|permission|10000|9109/i,
    "Call npx wrangler login again, or let CLOUDFLARE_API_TOKEN edit Workers\n" +
      "scripts, R2 storage and Vectorize.",
  ],
];

function remedyFor(said: string): string {
  const known = REMEDIES.find(([pattern]) => pattern.test(said))?.[1];
  return known ?? "What is done already stays: mend it and call npm run deploy again.";
}
