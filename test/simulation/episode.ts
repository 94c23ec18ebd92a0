/** One life of a namespace: steps chosen by a seed, or those of a trace. */
import { mulberry32 } from "../../eval/random.ts";
import { isolateIndexes } from "../../src/memory/budget.ts";
import { checkAll } from "./checks.ts";
import { Clients, optionsWith } from "./clients.ts";
import { memoryObject, ROOT } from "./memory.ts";
import { Model } from "./model.ts";
import type { Mutation } from "./mutations.ts";
import { CLIENTS, type Operation, randomOperation } from "./operations.ts";
import { drained, enterWorld, takeComplaints } from "./platform.ts";
import { Snapshots } from "./snapshots.ts";
import { Violation } from "./violation.ts";
import { INJECTED, World } from "./world.ts";

/** A step by its name, an operation that begins, `settle`: everything goes on undisturbed to its
 *  end and is checked, or `next N`: so many steps as they come. */
export type Entry = string | Operation;
export type Trace = Entry[];

/** What a settling takes at most: work that goes on longer never ends. */
const SETTLE_STEPS_MAX = 10_000;
/** Steps between two settlings. */
const ROUND_STEPS = 800;

/** How an episode is disturbed. */
interface Profile {
  /** Chance of an operation and of a fault, a step. */
  operations: number;
  faults: number;
  /** Chance that the step is the one that waited longest, and that it is the one that waited
   *  least, so that others come very late. */
  orderly: number;
  late: number;
  /** Chance that time goes on though something could be done. */
  hurry: number;
  /** Of faults, by kind. */
  kinds: string[];
}

export class Episode {
  readonly #random: () => number;
  readonly #world: World;
  readonly #model = new Model();
  readonly #snapshots = new Snapshots(this.#model);
  readonly #clients: Clients;
  readonly trace: Trace = [];
  #turn = 0;

