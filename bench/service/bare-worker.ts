/** A Worker as it deploys, in workerd itself: without wrangler's development server and without
 *  Miniflare, whose own Workers stand before a Worker and behind each of its fetches. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { bundle } from "./bundle.ts";

const fromWrangler = createRequire(createRequire(import.meta.url).resolve("wrangler"));
const WORKERD = fromWrangler("workerd").default as string;
/** V8's own flags, such as --trace-gc. */
const V8_FLAGS = (process.env.BRINK_BENCH_V8_FLAGS ?? "").split(" ").filter((flag) => flag !== "");

/** Of a Worker. Modules are paths; the first is the entry. */
export interface WorkerOptions {
  compatibilityDate: string;
  compatibilityFlags: readonly string[];
  /** The folder that the modules' names are relative to. */
  modulesRoot: string;
  modules: readonly string[];
  variables: Record<string, string>;
  /** Classes of SQLite-backed Durable Objects, by binding. */
  objects: Record<string, string>;
  /** Folders that are served, by binding. */
  folders: Record<string, string>;
}

export interface BareWorker {
  url: string;
  pid: number;
  /** Ends it by SIGKILL, as a crash would: nothing is finished first. Resolves when it has gone;
   *  may be called again. */
  kill(): Promise<void>;
}

/** The Worker of the project's configuration, bundled into a folder, whatever was there. */
export function bundled(config: string, folder: string): WorkerOptions {
  const modules = bundle(config, folder);
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  const read = workerOptions as unknown as Configured;
  const { compatibilityDate, compatibilityFlags, durableObjects, assets } = read;
  const classes = Object.entries(durableObjects).map(([name, { className }]) => [name, className]);
  return {
    ...{ compatibilityDate, compatibilityFlags, modulesRoot: folder, modules, variables: {} },
    objects: Object.fromEntries(classes),
    folders: { [assets.binding]: assets.directory },
  };
}

/** What wrangler makes of the project's configuration, as far as it is of use here. */
interface Configured {
  compatibilityDate: string;
  compatibilityFlags: string[];
  durableObjects: Record<string, { className: string }>;
  assets: { binding: string; directory: string };
}

/** Starts a Worker on a free port of 127.0.0.1, with its durable state in a folder; with a port for
 *  the inspector, that listens too. */
export async function startBare(
  options: WorkerOptions,
  state: string,
  inspectorPort?: number,
): Promise<BareWorker> {
  const objects = join(state, "objects");
  mkdirSync(objects, { recursive: true });
  const config = join(state, "config.capnp");
  writeFileSync(config, configOf(options, state, objects));
  const inspector =
    inspectorPort === undefined ? [] : [`--inspector-addr=127.0.0.1:${inspectorPort}`];
  const child = spawn(
    WORKERD,
    ["serve", config, "--experimental", "--control-fd=3", ...inspector],
    { stdio: ["ignore", "inherit", "inherit", "pipe"] },
  );
  const killNow = () => void child.kill("SIGKILL");
  process.once("exit", killNow);
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  ended.then(() => process.off("exit", killNow));
  const port = await new Promise<number>((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => fail(new Error(`workerd ended with ${code}`)));
    let told = "";
    child.stdio[3]!.on("data", (bytes) => {
      told += bytes;
      const event = told.split("\n").find((line) => line.includes('"listen"'));
      if (event !== undefined) done(JSON.parse(event).port);
    });
  });
  const kill = () => {
    killNow();
    return ended;
  };
  return { url: `http://127.0.0.1:${port}`, pid: child.pid!, kill };
}

/** workerd's configuration, as a text of Cap'n Proto. Paths of modules are relative to it. */
function configOf(options: WorkerOptions, state: string, objects: string): string {
  const { variables, folders, modulesRoot } = options;
  const modules = options.modules.map((path) => {
    const kind = path.endsWith(".wasm") ? "wasm" : "esModule";
    const name = quoted(relative(modulesRoot, path));
    return `(name = ${name}, ${kind} = embed ${quoted(relative(state, path))})`;
  });
  const classes = Object.entries(options.objects);
  const namespaces = classes.map(([, name]) => {
    return `(className = ${quoted(name)}, uniqueKey = ${quoted(name)}, enableSql = true)`;
  });
  const bindings = [
    ...Object.entries(variables).map(([name, text]) => [name, `text = ${quoted(text)}`]),
    ...classes.map(([name, of]) => [name, `durableObjectNamespace = ${quoted(of)}`]),
    ...Object.keys(folders).map((name) => [name, `service = ${quoted(`folder ${name}`)}`]),
  ].map(([name, value]) => `(name = ${quoted(name!)}, ${value})`);
  const disks = Object.entries({ ...folders, objects }).map(([name, path]) => {
    const service = name === "objects" ? name : `folder ${name}`;
    const writable = name === "objects";
    return `(name = ${quoted(service)}, disk = (path = ${quoted(path)}, writable = ${writable}))`;
  });
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [${V8_FLAGS.map(quoted).join(", ")}],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
  services = [
    (name = "main", worker = (
      compatibilityDate = ${quoted(options.compatibilityDate)},
      compatibilityFlags = [${options.compatibilityFlags.map(quoted).join(", ")}],
      modules = [${modules.join(", ")}],
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "internet", network = (allow = ["public", "private"])),
    ${disks.join(",\n    ")}
  ],
);
`;
}

/** As a string of Cap'n Proto, which are written as C's. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
