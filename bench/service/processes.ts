/** What the load runs against, each in a process of its own: the mock backend, Brink and two plain
 *  Workers in the runtime itself, and the Portkey gateway where bench/peers has it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePort } from "../../scripts/service.ts";
import { bundled, startBare, type WorkerOptions } from "./bare-worker.ts";
import type { ProcessTime } from "./cpu-time.ts";

const root = join(import.meta.dirname, "../..");
const BUNDLE = join(root, "build/bench-service");
const START_MS_MAX = 60_000;
/** Where Durable Objects keep their state: in memory where there is such a folder. Here a commit
 *  stops the one thread that serves while the disk is synchronized; on the platform objects run
 *  elsewhere, and nothing that a request waits for is written. */
const STATE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export interface Running {
  url: string;
  /** Whether a process is this one's. */
  owns: (one: ProcessTime) => boolean;
  stop(): Promise<void>;
}

/** The mock backend; its URL ends in /v1. */
export async function startBackend(): Promise<Running> {
  const program = join(import.meta.dirname, "mock-backend.ts");
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await firstLine(child);
  const url = line.replace("listening ", "");
  return { url, owns: ({ pid }) => pid === child.pid, stop: () => ended(child) };
}

/** Brink as it deploys. */
export async function startBrink(backendUrl: string, inspectorPort?: number): Promise<Running> {
  const variables = {
    BRINK_LOCAL: "1",
    BACKEND_URL: backendUrl,
    BACKEND_MODEL: "mock",
    BACKEND_KEY: "k",
    BRINK_LOG: "errors",
  };
  return startWorker({ ...bundled(join(root, "wrangler.toml"), BUNDLE), variables }, inspectorPort);
}

/** A Worker that hands both bodies on, `floor`, or parses them and writes them anew, `least`. */
export function startPlain(name: "floor" | "least", backendUrl: string): Promise<Running> {
  const module = join(import.meta.dirname, `${name}-worker.js`);
  return startWorker(plain(module, { variables: { BACKEND_URL: backendUrl } }));
}

/** A Worker of one module. */
export function plain(module: string, more: Partial<WorkerOptions>): WorkerOptions {
  const modules = { modulesRoot: dirname(module), modules: [module] };
  const compatibility = { compatibilityDate: "2026-10-01", compatibilityFlags: [] };
  return { ...modules, ...compatibility, variables: {}, objects: {}, folders: {}, ...more };
}

/** A Worker in a workerd of its own, with state that ends with it. */
export async function startWorker(
  options: WorkerOptions,
  inspectorPort?: number,
): Promise<Running> {
  const state = mkdtempSync(join(STATE, "brink-bench-"));
  const { url, pid, kill } = await startBare(options, state, inspectorPort);
  const stop = async () => {
    await kill();
    rmSync(state, { recursive: true, force: true });
  };
  return { url: `${url}/v1`, owns: (one) => one.pid === pid, stop };
}

const PORTKEY = join(root, "bench/peers/node_modules/@portkey-ai/gateway/build/start-server.js");

/** Whether `npm run bench:peers` has installed it. */
export const hasPortkey = () => existsSync(PORTKEY);

/** The gateway's own server; which backend a call goes to, its headers say. */
export async function startPortkey(): Promise<Running> {
  const port = await freePort();
  const flags = [PORTKEY, `--port=${port}`, "--headless"];
  const env = { ...process.env, NODE_ENV: "production" };
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "ignore", "inherit"], env });
  const url = `http://127.0.0.1:${port}`;
  const deadlineMs = Date.now() + START_MS_MAX;
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > deadlineMs)
      throw new Error("the Portkey gateway did not start");
    await new Promise((done) => setTimeout(done, 100));
  }
  const owns = ({ pid }: ProcessTime) => pid === child.pid;
  return { url: `${url}/v1`, owns, stop: () => ended(child) };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    child.once("exit", (code) => fail(new Error(`the mock backend ended with ${code}`)));
    child.stdout!.setEncoding("utf8").once("data", (text: string) => done(text.trim()));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill();
  await gone;
}
