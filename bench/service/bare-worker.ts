/** A Worker as it deploys, in workerd itself: without wrangler's development server, which is one
 *  more hop and takes seconds to start, and without Miniflare's own Workers before it. */
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { wranglerEnv } from "../../scripts/workers.ts";
import { processTimes } from "./cpu-time.ts";

const root = join(import.meta.dirname, "../..");

/** Of a Worker, for Miniflare. */
export type WorkerOptions = Extract<
  Parameters<typeof convertV4MiniflareOptions>[0],
  { workers: unknown }
>["workers"][number];

export interface BareWorker {
  url: string;
  /** Of workerd; none where there is no /proc to find it in. */
  pids: readonly number[];
  /** Ends it by SIGKILL, as a crash would: nothing is finished first. Resolves when it has gone;
   *  may be called again. */
  kill(): Promise<void>;
}

/** Bundles the Worker of a configuration into a folder, whatever was there. */
export function bundle(config: string, folder: string): WorkerOptions {
  const binary = join(root, "node_modules/wrangler/bin/wrangler.js");
  const flags = ["deploy", "--dry-run", "--minify", "--config", config, "--outdir", folder];
  rmSync(folder, { recursive: true, force: true });
  execFileSync(process.execPath, [binary, ...flags], { cwd: root, env: wranglerEnv() });
  const modules = readdirSync(folder)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort((a, b) => Number(b === "worker.js") - Number(a === "worker.js")) // the entry is the first
    .map((name) => ({
      type: name.endsWith(".js") ? ("ESModule" as const) : ("CompiledWasm" as const),
      path: join(folder, name),
    }));
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  return { ...workerOptions, name: "brink", modulesRoot: folder, modules } as WorkerOptions;
}

/** Starts a Worker on a free port of 127.0.0.1, with its durable state in a folder; with a port for
 *  the inspector, that listens too. */
export async function startBare(
  options: WorkerOptions,
  state: string,
  inspectorPort?: number,
): Promise<BareWorker> {
  const before = children();
  const shared = { host: "127.0.0.1", port: 0, cf: false, resourcePersistencePath: state } as const;
  const inspected = inspectorPort === undefined ? {} : { inspectorPort };
  const worker = { ...options, unsafeDirectSockets: [{ host: "127.0.0.1" }] };
  const runtime = new Miniflare(
    convertV4MiniflareOptions({ ...shared, ...inspected, workers: [worker] }),
  );
  const url = (await runtime.unsafeGetDirectURL(options.name)).origin;
  const pids = children().filter((pid) => !before.includes(pid));
  let gone: Promise<void> | null = null;
  const kill = () => {
    if (gone === null) for (const pid of pids) process.kill(pid, "SIGKILL");
    gone ??= runtime.dispose(); // at once, or what died would be started again
    return gone;
  };
  return { url, pids, kill };
}

function children(): number[] {
  return processTimes().flatMap(({ pid, parent }) => (parent === process.pid ? pid : []));
}
