/** Starts the built Workers under wrangler's local runtime: the one way that `npm start`, the demo,
 *  the evaluations and the end-to-end tests have it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { toEnvFile } from "./forwarded.ts";
import { OPTIONAL_WORKERS, wranglerEnv, writeMainConfig } from "./workers.ts";

const root = join(import.meta.dirname, "..");
const START_MS_MAX = 180_000;
const STOP_MS_MAX = 5_000;

export const LOCAL_KEY = "brink-dev";
export const LOCAL_ADMIN_KEY = "brink-admin";

export interface ServiceOptions {
  /** 0 or absent: any free port of 127.0.0.1. */
  port?: number;
  /** Folder of the durable state; made if missing. */
  state: string;
  /** Configurations of the Workers, the one that is called first; Brink's own where absent. */
  configs?: string[];
  /** Variables for the Worker beyond BRINK_LOCAL, e.g. BACKEND_URL. */
  variables?: Record<string, string>;
  /** Whether the Worker for ONNX models starts as well; not where absent. */
  onnx?: boolean;
  /** What must answer 200 before the service counts as started; /healthz where absent. */
  readyPath?: string;
  /** Called with each line that the runtime prints. */
  onLog?: (line: string) => void;
  /** Called about once a second until the service is ready, with what it waits for. */
  onProgress?: (detail: string) => void;
}

export interface RunningService {
  url: string;
  inspectorUrl: string;
  process: ChildProcess;
  /** Ends the runtime and all it started; resolves when it has gone. */
  stop(): Promise<void>;
  /** The same by SIGKILL to every process at once, as a crash would: nothing is finished first. */
  kill(): Promise<void>;
}

/** For programs that start a service: end on a signal by exiting, which ends the service too. */
export function exitOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => process.exit(signal === "SIGINT" ? 130 : 143));
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return claimPort(0);
}

/** `port` itself if it is free, any free one for 0; rejects when something listens there: its
 *  /healthz would be taken for ours. */
function claimPort(port: number): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", () => fail(new Error(`port ${port} is taken: set PORT to a free one`)));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const claimed = typeof address === "object" && address !== null ? address.port : port;
      server.close(() => done(claimed));
    });
  });
}

/** Resolves once the service is ready. Rejects, with the runtime's last lines, when it exits
 *  first or is not ready within three minutes. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const port = options.port ? await claimPort(options.port) : await freePort();
  const inspectorPort = await freePort();
  const state = resolve(options.state);
  mkdirSync(state, { recursive: true });
  const variablesFile = join(state, `variables-${port}.env`);
  writeFileSync(variablesFile, toEnvFile({ BRINK_LOCAL: "1", ...options.variables }), {
    mode: 0o600, // it may hold BACKEND_KEY, which must not show in the process list either
  });
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const configs = options.configs ?? ownConfigs(options.onnx);
  const flags = configs.flatMap((config) => ["--config", config]);
  flags.push("--ip", "127.0.0.1", "--port", `${port}`, "--inspector-port", `${inspectorPort}`);
  flags.push("--persist-to", state, "--env-file", variablesFile, "--log-level", "warn");
  flags.push("--show-interactive-dev-session=false");
  const child = spawn(process.execPath, [wrangler, "dev", ...flags], {
    cwd: root,
    env: wranglerEnv({ CLOUDFLARE_CF_FETCH_ENABLED: "false" }),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // its own group, so that stop() reaches workerd too
  });
  // Whatever ends this process, a signal during the start included, ends the runtime with it.
  const end = () => signalGroup(child.pid, "SIGTERM");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  const tail = collectLog(child, options.onLog);
  const url = `http://127.0.0.1:${port}`;
  const stop = () => stopGroup(child, variablesFile);
  const kill = () => killGroup(child, variablesFile);
  try {
    await untilReady(url + (options.readyPath ?? "/healthz"), child, tail, options.onProgress);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, inspectorUrl: `http://127.0.0.1:${inspectorPort}`, process: child, stop, kill };
}

/** The main Worker's configuration with the optional Workers bound, and theirs. */
function ownConfigs(onnx = false): string[] {
  const optional = Object.keys(OPTIONAL_WORKERS).filter((worker) => worker !== "onnx" || onnx);
  const others = optional.map((worker) => OPTIONAL_WORKERS[worker]!.config);
  return [writeMainConfig(optional, ["snapshots"]), ...others];
}

/** The last lines that the child printed, kept for an error message. */
function collectLog(child: ChildProcess, onLog?: (line: string) => void): string[] {
  const tail: string[] = [];
  const take = (line: string) => {
    if (line.trim() === "") return;
    tail.push(line);
    if (tail.length > 40) tail.shift();
    onLog?.(line);
  };
  // Whole lines: what a read brings may end within one.
  for (const input of [child.stdout!, child.stderr!]) createInterface({ input }).on("line", take);
  return tail;
}

async function untilReady(
  url: string,
  child: ChildProcess,
  tail: string[],
  onProgress?: (detail: string) => void,
): Promise<void> {
  const deadlineMs = Date.now() + START_MS_MAX;
  let detail = "starting the runtime";
  while (Date.now() < deadlineMs) {
    if (child.exitCode !== null)
      throw new Error(`the runtime exited with ${child.exitCode}:\n${tail.join("\n")}`);
    const health = await readHealth(url);
    if (health?.ready) return;
    if (health) detail = health.detail;
    onProgress?.(detail);
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error(`not ready after ${START_MS_MAX / 1000} s (${detail}):\n${tail.join("\n")}`);
}

/** Null while nothing listens. Throws for an error that waiting does not mend. */
async function readHealth(url: string): Promise<{ ready: boolean; detail: string } | null> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    return null;
  }
  if (response.ok) return { ready: true, detail: "" };
  const { error } = (await response.json()) as { error: { message: string } };
  if (response.status !== 503) throw new Error(error.message);
  return { ready: false, detail: error.message };
}

async function stopGroup(child: ChildProcess, variablesFile: string): Promise<void> {
  rmSync(variablesFile, { force: true });
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  signalGroup(child.pid, "SIGTERM");
  const timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

async function killGroup(child: ChildProcess, variablesFile: string): Promise<void> {
  signalGroup(child.pid, "SIGKILL");
  rmSync(variablesFile, { force: true });
  // The processes under the first one may outlive it by a moment, and they hold the state.
  while (groupLives(child.pid)) await new Promise((done) => setTimeout(done, 5));
}

function groupLives(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(process.platform === "win32" ? pid : -pid, 0);
  } catch {
    return false;
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // It ended between the check and the signal.
  }
}
