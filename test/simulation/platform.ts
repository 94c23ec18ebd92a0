/** Time, timers, randomness, checksums and compression as the simulation has them. What is real
 *  about them takes its own time on other threads, which no seed repeats. */
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import type { World } from "./world.ts";

const realImmediate = setImmediate;
let world: World | null = null;
let random: () => number = () => 0;
/** What the code logged as errors since it was asked last. */
let complaints: string[] = [];

/** Resolves once all code that can go on has come to where it waits. */
export function drained(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}

/** From here on the globals belong to a world. */
export function enterWorld(next: World, nextRandom: () => number): void {
  world = next;
  random = nextRandom;
  complaints = [];
}

export function takeComplaints(): string[] {
  return complaints.splice(0);
}

class Packing {
  readonly pack: (bytes: Uint8Array) => Uint8Array;

  constructor(pack: (bytes: Uint8Array) => Uint8Array) {
    this.pack = pack;
  }
}

class SimulatedBlob {
  readonly #bytes: Uint8Array;

  constructor([bytes]: [Uint8Array]) {
    this.#bytes = bytes;
  }

  stream() {
    const bytes = this.#bytes;
    return {
      async *pipeThrough({ pack }: Packing) {
        yield pack(bytes);
      },
    };
  }
}

function uuid(): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Puts them in the place of the thread's own: to be called once, on a thread that does nothing
 *  else. */
export function takeOverGlobals(): void {
  const now = () => world?.nowMs ?? 0;
  Date.now = now;
  Object.defineProperty(globalThis, "performance", { value: { now } });
  const digest = async (_: string, bytes: Uint8Array) =>
    new Uint8Array(createHash("sha256").update(bytes).digest()).buffer;
  const crypto = { subtle: { digest }, randomUUID: uuid };
  Object.defineProperty(globalThis, "crypto", { value: crypto });
  const wait = (ms: number) => new Promise<void>((resolve) => world!.setTimer(resolve, ms));
  Object.assign(globalThis, {
    setTimeout: (work: () => void, ms: number) => world!.setTimer(work, ms),
    clearTimeout: (id: number | undefined) => id !== undefined && world!.clearTimer(id),
    scheduler: { wait },
    Blob: SimulatedBlob,
    CompressionStream: function compression() {
      return new Packing((bytes) => new Uint8Array(gzipSync(bytes, { level: 1 })));
    },
    DecompressionStream: function decompression() {
      return new Packing((bytes) => new Uint8Array(gunzipSync(bytes)));
    },
  });
  console.error = (text: unknown) => complaints.push(String(text));
}
