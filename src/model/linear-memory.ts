/** How much linear memory the WebAssembly instances of this isolate hold. The runtime counts it in
 *  none of its own figures, and the isolate's 128 MB include it. */

/** Models stay as long as the isolate; indexes come and go, and what is dropped is not at once
 *  collected: who bounds indexes counts those it keeps. */
export type MemoryUse = "model" | "index";

const memories = new Map<WeakRef<WebAssembly.Memory>, MemoryUse>();

/** Counts `memory` for as long as it lives. */
export function trackMemory(memory: WebAssembly.Memory, use: MemoryUse = "model"): void {
  memories.set(new WeakRef(memory), use);
}

/** Bytes over all tracked memories that were not collected, of one use or of all; they never
 *  shrink. */
export function linearMemoryBytes(of: MemoryUse | null = null): number {
  let bytes = 0;
  for (const [reference, use] of memories) {
    const memory = reference.deref();
    if (memory === undefined) memories.delete(reference);
    else if (of === null || use === of) bytes += memory.buffer.byteLength;
  }
  return bytes;
}
