/** How much linear memory the WebAssembly instances of this isolate hold. The runtime counts it in
 *  none of its own figures, and the isolate's 128 MB include it. */

const memories = new Set<WeakRef<WebAssembly.Memory>>();

/** Counts `memory` for as long as it lives. */
export function trackMemory(memory: WebAssembly.Memory): void {
  memories.add(new WeakRef(memory));
}

/** Bytes over all tracked memories that were not collected; they never shrink. */
export function linearMemoryBytes(): number {
  let bytes = 0;
  for (const reference of memories) {
    const memory = reference.deref();
    if (memory === undefined) memories.delete(reference);
    else bytes += memory.buffer.byteLength;
  }
  return bytes;
}
