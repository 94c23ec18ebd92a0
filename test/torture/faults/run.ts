/** Runs the fault matrix against the built Worker, in an order of chance. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mulberry32 } from "../../../eval/random.ts";
import { startService } from "../../../scripts/service.ts";
import { memoryFaults, watchMemory } from "../memory-watch.ts";
import { backendCells } from "./backend-cells.ts";
import { type Cell, EMPTY, FaultClient, type Got } from "./cell.ts";
import { platformCells } from "./platform-cells.ts";

const CONFIG = join(import.meta.dirname, "wrangler.toml");
/** The isolate knows the last 16 backends; as many cells as may be under way at once. */
const TOGETHER = 6;
const SLOW_TOGETHER = 15;
/** Until an isolate has sent on what it counted: every 2 s. */
const GATHERED_MS = 3_000;

export interface FaultOptions {
  seed: number;
  /** Only cells whose name has this in it. */
  only?: string | null;
  /** Whether those are run that take half a minute. */
  slow: boolean;
  /** Of the quick cells of backends so many, by chance; all where absent. */
  backends?: number;
  say(line: string): void;
}

export interface FaultTally {
  /** By what the cells are of; `injected` are those with a fault in them. */
  groups: Map<string, { cells: number; injected: number; passed: number }>;
  /** Of each cell that failed: its name and what is not as it must be. */
  failed: { name: string; faults: string[] }[];
  /** The most that the isolate took. */
  peakBytes: number;
}

export async function runFaults(options: FaultOptions): Promise<FaultTally> {
  const { seed, only = null, slow, backends, say } = options;
  const random = mulberry32(seed);
  const chosen = (cells: Cell[]) => {
    const keyed = cells.map((cell) => ({ cell, at: random() })).sort((a, b) => a.at - b.at);
    const shuffled = keyed.map(({ cell }) => cell);
    return shuffled.filter((cell) => (slow || !cell.slow) && cell.name.includes(only ?? ""));
  };
  const cells = [...chosen(platformCells()), ...chosen(backendCells()).slice(0, backends)];
  const state = mkdtempSync(join(tmpdir(), "brink-faults-"));
  const variables = { BRINK_PRELOAD: "none" };
  const readyPath = "/openapi.json"; // the models are not loaded yet
  const service = await startService({ state, configs: [CONFIG], variables, readyPath });
  try {
    const matrix = new Matrix(new FaultClient(service.url), say);
    await matrix.first(cells);
    const { peakBytes } = await watchMemory(service, () => matrix.others(cells));
    const tally = { ...(await matrix.tally()), peakBytes };
    const faults = memoryFaults(peakBytes);
    if (faults.length > 0) tally.failed.push({ name: "memory", faults });
    return tally;
  } finally {
    await service.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

class Matrix {
  readonly #client: FaultClient;
  readonly #say: (line: string) => void;
  readonly #got: { cell: Cell; got: Got }[] = [];

  constructor(client: FaultClient, say: (line: string) => void) {
    this.#client = client;
    this.#say = say;
  }

  /** Those that must come before anything else is asked. */
  async first(cells: Cell[]): Promise<void> {
    for (const cell of cells.filter(({ first }) => first)) await this.#run(cell);
  }

  async others(cells: Cell[]): Promise<void> {
    await this.#client.admin("PUT", `/admin/namespaces/${EMPTY}`, {});
    const rest = cells.filter(({ first }) => !first);
    for (const cell of rest.filter(({ alone }) => alone)) await this.#run(cell);
    const others = rest.filter(({ alone }) => !alone);
    await this.#together(
      others.filter(({ slow }) => !slow),
      TOGETHER,
    );
    await this.#together(
      others.filter(({ slow }) => slow),
      SLOW_TOGETHER,
    );
    await new Promise((done) => setTimeout(done, GATHERED_MS));
  }

  async tally(): Promise<Omit<FaultTally, "peakBytes">> {
    const tally: Omit<FaultTally, "peakBytes"> = { groups: new Map(), failed: [] };
    for (const { cell, got } of this.#got) {
      const { name, group, fault } = cell;
      const faults = [...got.faults, ...((await got.later?.()) ?? [])];
      if (faults.length > 0) tally.failed.push({ name, faults });
      const sums = tally.groups.get(group) ?? { cells: 0, injected: 0, passed: 0 };
      tally.groups.set(group, sums);
      sums.cells += 1;
      sums.injected += Number(fault);
      sums.passed += Number(faults.length === 0);
    }
    return tally;
  }

  async #together(cells: Cell[], lanes: number): Promise<void> {
    const queue = cells.values();
    const lane = async () => {
      for (const cell of queue) await this.#run(cell);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #run(cell: Cell): Promise<void> {
    const startMs = performance.now();
    const got = await cell.run(this.#client).catch((error): Got => ({ faults: [String(error)] }));
    this.#got.push({ cell, got });
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const fault = got.faults.length === 0 ? "" : `: ${got.faults.join("; ")}`;
    this.#say(`${cell.name}, ${seconds} s${fault}`);
  }
}
