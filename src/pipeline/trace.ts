/** Milliseconds by stage of one request. A deployed Worker's clock moves only at I/O: stages that
 *  only compute then read 0 there, and are timed by benches on Node instead. */
export class Trace {
  readonly timingsMs: Record<string, number> = {};

  /** Runs `work` and adds its time to `stage`. */
  async time<T>(stage: string, work: () => T | Promise<T>): Promise<T> {
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      const ms = (this.timingsMs[stage] ?? 0) + performance.now() - startMs;
      this.timingsMs[stage] = Math.round(ms * 10) / 10;
    }
  }
}