  constructor(seed: number, mutation: Mutation | null) {
    this.#random = mulberry32(seed);
    const r2 = new Map();
    this.#world = new World(
      (object) => memoryObject(this.#world, object, r2, mutation),
      (object) => this.#snapshots.look(object, this.#world.steps),
      mutation?.eager,
    );
    this.#clients = new Clients(this.#world, this.#model, this.#snapshots);
    enterWorld(this.#world, mulberry32(1));
  }

  get steps(): number {
    return this.#world.steps;
  }

  /** Steps by kind and ends of long work. */
  get counts(): Record<string, number> {
    return { ...this.#world.counts, ...this.#snapshots.ended };
  }

  /** Runs for so many steps. Throws a Violation; `trace` then leads to it. */
  async run(steps: number): Promise<void> {
    try {
      await this.#prepare();
      const profile = this.#profile();
      while (this.steps < steps) {
        const until = Math.min(steps, this.steps + ROUND_STEPS);
        while (this.steps < until) await this.#take(this.#chosen(profile));
        await this.#take("settle");
      }
    } finally {
      this.#end();
    }
  }

  /** Takes the entries that can be taken, and settles at the end. */
  async replay(trace: Trace): Promise<void> {
    try {
      await this.#prepare();
      for (const entry of trace) await this.#take(entry);
      await this.#take("settle");
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#world.close();
    // The budget of the isolate outlives a world: the next one finds it empty.
    try {
      isolateIndexes.admit(this, Number.POSITIVE_INFINITY, 0);
    } catch {}
  }

  async #prepare(): Promise<void> {
    await this.#ask("configure", optionsWith(1.5));
  }

  #profile(): Profile {
    const among = (...values: number[]) => values[Math.floor(this.#random() * values.length)]!;
    const all = ["kill", "cut", "drop", "again", "advance"];
    return {
      operations: among(0.03, 0.08, 0.2),
      faults: among(0, 0.005, 0.02, 0.08),
      orderly: among(0, 0.5, 0.9),
      late: among(0, 0, 0.5, 0.95),
      hurry: among(0, 0.01, 0.1),
      kinds: all.filter(() => this.#random() < 0.6),
    };
  }

  #chosen(profile: Profile): Entry {
    const { operations, faults, orderly, late, hurry } = profile;
    const random = this.#random;
    if (random() < operations) {
      const client = Math.floor(random() * CLIENTS);
      if (this.#clients.isIdle(client))
        return randomOperation(random, client, this.#world.nowMs, () => ++this.#turn);
    }
    if (random() < faults) {
      const fault = this.#fault(profile.kinds);
      if (fault !== null) return fault;
    }
    const choices = this.#world.choices();
    if (choices.length === 0 || random() < hurry) {
      const next = this.#world.nextDueMs();
      if (next !== null) return `advance ${next - this.#world.nowMs}`;
    }
    if (choices.length === 0)
      return randomOperation(random, 0, this.#world.nowMs, () => ++this.#turn);
    if (random() < orderly) return choices[0]!;
    if (random() < late) return choices.at(-1)!;
    return choices[Math.floor(random() * choices.length)]!;
  }

  #fault(kinds: string[]): string | null {
    const pick = <T>(from: T[]) => from[Math.floor(this.#random() * from.length)];
    const kind = pick(kinds);
    if (kind === undefined) return null;
    if (kind === "advance") return `advance ${Math.floor(this.#random() * 20_000)}`;
    const target =
      kind === "kill" || kind === "again"
        ? pick([...this.#world.objects.keys()])
        : pick(this.#world.waiting());
    return target === undefined ? null : `${kind} ${target}`;
  }

  async #take(entry: Entry): Promise<void> {
    this.trace.push(entry);
    if (typeof entry !== "string") {
      this.#clients.begin(entry);
      this.#world.count("ask");
      await drained();
      this.#look();
    } else if (entry === "settle") await this.#settle();
    else if (entry.startsWith("next ")) {
      for (let n = Number(entry.slice(5)); n > 0; n--) if (!(await this.#next())) break;
    } else await this.#step(entry);
  }

  async #step(label: string): Promise<boolean> {
    if (!this.#world.step(label)) return false;
    await drained();
    this.#look();
    return true;
  }

  #look(): void {
    const { violation } = this.#clients;
    if (violation !== null) throw violation;
    for (const text of takeComplaints())
      if (!isExpected(text)) throw new Violation("complaint", text);
  }

  /** The step that waited longest; where nothing waits, the time goes on to what is due next. */
  async #next(): Promise<boolean> {
    const [label] = this.#world.choices();
    if (label !== undefined) return this.#step(label);
    const next = this.#world.nextDueMs();
    return next !== null && this.#step(`advance ${next - this.#world.nowMs}`);
  }

  async #settle(): Promise<void> {
    const end = this.steps + SETTLE_STEPS_MAX;
    while (await this.#next()) {
      if (this.steps > end) throw new Violation("stuck", "it does not come to rest");
    }
    const [waiting] = this.#world.waiting();
    if (waiting !== undefined) throw new Violation("stuck", `${waiting} is never answered`);
    const ask = (method: string, ...args: unknown[]) => this.#ask(method, ...args);
    await checkAll(this.#world, this.#model, this.#clients.expired, ask);
  }

  async #ask(method: string, ...args: unknown[]): Promise<unknown> {
    let outcome: { value: unknown } | { error: unknown } | null = null;
    this.#world.call("check", ROOT, method, args).then(
      (value) => {
        outcome = { value };
      },
      (error) => {
        outcome = { error };
      },
    );
    while (outcome === null) if (!(await this.#next())) throw new Violation("stuck", method);
    const known = outcome as { value: unknown } | { error: unknown };
    if ("error" in known) throw new Violation("error", `${method}: ${String(known.error)}`);
    return known.value;
  }
}

/** Whether a fault of the simulation's own may be what was complained about. */
function isExpected(text: string): boolean {
  return text.includes(INJECTED);
}
