/** What wllama expects of a browser and Node lacks: Worker over blob URLs, and pages to resolve
 *  against. Its own code runs unchanged; files that it fetches come from the disk. */
import { resolveObjectURL } from "node:buffer";
import { Worker as Thread, type Transferable } from "node:worker_threads";

/** Runs before wllama's worker code. `process.type` makes emscripten take the browser's path. */
const PRELUDE = `
const { parentPort } = require("node:worker_threads");
const { readFileSync } = require("node:fs");
process.type = "renderer";
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = class {};
globalThis.location = { href: "http://localhost/" };
globalThis.fetch = async (url) => {
  const bytes = readFileSync(decodeURIComponent(new URL(url).pathname));
  return new Response(bytes, { headers: { "content-type": "application/wasm" } });
};
globalThis.postMessage = (data, options) =>
  parentPort.postMessage(data, options?.transfer ?? options);
parentPort.on("message", (data) => globalThis.onmessage({ data }));
`;

type Message = [data: unknown, transfer: Transferable[]];

/** A browser's Worker over a thread of Node; what is posted before the code is there waits. */
class BrowserWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((error: unknown) => void) | null = null;
  #thread: Thread | null = null;
  #waiting: Message[] = [];

  constructor(url: string | URL) {
    void this.#start(String(url));
  }

  async #start(url: string): Promise<void> {
    const code = await resolveObjectURL(url)!.text();
    const hidden = "process, require, module, __dirname, __filename";
    const thread = new Thread(`${PRELUDE}(function (${hidden}) {${code}\n})();`, { eval: true });
    thread.on("message", (data) => this.onmessage?.({ data }));
    thread.on("error", (error) => this.onerror?.(error));
    for (const [data, transfer] of this.#waiting) thread.postMessage(data, transfer);
    this.#thread = thread;
  }

  postMessage(data: unknown, options?: { transfer?: Transferable[] }): void {
    const transfer = options?.transfer ?? [];
    if (this.#thread === null) this.#waiting.push([data, transfer]);
    else this.#thread.postMessage(data, transfer);
  }

  terminate(): void {
    void this.#thread?.terminate();
  }
}

/** Puts the stand-ins in place, once a process. */
export function actAsBrowser(): void {
  const globals = globalThis as unknown as Record<string, unknown>;
  globals.Worker = BrowserWorker;
  globals.document = { baseURI: "http://localhost/" };
  // wllama 3 demands a storage to exist; nothing is stored, since files are handed over as blobs.
  const storage = { getDirectory: () => Promise.reject(new Error("no storage here")) };
  Object.defineProperty(globals.navigator, "storage", { value: storage, configurable: true });
}
