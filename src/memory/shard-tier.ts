/** An object's passages in the deployment's vector tier: what its tables take up is journalled in
 *  their own transaction, sent by its alarm, and asked for by its searches. */
import type { QuantizedVector } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import {
  TIER_CLEAR_BATCHES,
  TIER_DEADLINE_MS,
  TIER_DELETE_MAX,
  TIER_SYNC_MS,
  TIER_TOP_K_MAX,
  WORK_RETRY_MS,
} from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { CodebookTable } from "./codebook-table.ts";
import type { SqlRow } from "./sql.ts";
import {
  type PendingWrite,
  rowOfTierId,
  type TierJournal,
  type TierMatch,
  tierId,
  tierNamespace,
} from "./vector-tier.ts";
import { type VectorizeBinding, VectorizeTier } from "./vectorize.ts";

/** `row` is the passage's; its vector is in its own row while it is there. */
const JOURNAL = `CREATE TABLE IF NOT EXISTS tier_writes (
  row INTEGER PRIMARY KEY,
  removed INTEGER NOT NULL,
  place INTEGER NOT NULL,
  mutation TEXT,
  sequence INTEGER,
  at INTEGER
)`;

const CLEARED = "tier_cleared";

export interface TierHost {
  sql: SqlStorage;
  /** Null: none is bound; what is written waits, and searches go by codes. */
  index: VectorizeBinding | null;
  kernels: WebAssembly.Module;
  /** The object's name, which no other has. */
  name(): string;
  now(): number;
}

/** A passage that the tier found, with its cosine as near as the tier computes it. */
export interface NearPassage {
  row: number;
  score: number;
}

export class ShardTier {
  readonly #host: TierHost;
  readonly #namespace: string;
  #tier: VectorizeTier | null = null;
  #running: Promise<unknown> | null = null;
  /** When the journal is to be sent next, Unix ms. */
  #notBefore = 0;
  /** Calls of `clear` under way or done: meanwhile nothing is noted or sent. */
  #clearing = 0;

  /** The object's tables are there. */
  constructor(host: TierHost) {
    this.#host = host;
    this.#namespace = tierNamespace(host.name());
    host.sql.exec(JOURNAL);
  }

  /** Notes new passages, within `transaction`. Errors: memory_busy where too many wait,
   *  invalid_request for a dimension that the tier does not take. */
  added(passages: readonly { row: number; vector: QuantizedVector }[]): void {
    for (const { row, vector } of passages)
      this.#of(vector.qs.length).upsert(tierId(this.#namespace, row), vector);
  }

