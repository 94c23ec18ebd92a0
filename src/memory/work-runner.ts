/** Takes the steps of a namespace's long work, one at a time, and counts its failures. */
import { codeOf } from "../errors.ts";
import { WORK_FAILURES_MAX, WORK_RETRY_MS } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { abandonRestore, stepRestore } from "./restore.ts";
import { abandonSnapshot, stepSnapshot } from "./snapshot.ts";
import { abandonSplit, stepSplit } from "./split.ts";
import type { Work, WorkContext } from "./work.ts";
import type { WriteLock } from "./write-lock.ts";

const CALLED_OFF = "it was called off";

/** Whether it was given up, and whatever came between left that undone. */
function isGivenUp(work: Work): boolean {
  return work.phase === "abandon";
}

export class WorkRunner {
  readonly #context: WorkContext;
  readonly #steps: WriteLock;
  #retryAt = 0;

  /** Steps take turns by `steps`; whoever holds it and the lock on writes took it first. */
  constructor(context: WorkContext, steps: WriteLock) {
    this.#context = context;
    this.#steps = steps;
  }

  /** Until then, Unix ms, work that failed rests; 0: nothing does. */
  get retryAt(): number {
    return this.#retryAt;
  }

  /** One step of the work there is, if any, though it rest; whether it succeeded. Work that fails
   *  too often, or because of its input, is given up. */
  step(): Promise<boolean> {
    return this.#steps.run(async () => {
      const work = this.#context.store.work();
      this.#retryAt = 0;
      if (work === null) return true;
      try {
        if (isGivenUp(work)) await this.#giveUp(work, work.error ?? CALLED_OFF);
        else if (await this.#take(work)) this.#report(work, null);
        return true;
      } catch (error) {
        await this.#fail(error);
        return false;
      }
    }, true);
  }

  /** Gives up the work there is, if any; true where there was some. */
  cancel(): Promise<boolean> {
    return this.#steps.run(async () => {
      const work = this.#context.store.work();
      this.#retryAt = 0;
      if (work === null) return false;
      await this.#giveUp(work, CALLED_OFF);
      return true;
    }, true);
  }

  async #giveUp(work: Work, message: string): Promise<void> {
    await this.#abandon(work);
    this.#report(work, { code: "conflict", message });
  }

  #take(work: Work): Promise<boolean> {
    if (work.kind === "split") return stepSplit(this.#context, work);
    if (work.kind === "snapshot") return stepSnapshot(this.#context, work);
    return stepRestore(this.#context, work);
  }

  #abandon(work: Work): Promise<void> {
    if (work.kind === "split") return abandonSplit(this.#context, work);
    if (work.kind === "snapshot") return abandonSnapshot(this.#context, work);
    return abandonRestore(this.#context, work);
  }

  /** What has to wait for the vector tier has not failed. */
  async #fail(error: unknown): Promise<void> {
    const { store, now } = this.#context;
    const work = store.work();
    if (work === null) return;
    const code = codeOf(error) ?? "internal";
    const message = error instanceof Error ? error.message : String(error);
    logEvent("work of a namespace failed", `${work.kind} of ${store.name()}: ${message}`);
    const failures = work.failures + (code === "memory_busy" ? 0 : 1);
    store.setWork({ ...work, failures, error: message });
    this.#retryAt = now() + WORK_RETRY_MS;
    const hopeless = code === "snapshot_damaged" || code === "snapshots_not_configured";
    if (!hopeless && failures < WORK_FAILURES_MAX) return;
    await this.#abandon(work);
    this.#retryAt = 0;
    this.#report(work, { code, message });
  }

  #report(work: Work, error: { code: string; message: string } | null): void {
    this.#context.store.setReport(work.kind, {
      state: error === null ? "done" : "failed",
      id: work.kind === "split" ? null : work.id,
      started_at: work.started_at,
      ended_at: this.#context.now(),
      documents: work.documents,
      error,
    });
  }
}
