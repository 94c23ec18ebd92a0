/** One memory object's shard on node:sqlite: what storing, loading and searching cost without
 *  workerd around them, in CPU time. The text is drawn from a vocabulary with Zipf's frequencies;
 *  the answers after a reload must be those before. `node bench/index-object.ts [PASSAGES]` */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { quantizeVector } from "../index/vectors.ts";
import { xorshift32 } from "../index/xorshift.ts";
import { Shard } from "../src/memory/shard.ts";
import type { CandidateList, Change } from "../src/memory/shard-types.ts";
import type { ShardStorage } from "../src/memory/sql.ts";
import { NAMESPACE_DEFAULTS, type PreparedDocument } from "../src/memory/types.ts";
import { compileKernels } from "./kernels-module.ts";

const DIM = 384;
const WORDS_A_PASSAGE = 100;
const WORDS = 60_000;

/** Storage as a Durable Object has it, over a database of node:sqlite. */
export function storageOver(database: DatabaseSync): ShardStorage {
  const prepared = new Map<string, StatementSync>();
  const exec = (query: string, ...bindings: unknown[]) => {
    if (/;\s*\S/.test(query)) {
      database.exec(query);
      return cursorOver([]);
    }
    let statement = prepared.get(query);
    if (statement === undefined) {
      statement = database.prepare(query);
      prepared.set(query, statement);
    }
    const values = bindings.map((value) =>
      value instanceof ArrayBuffer ? new Uint8Array(value) : value,
    );
    return cursorOver(statement.all(...(values as SQLInputValue[])));
  };
  const sql = {
    exec,
    get databaseSize() {
      const [size] = exec(
        "SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size",
      ).toArray();
      return size!.n as number;
    },
  };
  const transactionSync = <T>(work: () => T): T => {
    database.exec("BEGIN");
    try {
      const result = work();
      database.exec("COMMIT");
      return result;
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  };
  return { sql, transactionSync } as unknown as ShardStorage;
}

function cursorOver(rows: Record<string, unknown>[]) {
  for (const row of rows)
    for (const [name, value] of Object.entries(row))
      if (value instanceof Uint8Array) row[name] = value.slice().buffer;
  return Object.assign(rows.values(), { toArray: () => rows, one: () => rows[0]! });
}

/** Seeded numbers in [0, 1). */
const bits = xorshift32(20261124);
const next = () => bits() / 2 ** 32;
const word = () => {
  const rank = Math.floor(WORDS ** next());
  let name = "";
  for (let n = rank * 7_919 + 11; n > 0; n = Math.floor(n / 17))
    name += "bcdfghklmnprstvwz"[n % 17] + "aeiou"[n % 5]!;
  return name;
};

const vector = () => quantizeVector(Float32Array.from({ length: DIM }, () => next() + next() - 1));

function made(i: number): PreparedDocument {
  const text = Array.from({ length: WORDS_A_PASSAGE }, word).join(" ");
  const place = { start: 0, end: text.length, heading_path: [], anchor: null };
  return {
    ...{ id: `document-${i}`, text, title: null, metadata: { n: i }, expires_at: null },
    ...{ digest: i.toString(16).padStart(64, "0"), passages: [{ ...place, vector: vector() }] },
    ...{ brought: false, time: i, content_type: "text/plain" },
  };
}

function search(shard: Shard, words: string[], query: Float32Array): CandidateList {
  const terms = words.map((term) => ({ term, qtf: 1 }));
  const statistics = shard.statistics(words);
  const depths = { bm25Depth: 128, vectorDepth: 256, explain: false, times: false };
  return shard.candidates({
    mode: "hybrid",
    terms,
    vector: query,
    filter: null,
    statistics,
    ...depths,
  });
}

/** CPU time of this thread, in ms: a busy machine does not add to it. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

const report = (name: string, value: number, unit: string) =>
  console.log(`${name.padEnd(44)} ${value.toFixed(1).padStart(10)} ${unit}`);

const passages = Number(process.argv[2] ?? 100_000);
const kernels = compileKernels();
const database = new DatabaseSync(":memory:");
const storage = storageOver(database);
let shard = new Shard(storage, kernels);
shard.configure(NAMESPACE_DEFAULTS);

let applyMs = 0;
let maintainMs = 0;
let slowestMs = 0;
let textBytes = 0;
for (let row = 1; row <= passages; ) {
  const changes: Change[] = [];
  for (; changes.length < 100 && row <= passages; row++) {
    const document = made(row);
    textBytes += document.text.length;
    changes.push({ kind: "upsert", row, document, if_version: null });
  }
  const startMs = cpuMs();
  shard.apply(changes);
  applyMs += cpuMs() - startMs;
  for (let due = shard.dueAt(); due !== null; ) {
    const fromMs = cpuMs();
    due = shard.maintain();
    const tookMs = cpuMs() - fromMs;
    maintainMs += tookMs;
    slowestMs = Math.max(slowestMs, tookMs);
  }
}
report("apply, a document of one passage", (applyMs * 1_000) / passages, "us");
report("maintain, a passage", (maintainMs * 1_000) / passages, "us");
report("maintain, the slowest step", slowestMs, "ms");

const queries = Array.from({ length: 200 }, () => ({
  words: Array.from({ length: 5 }, word),
  query: Float32Array.from({ length: DIM }, () => (next() + next() - 1) / Math.sqrt(DIM / 6)),
}));
const before = queries.map(({ words, query }) => search(shard, words, query));
shard = new Shard(storage, kernels);
const startMs = cpuMs();
const stats = shard.stats();
report("load, stats included", cpuMs() - startMs, "ms");
const timesMs = queries.map(({ words, query }, i) => {
  const fromMs = cpuMs();
  const list = search(shard, words, query);
  const tookMs = cpuMs() - fromMs;
  const same = list.passage.every((passage, j) => passage === before[i]!.passage[j]);
  if (!same) throw new Error(`query ${i} finds other passages after a reload`);
  return tookMs;
});
timesMs.sort((a, b) => a - b);
report("statistics and candidates, p50", timesMs[100]!, "ms");
report("statistics and candidates, p99", timesMs[197]!, "ms");
report("resident", stats.resident_bytes / passages, "bytes a passage");
report("on disk beside the text", (stats.sqlite_bytes - textBytes) / passages, "bytes a passage");
console.log(JSON.stringify(stats));
