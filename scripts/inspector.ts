/** The memory of the Worker's isolate: JavaScript's heap and array buffers from the runtime's
 *  inspector, which does not count linear memory, and that from the service itself. */
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

/** One reading, as it stands: garbage that was not yet collected counts. */
export async function readMemory(service: {
  url: string;
  inspectorUrl: string;
}): Promise<MemoryUsage> {
  const heap = await readHeap(service.inspectorUrl);
  const linearBytes = await readLinearBytes(service.url);
  const totalBytes = heap.heapBytes + heap.buffersBytes + linearBytes;
  return { ...heap, linearBytes, totalBytes };
}

/** What the inspector knows of the Worker that is called first. */
export async function readHeap(
  inspectorUrl: string,
): Promise<{ heapBytes: number; buffersBytes: number }> {
  const result = await send(await targetOf(inspectorUrl), "Runtime.getHeapUsage");
  return { heapBytes: Number(result.usedSize), buffersBytes: Number(result.backingStorageSize) };
}

/** Collects the garbage of the Worker that is called first. */
export async function collectGarbage(inspectorUrl: string): Promise<void> {
  await send(await targetOf(inspectorUrl), "HeapProfiler.collectGarbage");
}

async function targetOf(inspectorUrl: string): Promise<string> {
  const targets = (await (await fetch(`${inspectorUrl}/json`)).json()) as Target[];
  const url = targets[0]?.webSocketDebuggerUrl;
  if (url === undefined) throw new Error("the inspector lists no target");
  return url;
}

async function readLinearBytes(url: string): Promise<number> {
  const headers = { authorization: `Bearer ${LOCAL_ADMIN_KEY}` };
  const text = await (await fetch(`${url}/admin/metrics`, { headers })).text();
  const value = /^brink_linear_memory_bytes (\d+)$/m.exec(text)?.[1];
  if (value === undefined) throw new Error("the metrics lack brink_linear_memory_bytes");
  return Number(value);
}

const REPLY_MS_MAX = 10_000;

function send(url: string, method: string): Promise<Record<string, unknown>> {
  return new Promise((done, fail) => {
    // The inspector refuses clients that do not name a local origin.
    const options = { headers: { origin: "http://127.0.0.1" } };
    const socket = new WebSocket(url, options as unknown as string[]);
    const timer = setTimeout(() => fail(new Error(`${method}: no reply`)), REPLY_MS_MAX);
    const finish = (act: () => void) => {
      clearTimeout(timer);
      socket.close();
      act();
    };
    socket.addEventListener("open", () => socket.send(JSON.stringify({ id: 1, method })));
    socket.addEventListener("error", () => finish(() => fail(new Error(`cannot reach ${url}`))));
    socket.addEventListener("message", ({ data }) => {
      const reply = JSON.parse(String(data));
      if (reply.id === 1) finish(() => done(reply.result));
    });
  });
}