  /** Notes passages that go, within `transaction`. */
  removed(rows: readonly number[]): void {
    const tier = this.#stored();
    for (const row of rows) tier?.remove(tierId(this.#namespace, row));
  }

  /** Runs a transaction of the tables. */
  transaction(run: () => void): void {
    const before = this.#stored();
    try {
      if (before === null) run();
      else before.transaction(run);
    } catch (error) {
      if (before === null) this.#tier = null; // made within, for a dimension that was not kept
      throw error;
    }
  }

  /** The passages nearest to a query, of those that `living` does not deny; at least `sure` of them
   *  are what the tier has nearest. Null where it fails, takes too long, or cannot be sure. */
  async nearest(
    query: Float32Array,
    sure: number,
    living: (row: number) => boolean,
  ): Promise<NearPassage[] | null> {
    const tier = this.#stored();
    if (tier === null) return [];
    const alive = (id: string) => living(rowOfTierId(id) ?? 0);
    try {
      const asked = tier.query(query, TIER_TOP_K_MAX, alive, sure);
      const { matches, complete } = await within(asked, TIER_DEADLINE_MS);
      return complete ? matches.map(nearPassage) : null;
    } catch (error) {
      logEvent("vector tier not asked", `${this.#host.name()}: ${messageOf(error)}`);
      return null;
    }
  }

  /** When `sync` is to be called, Unix ms; null: nothing waits. */
  dueAt(): number | null {
    if (this.#clearing > 0) return null;
    const pending = this.#stored()?.pending ?? 0;
    return pending === 0 ? null : Math.max(this.#notBefore, this.#host.now());
  }

  /** Sends what waits and forgets what the tier shows, where that is due. Never throws: what fails
   *  is tried again. */
  async sync(): Promise<void> {
    const due = this.dueAt();
    if (due === null || due > this.#host.now()) return;
    const running = this.#stored()!.sync();
    this.#running = running;
    try {
      await running;
      this.#notBefore = this.#host.now() + TIER_SYNC_MS;
    } catch (error) {
      logEvent("vector tier not brought up to date", `${this.#host.name()}: ${messageOf(error)}`);
      this.#notBefore = this.#host.now() + WORK_RETRY_MS;
    }
  }

  /** Takes all passages out of the tier, before the tables go; goes on where it broke off. Nothing
   *  is noted or sent any more. Throws backend_unavailable where the tier fails: what is stored
   *  stays then, and so does the journal. */
  async clear(): Promise<void> {
    this.#clearing += 1;
    try {
      await this.#clear();
    } catch (error) {
      this.#clearing -= 1;
      throw error;
    }
  }

  async #clear(): Promise<void> {
    const { sql, index } = this.#host;
    if (index === null) return;
    await this.#running?.catch(() => undefined); // or it would store what is deleted below
    const select = `SELECT row FROM passages WHERE row > ? UNION
      SELECT row FROM tier_writes WHERE row > ? ORDER BY row LIMIT ?`;
    for (let after = this.#meta(CLEARED); ; ) {
      const limit = TIER_DELETE_MAX * TIER_CLEAR_BATCHES;
      const rows = sql.exec(select, after, after, limit).toArray();
      if (rows.length === 0) return;
      const ids = rows.map(({ row }) => tierId(this.#namespace, Number(row)));
      await deleteAll(index, ids);
      after = Number(rows.at(-1)!.row);
      sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", CLEARED, String(after));
    }
  }

  /** The tier, where vectors were ever stored. */
  #stored(): VectorizeTier | null {
    const dim = this.#tier === null ? this.#meta("dim") : 0;
    return dim > 0 ? this.#of(dim) : this.#tier;
  }

  #of(dim: number): VectorizeTier {
    const { index, kernels, now } = this.#host;
    this.#tier ??= new VectorizeTier(
      index ?? UNBOUND,
      this.#namespace,
      dim,
      kernels,
      this.#journal(),
      now,
    );
    return this.#tier;
  }

  #meta(name: string): number {
    const found = this.#host.sql.exec("SELECT value FROM meta WHERE name = ?", name).toArray();
    return Number(found[0]?.value ?? 0);
  }

  /** A journal's row with what its passage's row holds. */
  #pending(row: SqlRow, codebooks: CodebookTable): PendingWrite {
    const { removed, vector, mutation, sequence, at } = row;
    const gone = removed === 1 || vector === null || codebooks.isLost(Number(row.codebook));
    return {
      id: tierId(this.#namespace, Number(row.row)),
      vector: gone ? null : codebooks.vector(vector!, row.codebook!),
      order: Number(row.place),
      sent:
        mutation === null
          ? null
          : { mutation: String(mutation), sequence: Number(sequence), at: Number(at) },
    };
  }

  #journal(): TierJournal {
    const { sql } = this.#host;
    const codebooks = new CodebookTable(sql);
    const select = `SELECT w.*, p.vector, p.codebook
      FROM tier_writes w LEFT JOIN passages p ON p.row = w.row`;
    return {
      all: () => Array.from(sql.exec(select), (row) => this.#pending(row, codebooks)),
      put: ({ id, vector, order, sent }) => {
        if (this.#clearing > 0) return;
        sql.exec(
          "INSERT OR REPLACE INTO tier_writes VALUES (?, ?, ?, ?, ?, ?)",
          ...[rowOfTierId(id), vector === null ? 1 : 0, order],
          ...(sent === null ? [null, null, null] : [sent.mutation, sent.sequence, sent.at]),
        );
      },
      delete: (id) => {
        if (this.#clearing > 0) return;
        sql.exec("DELETE FROM tier_writes WHERE row = ?", rowOfTierId(id));
      },
    };
  }
}

/** In the place of an index where none is bound. */
const refuse = (): Promise<never> => Promise.reject(notConfigured());
const UNBOUND: VectorizeBinding = {
  upsert: refuse,
  deleteByIds: refuse,
  query: refuse,
  describe: refuse,
};

export function notConfigured(): ServiceError {
  return new ServiceError(
    "vectorize_not_configured",
    "this deployment has no Vectorize index bound as VECTORIZE",
    { param: "vector_tier" },
  );
}

function nearPassage({ id, score }: TierMatch): NearPassage {
  return { row: rowOfTierId(id)!, score };
}

async function deleteAll(index: VectorizeBinding, ids: readonly string[]): Promise<void> {
  const batches = Array.from({ length: Math.ceil(ids.length / TIER_DELETE_MAX) }, (_, i) =>
    ids.slice(i * TIER_DELETE_MAX, (i + 1) * TIER_DELETE_MAX),
  );
  try {
    await Promise.all(batches.map((batch) => index.deleteByIds(batch)));
  } catch (cause) {
    throw new ServiceError("backend_unavailable", "the vector tier failed at a deletion", {
      cause,
    });
  }
}

async function within<T>(call: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : null;
  const message = error instanceof Error ? error.message : String(error);
  return cause === null ? message : `${message}: ${cause.message}`;
}
