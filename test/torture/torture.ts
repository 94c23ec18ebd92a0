/** Kills the running service at random moments while it is changed, and checks after each start
 *  that nothing acknowledged is lost, nothing deleted is back, and search is as it must be. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchClient, Refusal } from "../../bench/client.ts";
import { mulberry32 } from "../../eval/random.ts";
import { freePort } from "../../scripts/service.ts";
import { BudgetAudit } from "./budget-audit.ts";
import { checkSearch, checkShards, type ShardCount } from "./checks.ts";
import { integer } from "./documents.ts";
import { type Effect, ExpectedMemory, type Found } from "./expected-memory.ts";
import { memoryFaults, watchMemory } from "./memory-watch.ts";
import { NAMESPACE, type Operation, Operations, unlessBusy } from "./operations.ts";
import {
  bundled,
  type SimulatedWorker,
  startSimulated,
  type WorkerOptions,
} from "./simulated-worker.ts";

/** The real Worker with bounds that a few hundred documents reach. */
const CONFIG = join(import.meta.dirname, "wrangler.toml");
const BUNDLE = join(import.meta.dirname, "../../build/torture");
/** A round takes up to so many operations, of which one of the first may be a long one, and is cut
 *  off at a random moment of the last. */
const OPERATIONS_MAX = 12;
const LONG_SHARE = 0.7;
/** What an operation is thought to take before one of its kind was timed, ms. */
const OPERATION_MS = 20;
const WORK_MS_MAX = 120_000;

export interface TortureOptions {
  kills: number;
  seed: number;
  say(line: string): void;
}

export interface Tally {
  kills: number;
  /** Kills by the operation that was under way. */
  during: Record<string, number>;
  operations: number;
  /** Greatest number of documents and of shards seen. */
  documents: number;
  shards: number;
  /** Answers of a backend that a budget was to pay: asked for, answered, paid, and those whose end
   *  the budget was never told. */
  budget: Pick<BudgetAudit, "asked" | "answered" | "paid" | "untold">;
  /** The most that an isolate took. */
  peakBytes: number;
}

/** Throws at the first thing that is not as it must be; the state's folder is then kept and named
 *  in the message. A run is not the same for the same seed, since the kill falls by the clock. */
export async function torture(options: TortureOptions): Promise<Tally> {
  const state = mkdtempSync(join(tmpdir(), "brink-torture-"));
  const budget = await BudgetAudit.start();
  const run = new Torture(state, options, budget);
  try {
    await run.all();
    for (const fault of memoryFaults(run.tally.peakBytes)) throw new Error(fault);
  } catch (cause) {
    throw new Error(`after ${run.tally.kills} kills, state in ${state}: ${String(cause)}`, {
      cause,
    });
  } finally {
    await budget.close();
  }
  rmSync(state, { recursive: true, force: true });
  return run.tally;
}

class Torture {
  readonly tally: Tally;
  readonly #budget: BudgetAudit;
  readonly #worker: WorkerOptions;
  readonly #state: string;
  readonly #options: TortureOptions;
  readonly #random: () => number;
  readonly #expected = new ExpectedMemory();
  readonly #operations: Operations;
  /** What the last operation of a kind took, ms. */
  readonly #typicalMs = new Map<string, number>();
  /** What was under way when the runtime died. */
  #pending: Effect | null = null;

  constructor(state: string, options: TortureOptions, budget: BudgetAudit) {
    this.#budget = budget;
    const bindings = { BRINK_LOCAL: "1", BRINK_LOG: "errors", ...budget.variables };
    this.#worker = { ...bundled(CONFIG, BUNDLE), bindings };
    const counts = { kills: 0, operations: 0, documents: 0, shards: 0, peakBytes: 0 };
    this.tally = { ...counts, during: {}, budget };
    this.#state = state;
    this.#options = options;
    this.#random = mulberry32(options.seed);
    this.#operations = new Operations(this.#random, this.#expected);
  }

