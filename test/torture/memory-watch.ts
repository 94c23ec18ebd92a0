/** The isolate's memory while a suite goes on. */
import { setTimeout } from "node:timers/promises";
import {
  collectGarbage,
  type InspectedService,
  ISOLATE_BYTES_MAX,
  type MemoryUsage,
  readMemory,
} from "../../scripts/inspector.ts";

const PAUSE_MS = 1_000;

export interface Watched<T> {
  result: T;
  /** The greatest reading; 0 where there is none, as of a service that died at once. */
  peakBytes: number;
}

/** Reads the memory each second until the work is done, and once more. A reading that fails is
 *  passed over: the service may be dead. */
export async function watchMemory<T>(
  service: InspectedService,
  work: () => Promise<T>,
): Promise<Watched<T>> {
  let peakBytes = 0;
  const over = new AbortController();
  const read = () =>
    readBelow(service, ISOLATE_BYTES_MAX).then(
      ({ totalBytes }) => {
        peakBytes = Math.max(peakBytes, totalBytes);
      },
      () => {},
    );
  const watching = (async () => {
    while (!over.signal.aborted) {
      await read();
      await setTimeout(PAUSE_MS, undefined, over).catch(() => {});
    }
  })();
  const result = await work().finally(() => over.abort());
  await watching;
  await read();
  return { result, peakBytes };
}

/** As it stands, garbage included, which only makes it more; above the bound that is collected
 *  first, which stops the service for a tenth of a second. */
async function readBelow(service: InspectedService, bound: number): Promise<MemoryUsage> {
  const usage = await readMemory(service);
  if (usage.totalBytes <= bound) return usage;
  await collectGarbage(service);
  return readMemory(service);
}

/** In words; none where it was read and stayed within ISOLATE_BYTES_MAX. */
export function memoryFaults(peakBytes: number): string[] {
  if (peakBytes === 0) return ["the memory could not be read"];
  if (peakBytes <= ISOLATE_BYTES_MAX) return [];
  return [`memory of ${megabytes(peakBytes)}, above ${megabytes(ISOLATE_BYTES_MAX)}`];
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
