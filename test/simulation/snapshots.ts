/** What snapshots hold, by what the root durably says of its long work: the contents of the moment
 *  that a snapshot was sealed, and the moments at which a restore began and swapped the map. */
import type { Work, WorkReport } from "../../src/memory/work.ts";
import { ROOT } from "./memory.ts";
import type { Model, Moment } from "./model.ts";
import { Violation } from "./violation.ts";
import type { SimulatedObject } from "./world.ts";

export class Snapshots {
  readonly #model: Model;
  /** By id: those sealed. */
  readonly #moments = new Map<string, Moment>();
  /** Sealed and never asked to be deleted. */
  readonly #whole = new Set<string>();
  /** Done, in order. */
  readonly #done: string[] = [];
  #work: Work | null = null;
  /** Pieces of long work that ended, by kind and end. */
  readonly ended: Record<string, number> = {};

  constructor(model: Model) {
    this.#model = model;
  }

  /** Some snapshot, `which` counting back from the last; null before the first. */
  pick(which: number): string | null {
    const { length } = this.#done;
    return length === 0 ? null : this.#done[length - 1 - (which % length)]!;
  }

  /** Whether it is sealed and nobody asked for its deletion, which may come at any time. */
  isWhole(id: string): boolean {
    return this.#whole.has(id);
  }

  deleted(id: string | null): void {
    if (id !== null) this.#whole.delete(id);
  }

  /** To be called whenever something that the root wrote became durable. */
  look({ name, storage }: SimulatedObject, step: number): void {
    if (name !== ROOT) return;
    const made = "SELECT 1 FROM sqlite_master WHERE name = 'namespace'";
    if (storage.sql.exec(made).toArray().length === 0) {
      this.#work = null; // the namespace is no more
      return;
    }
    const select = "SELECT name, value FROM namespace WHERE name IN (?, ?, ?, ?)";
    const reports = ["last_split", "last_snapshot", "last_restore"];
    const rows = storage.sql.exec(select, "work", ...reports).toArray();
    const values = new Map(rows.map(({ name: key, value }) => [key, JSON.parse(String(value))]));
    const work: Work | null = values.get("work") ?? null;
    const before = this.#work;
    this.#work = work;
    if (work?.kind === "snapshot" && work.phase === "seal" && !this.#moments.has(work.id)) {
      this.#moments.set(work.id, this.#model.moment());
      this.#whole.add(work.id);
    }
    if (isOther(before, work)) this.#ended(before!, values);
    if (work?.kind === "restore" && isOther(work, before)) this.#model.restoreBegan(step);
  }

  #ended(work: Work, reports: ReadonlyMap<unknown, WorkReport>): void {
    const report = reports.get(`last_${work.kind}`);
    const done = report?.started_at === work.started_at && report.state === "done";
    const end = `${work.kind} ${done ? "done" : "given up"}`;
    this.ended[end] = (this.ended[end] ?? 0) + 1;
    if (work.kind === "split") return;
    if (work.kind === "snapshot") {
      if (done) this.#done.push(work.id);
      return;
    }
    if (report?.error?.code === "snapshot_damaged" && this.#whole.has(work.id))
      throw new Violation("damaged", `${work.id}: ${report.error.message}`);
    this.#model.restoreEnded(done ? this.#moments.get(work.id)! : null);
  }
}

/** Whether there is work that `other` is not. */
function isOther(work: Work | null, other: Work | null): boolean {
  return work !== null && (other?.kind !== work.kind || other.started_at !== work.started_at);
}