  async all(): Promise<void> {
    while (this.tally.kills < this.#options.kills) {
      await this.#withService(async (client, service) => {
        if (this.tally.kills === 0) {
          await client.call("PUT", `/admin/namespaces/${NAMESPACE}`, {});
          await this.#budget.prepare(client, service.url);
        }
        await this.#check(client);
        await this.#driveUntilKilled(client, service);
      });
      this.tally.kills += 1;
    }
    await this.#withService((client) => this.#check(client));
  }

  async #withService(
    work: (client: BenchClient, service: SimulatedWorker) => Promise<void>,
  ): Promise<void> {
    const inspectorPort = await freePort();
    const service = await startSimulated(this.#worker, this.#state, inspectorPort);
    const client = new BenchClient(service.url);
    const watched = { url: service.url, inspectorUrl: `http://127.0.0.1:${inspectorPort}` };
    try {
      const { peakBytes } = await watchMemory(watched, () => work(client, service));
      this.tally.peakBytes = Math.max(this.tally.peakBytes, peakBytes);
    } finally {
      client.close();
      await service.kill();
    }
  }

  async #check(client: BenchClient): Promise<void> {
    if (this.#pending?.kind === "replace") await untilIdle(client);
    const found = await readAll(client);
    this.#expected.settle(this.#pending, found);
    this.#pending = null;
    this.#operations.changed();
    const stats = await readStats(client);
    if (stats.documents !== found.size)
      throw new Error(`the statistics count ${stats.documents} documents of ${found.size}`);
    checkShards(stats.shards, found.keys());
    await checkSearch(client, this.#random, this.#expected.contents);
    await this.#budget.check(client);
    this.tally.documents = Math.max(this.tally.documents, found.size);
    this.tally.shards = Math.max(this.tally.shards, stats.shards.length);
    this.#operations.shards = stats.shards.length;
  }

  async #driveUntilKilled(client: BenchClient, service: SimulatedWorker): Promise<void> {
    const last = integer(this.#random, OPERATIONS_MAX);
    const long = this.#random() < LONG_SHARE ? integer(this.#random, last + 1) : -1;
    let dead = false;
    let kind = "";
    try {
      for (let i = 0; ; i++) {
        const mayBeLong = i === long && this.#expected.contents.size > 0;
        const operation = mayBeLong ? this.#operations.long() : this.#operations.next();
        kind = operation.kind;
        if (i === last)
          setTimeout(() => {
            dead = true;
            service.kill();
          }, this.#momentIn(kind));
        this.#budget.ask(service.url);
        const startMs = performance.now();
        await this.#take(client, operation);
        this.#typicalMs.set(kind, performance.now() - startMs);
      }
    } catch (error) {
      if (error instanceof Refusal || !dead) throw error;
    }
    const { during, kills } = this.tally;
    during[kind] = (during[kind] ?? 0) + 1;
    this.#options.say(`kill ${kills + 1}: during ${kind}, ${this.#size()}`);
  }

  /** A moment of an operation, or soon after it, in ms from its start. */
  #momentIn(kind: string): number {
    return this.#random() * 1.25 * (this.#typicalMs.get(kind) ?? OPERATION_MS);
  }

  #size(): string {
    return `${this.#expected.contents.size} documents, at most ${this.tally.shards} shards`;
  }

  async #take(client: BenchClient, operation: Operation): Promise<void> {
    const { effect } = operation;
    this.#pending = effect;
    if (effect?.kind === "replace") return this.#restore(client, operation, effect);
    await operation.call(client);
    this.#pending = null;
    if (effect !== null) this.#expected.apply(effect);
    if (effect !== null) this.#operations.changed();
    this.tally.operations += 1;
    if (this.tally.operations % 8 === 0 && (await readStats(client)).work === null)
      await this.#operations.collectSnapshots(client);
  }

  /** Begins a restore and waits for its end: nothing may be written meanwhile. Where it cannot
   *  begin because other work runs, nothing changes. */
  async #restore(
    client: BenchClient,
    operation: Operation,
    effect: Extract<Effect, { kind: "replace" }>,
  ): Promise<void> {
    if (!(await unlessBusy(operation.call(client)))) {
      this.#pending = null;
      return;
    }
    await untilIdle(client);
    if (!this.#expected.replace(effect.contents, await readAll(client)))
      throw new Error("a restore gave none of the contents that its snapshot may have");
    this.#pending = null;
    this.#operations.changed();
    this.tally.operations += 1;
  }
}

interface Stats {
  documents: number;
  work: object | null;
  shards: ShardCount[];
}

function readStats(client: BenchClient): Promise<Stats> {
  return client.call("GET", `/admin/namespaces/${NAMESPACE}/stats`);
}

/** Waits until no split, snapshot or restore is under way. */
async function untilIdle(client: BenchClient): Promise<void> {
  const deadlineMs = Date.now() + WORK_MS_MAX;
  while ((await readStats(client)).work !== null) {
    if (Date.now() > deadlineMs) throw new Error("work did not end in time");
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Every document by its id. Throws where one comes twice. */
async function readAll(client: BenchClient): Promise<Map<string, Found>> {
  const lines = await client.send("GET", `/admin/namespaces/${NAMESPACE}/export`, "", "");
  const found = new Map<string, Found>();
  for (const line of lines.split("\n").filter((text) => text !== "")) {
    const { id, text, metadata } = JSON.parse(line) as Found & { id: string };
    if (found.has(id)) throw new Error(`the export has ${id} twice`);
    found.set(id, { text, metadata });
  }
  return found;
}
