/** What is done to the service while it waits to be killed: each call, and its effect on what the
 *  memory must hold. */
import { type BenchClient, Refusal, toBase64 } from "../../bench/client.ts";
import { integer, pick, type Random, randomDocument, SHELVES } from "./documents.ts";
import type { Contents, Effect, ExpectedMemory, TortureDocument } from "./expected-memory.ts";

export const NAMESPACE = "torture";
const ADMIN = `/admin/namespaces/${NAMESPACE}`;

/** The memory is kept between these sizes, so that shards split and segments merge. */
const DOCUMENTS_MIN = 400;
const DOCUMENTS_MAX = 1_600;
const BATCH_MAX = 60;
const SNAPSHOTS_KEPT = 2;
/** Two levels of a tree; every further shard makes all that follows slower. */
const SHARDS_MAX = 9;

export interface Operation {
  kind: string;
  /** What it changes once it is acknowledged; null: nothing that is stored. */
  effect: Effect | null;
  call(client: BenchClient): Promise<unknown>;
}

/** A snapshot with what it may hold: the contents at some moment while it was made. */
interface Snapshot {
  id: string;
  outcomes: Contents[];
}

export class Operations {
  readonly #random: Random;
  readonly #expected: ExpectedMemory;
  #turn = 0;
  #snapshots: Snapshot[] = [];
  /** The one being made. */
  #open: Snapshot | null = null;
  /** As the service said last. */
  #shards = 1;

  constructor(random: Random, expected: ExpectedMemory) {
    this.#random = random;
    this.#expected = expected;
  }

  set shards(shards: number) {
    this.#shards = shards;
  }

  /** To be called when the contents changed: a snapshot that is being made may hold it or not. */
  changed(): void {
    this.#open?.outcomes.push(this.#expected.copy());
  }

  /** To be called when no work is under way: takes note of a snapshot that is done, and deletes
   *  those that nobody knows, begun by a call that was cut off. */
  async collectSnapshots(client: BenchClient): Promise<void> {
    const { snapshots } = await client.call<{ snapshots: { id: string; state: string }[] }>(
      "GET",
      `${ADMIN}/snapshots`,
    );
    const ids = snapshots.filter(({ state }) => state === "complete").map(({ id }) => id);
    if (this.#open !== null && ids.includes(this.#open.id)) this.#snapshots.push(this.#open);
    this.#open = null;
    const known = new Set(this.#snapshots.map(({ id }) => id));
    for (const id of ids.filter((other) => !known.has(other)))
      await client.call("DELETE", `${ADMIN}/snapshots/${id}`);
  }

  next(): Operation {
    const size = this.#expected.contents.size;
    const dice = this.#random();
    if (size < DOCUMENTS_MIN || (size < DOCUMENTS_MAX && dice < 0.55)) return this.put();
    if (dice < 0.7) return this.patch();
    if (dice < 0.8) return this.remove();
    if (dice < 0.86 || size >= DOCUMENTS_MAX) return this.removeShelf();
    return this.long();
  }

  /** One of the long ones. */
  long(): Operation {
    const kinds = [() => this.compact(), () => this.snapshot()];
    if (this.#shards < SHARDS_MAX) kinds.push(() => this.split());
    if (this.#snapshots.length > 0) kinds.push(() => this.restore());
    return pick(this.#random, kinds)();
  }

  put(): Operation {
    const batch = new Map<string, TortureDocument>();
    for (let n = 1 + integer(this.#random, BATCH_MAX); n > 0; n--) {
      const document = randomDocument(this.#random, ++this.#turn);
      // Now and then one as it is already: storing it again changes nothing.
      const same = this.#random() < 0.1 ? this.#expected.contents.get(document.id) : undefined;
      batch.set(document.id, same ?? document);
    }
    const documents = [...batch.values()];
    const lines = documents.map(({ vector, ...rest }) =>
      JSON.stringify({ ...rest, embedding: toBase64(vector) }),
    );
    return {
      kind: "put",
      effect: { kind: "put", documents },
      call: (client) => client.ingest(NAMESPACE, lines.join("\n")),
    };
  }

  patch(): Operation {
    const known = this.#any();
    const metadata = { shelf: integer(this.#random, SHELVES), turn: ++this.#turn };
    return {
      kind: "patch",
      effect: { kind: "put", documents: [{ ...known, metadata }] },
      call: (client) => client.call("PATCH", `${ADMIN}/documents/${known.id}`, { metadata }),
    };
  }

  remove(): Operation {
    const { id } = this.#any();
    return {
      kind: "remove",
      effect: { kind: "remove", ids: [id] },
      call: (client) => client.call("DELETE", `${ADMIN}/documents/${id}`),
    };
  }

  removeShelf(): Operation {
    const shelf = integer(this.#random, SHELVES);
    const gone = [...this.#expected.contents.values()].filter(
      (document) => document.metadata.shelf === shelf,
    );
    return {
      kind: "remove shelf",
      effect: { kind: "remove", ids: gone.map(({ id }) => id) },
      call: (client) => client.call("POST", `${ADMIN}/documents/delete`, { filter: { shelf } }),
    };
  }

  compact(): Operation {
    const query = this.#random() < 0.5 ? "" : "?rebuild=true";
    const call = (client: BenchClient) => client.call<void>("POST", `${ADMIN}/compact${query}`, {});
    return { kind: "compact", effect: null, call };
  }

  split(): Operation {
    const call = (client: BenchClient) => unlessBusy(client.call("POST", `${ADMIN}/split`, {}));
    return { kind: "split", effect: null, call };
  }

  snapshot(): Operation {
    return {
      kind: "snapshot",
      effect: null,
      call: (client) => unlessBusy(this.#beginSnapshot(client)),
    };
  }

  async #beginSnapshot(client: BenchClient): Promise<void> {
    while (this.#snapshots.length >= SNAPSHOTS_KEPT) this.#snapshots.shift(); // deleted as unknown
    const { id } = await client.call<{ id: string }>("POST", `${ADMIN}/snapshots`, {});
    this.#open = { id, outcomes: [this.#expected.copy()] };
  }

  restore(): Operation {
    const { id, outcomes } = pick(this.#random, this.#snapshots);
    return {
      kind: "restore",
      effect: { kind: "replace", contents: outcomes },
      call: (client) => client.call("POST", `${ADMIN}/snapshots/${id}/restore`, {}),
    };
  }

  #any(): TortureDocument {
    return pick(this.#random, [...this.#expected.contents.values()]);
  }
}

/** Long work runs one at a time: that another one does is no failure. */
export async function unlessBusy(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === "conflict") return false;
    throw error;
  }
}
