/** Asks the local runtime's inspector about the memory of the Worker's isolate. */

export interface HeapUsage {
  /** Live and dead objects of JavaScript's heap. */
  heapBytes: number;
  /** Array buffers and the linear memories of WebAssembly. */
  backingBytes: number;
  totalBytes: number;
}

interface Target {
  webSocketDebuggerUrl: string;
}

/** One reading, as it stands: garbage that was not yet collected counts. */
export async function readHeap(inspectorUrl: string): Promise<HeapUsage> {
  const targets = (await (await fetch(`${inspectorUrl}/json`)).json()) as Target[];
  const url = targets[0]?.webSocketDebuggerUrl;
  if (url === undefined) throw new Error("the inspector lists no target");
  const result = await send(url, "Runtime.getHeapUsage");
  const heapBytes = Number(result.usedSize);
  const backingBytes = Number(result.backingStorageSize);
  return { heapBytes, backingBytes, totalBytes: heapBytes + backingBytes };
}

const REPLY_MS_MAX = 10_000;

function send(url: string, method: string): Promise<Record<string, unknown>> {
  return new Promise((done, fail) => {
    const socket = new WebSocket(url);
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
