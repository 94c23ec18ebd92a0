/** The isolate's memory while a suite goes on. */
import { collectGarbage, ISOLATE_BYTES_MAX, readMemory } from "../../scripts/inspector.ts";
import type { RunningService } from "../../scripts/service.ts";

const PAUSE_MS = 3_000;

export interface Watched<T> {
  result: T;
  /** The greatest reading; garbage is collected before each. */
  peakBytes: number;
  /** In words; none where it was read and stayed within ISOLATE_BYTES_MAX. */
  faults: string[];
}

/** Reads the memory again and again until the work is done, and once more. A reading that fails
 *  is passed over: the runtime collects only when something else has it look at its tasks, and
 *  gives no reply until then. */
export async function watchMemory<T>(
  service: Pick<RunningService, "url" | "inspectorUrl">,
  work: () => Promise<T>,
): Promise<Watched<T>> {
  let peakBytes = 0; // where nothing could be read
  const read = async () => {
    await collectGarbage(service.inspectorUrl);
    peakBytes = Math.max(peakBytes, (await readMemory(service)).totalBytes);
  };
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      await read().catch(() => {});
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  })();
  const result = await work().finally(() => over.abort());
  await watching;
  await read().catch(() => {});
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const isOver = peakBytes > ISOLATE_BYTES_MAX;
  const fault = `memory of ${megabytes(peakBytes)}, above ${megabytes(ISOLATE_BYTES_MAX)}`;
  const unread = peakBytes === 0 ? ["the memory could not be read"] : [];
  return { result, peakBytes, faults: isOver ? [fault] : unread };
}
