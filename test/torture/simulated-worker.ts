/** A Worker as it deploys, with the simulator's stores, but without wrangler's development server,
 *  which is one more hop and takes seconds to start. */
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { bundle } from "../../bench/service/bundle.ts";
import { processTimes } from "../../bench/service/cpu-time.ts";

/** Of a Worker, for Miniflare. */
export type WorkerOptions = Extract<
  Parameters<typeof convertV4MiniflareOptions>[0],
  { workers: unknown }
>["workers"][number];

export interface SimulatedWorker {
  url: string;
  /** Of workerd; none where there is no /proc to find it in. */
  pids: readonly number[];
  /** Ends it by SIGKILL, as a crash would: nothing is finished first. Resolves when it has gone;
   *  may be called again. */
  kill(): Promise<void>;
}

/** Bundles the Worker of a configuration into a folder, whatever was there. */
export function bundled(config: string, folder: string): WorkerOptions {
  const modules = bundle(config, folder).map((path) => ({
    type: path.endsWith(".js") ? ("ESModule" as const) : ("CompiledWasm" as const),
    path,
  }));
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  return { ...workerOptions, name: "brink", modulesRoot: folder, modules } as WorkerOptions;
}

/** Starts a Worker on a free port of 127.0.0.1, with its durable state in a folder; with a port for
 *  the inspector, that listens too. */
export async function startSimulated(
  options: WorkerOptions,
  state: string,
  inspectorPort?: number,
): Promise<SimulatedWorker> {
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
