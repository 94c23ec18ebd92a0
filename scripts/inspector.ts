/** The memory of the Worker's isolate: JavaScript's heap and array buffers from the runtime's
 *  inspector, which does not count linear memory, and that from the service itself. */
import { setTimeout } from "node:timers/promises";
import { LOCAL_ADMIN_KEY } from "./service.ts";

/** What the main Worker's isolate may take: the platform ends it at 128 MB, all told. */
export const ISOLATE_BYTES_MAX = 110e6;

export interface MemoryUsage {
  /** Live and dead objects of JavaScript's heap. */
  heapBytes: number;
  /** Array buffers. */
  buffersBytes: number;
  /** Every WebAssembly instance of the isolate, the Durable Objects' included. */
  linearBytes: number;
  totalBytes: number;
}

interface Target {
  webSocketDebuggerUrl: string;
}

/** A Worker that runs, and its inspector. */
export interface InspectedService {
  url: string;
  inspectorUrl: string;
}

/** One reading, as it stands: garbage that was not yet collected counts. */
export async function readMemory(service: InspectedService): Promise<MemoryUsage> {
  const heap = await readHeap(service.inspectorUrl);
  const linearBytes = await readLinearBytes(service.url);
  const totalBytes = heap.heapBytes + heap.buffersBytes + linearBytes;
  return { ...heap, linearBytes, totalBytes };
}

/** What the inspector knows of the Worker that is called first. */
export async function readHeap(
  inspectorUrl: string,
): Promise<{ heapBytes: number; buffersBytes: number }> {
  const result = await ask(inspectorUrl, "Runtime.getHeapUsage");
  return { heapBytes: Number(result.usedSize), buffersBytes: Number(result.backingStorageSize) };
}

/** Collects the garbage of the Worker that is called first. The runtime does so, and replies, only
 *  when a request has it look at its tasks: some are made until then. */
export async function collectGarbage({ url, inspectorUrl }: InspectedService): Promise<void> {
  let over = false;
  const collected = ask(inspectorUrl, "HeapProfiler.collectGarbage").finally(() => {
    over = true;
  });
  const knock = async () => {
    while (!over) {
      await fetch(url).then((reply) => reply.text());
      await setTimeout(KNOCK_EVERY_MS);
    }
  };
  await Promise.all([collected, knock()]);
}

async function ask(inspectorUrl: string, method: string): Promise<Record<string, unknown>> {
  const session = await InspectorSession.open(inspectorUrl);
  try {
    return await session.send(method);
  } finally {
    session.close();
  }
}

async function readLinearBytes(url: string): Promise<number> {
  const headers = { authorization: `Bearer ${LOCAL_ADMIN_KEY}` };
  const text = await (await fetch(`${url}/admin/metrics`, { headers })).text();
  const value = /^brink_linear_memory_bytes (\d+)$/m.exec(text)?.[1];
  if (value === undefined) throw new Error("the metrics lack brink_linear_memory_bytes");
  return Number(value);
}

const REPLY_MS_MAX = 10_000;
const KNOCK_EVERY_MS = 20;

/** A connection to the inspector of the Worker that is called first. */
export class InspectorSession {
  readonly #socket: WebSocket;
  #sent = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async open(inspectorUrl: string): Promise<InspectorSession> {
    const targets = (await (await fetch(`${inspectorUrl}/json`)).json()) as Target[];
    const url = targets[0]?.webSocketDebuggerUrl;
    if (url === undefined) throw new Error("the inspector lists no target");
    // The inspector refuses clients that do not name a local origin.
    const options = { headers: { origin: "http://127.0.0.1" } };
    const socket = new WebSocket(url, options as unknown as string[]);
    await new Promise((done, fail) => {
      socket.addEventListener("open", done);
      socket.addEventListener("error", () => fail(new Error(`cannot reach ${url}`)));
    });
    return new InspectorSession(socket);
  }

  /** The command's result. Rejects where none comes within REPLY_MS_MAX. */
  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#sent;
    const over = new AbortController();
    const { signal } = over;
    const reply = new Promise<Record<string, unknown>>((done, fail) => {
      const late = () => fail(new Error(`${method}: no reply`));
      setTimeout(REPLY_MS_MAX, undefined, { signal }).then(late, () => {});
      const lost = () => fail(new Error(`${method}: the inspector has gone`));
      this.#socket.addEventListener("close", lost, { signal });
      const read = ({ data }: MessageEvent) => {
        const told = JSON.parse(String(data));
        if (told.id === id) done(told.result);
      };
      this.#socket.addEventListener("message", read, { signal });
    });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return reply.finally(() => over.abort());
  }

  close(): void {
    this.#socket.close();
  }
}
