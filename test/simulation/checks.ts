/** What must hold once nothing is under way. */
import { HASHES, hashOf } from "../../src/memory/shard-map.ts";
import type { ExportPage, MemoryStats, SearchReply } from "../../src/memory/types.ts";
import { ROOT } from "./memory.ts";
import { ABSENT, type Model, type State } from "./model.ts";
import { foundState, isFindable, turnOf, wordOf } from "./operations.ts";
import { Violation } from "./violation.ts";
import type { SimulatedObject, World } from "./world.ts";

/** Calls the root with nothing else going on. */
export type Ask = (method: string, ...args: unknown[]) => Promise<unknown>;

/** Throws unless every document is as it may be, lies on the one shard that holds its hash, is
 *  counted and found; and unless nothing is left of objects that no map names. The model knows from
 *  then on which of its states each document is in. */
export async function checkAll(
  world: World,
  model: Model,
  expired: (state: State) => boolean,
  ask: Ask,
): Promise<void> {
  const found = await exported(ask);
  for (const key of new Set([...model.keys(), ...found.keys()])) {
    const state = found.get(key) ?? ABSENT;
    if (state !== ABSENT && expired(state))
      throw new Violation("expired", `${key} is ${state}, which has expired`);
    model.settle(key, state, expired);
  }
  const stats = (await ask("stats")) as MemoryStats;
  if (stats.work !== null) throw new Violation("stuck", JSON.stringify(stats.work));
  if (stats.retired > 0) throw new Violation("stuck", `${stats.retired} objects are not destroyed`);
  if (stats.documents !== found.size)
    throw new Violation("counts", `stats count ${stats.documents} documents of ${found.size}`);
  checkObjects(world, stats, found);
  await checkSearch(ask, found);
}

async function exported(ask: Ask): Promise<Map<string, State>> {
  const found = new Map<string, State>();
  for (let cursor: string | null = null; ; ) {
    const page = (await ask("export", cursor, 7)) as ExportPage;
    for (const document of page.documents) {
      if (found.has(document.id))
        throw new Violation("twice", `the export has ${document.id} twice`);
      found.set(document.id, foundState(document));
    }
    cursor = page.cursor;
    if (cursor === null) return found;
  }
}

/** Looks into every object's tables. */
function checkObjects(world: World, { shards }: MemoryStats, found: Map<string, State>): void {
  let at = 0;
  for (const { lo, hi } of shards) {
    if (lo !== at) throw new Violation("map", `the map goes on at ${lo}, not at ${at}`);
    at = hi;
  }
  if (at !== HASHES) throw new Violation("map", `the map ends at ${at}`);
  const rows = new Map<number, string>();
  for (const object of world.objects.values()) {
    const shard = shards.find((range) => (range.object ?? ROOT) === object.name);
    const tables = tablesOf(object);
    if (shard === undefined) {
      const left = object.name === ROOT ? tables.filter((name) => name === "documents") : tables;
      if (left.length > 0) throw new Violation("leak", `${object.name} has ${left} but no range`);
      continue;
    }
    const select = "SELECT id, row FROM documents";
    for (const { id, row } of object.storage.sql.exec(select).toArray()) {
      const hash = hashOf(String(id));
      if (hash < shard.lo || hash >= shard.hi)
        throw new Violation("range", `${id} lies on ${object.name}, which does not hold its hash`);
      if (!found.has(String(id))) throw new Violation("hidden", `${id} is stored and not exported`);
      if (rows.has(Number(row))) throw new Violation("row", `${id} and ${rows.get(Number(row))}`);
      rows.set(Number(row), String(id));
    }
    const copying = object.storage.sql.exec("SELECT 1 FROM meta WHERE name = 'copying'").toArray();
    if (copying.length > 0) throw new Violation("copying", `${object.name} still logs removals`);
  }
}

function tablesOf({ storage }: SimulatedObject): string[] {
  const select = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
  return storage.sql
    .exec(select)
    .toArray()
    .map(({ name }) => String(name));
}

/** A search for a word that many documents have gives those that have it, and each document is
 *  found by its own word alone. */
async function checkSearch(ask: Ask, found: ReadonlyMap<string, State>): Promise<void> {
  const expected = new Set(
    [...found].filter(([, state]) => isFindable(turnOf(state))).map(([id]) => id),
  );
  const request = { vector: null, k: 100, mode: "bm25", filter: null, explain: false };
  const ids = await hitsOf(ask, { ...request, query: "lease" });
  const missing = [...expected].find((id) => !ids.has(id));
  if (missing !== undefined) throw new Violation("not found", `search misses ${missing}`);
  const extra = [...ids].find((id) => !expected.has(id));
  if (extra !== undefined) throw new Violation("wrong hit", `search finds ${extra}`);
  const [one] = expected;
  if (one === undefined) return;
  const word = wordOf(turnOf(found.get(one)!));
  const own = [...(await hitsOf(ask, { ...request, query: word }))];
  if (own.length !== 1 || own[0] !== one) throw new Violation("wrong hit", `${word} finds ${own}`);
}

async function hitsOf(ask: Ask, request: object): Promise<Set<string>> {
  const { hits } = (await ask("search", request)) as SearchReply;
  return new Set(hits.map(({ document_id }) => document_id));
}
