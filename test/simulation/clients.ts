/** Those who ask: each sends its operations one after the other, holds every answer against the
 *  model, and tells the model what the answer means. */
import { codeOf } from "../../src/errors.ts";
import type { ChangeOutcome } from "../../src/memory/shard-types.ts";
import {
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type SearchReply,
  type StoredDocument,
} from "../../src/memory/types.ts";
import { ROOT } from "./memory.ts";
import { ABSENT, type Change, checkState, type Model, type State } from "./model.ts";
import {
  documentOf,
  foundState,
  idOf,
  isFindable,
  KEYS,
  type NewDocument,
  type Operation,
  shelfOf,
  stateOf,
  turnOf,
  wordOf,
} from "./operations.ts";
import type { Snapshots } from "./snapshots.ts";
import { Violation } from "./violation.ts";
import { INJECTED, type World } from "./world.ts";

/** Refusals that say why nothing happened, and may come at any time. */
const REFUSALS = ["memory_busy", "memory_full", "conflict", "snapshot_not_found"];
/** How often the destruction of a namespace is asked for. */
const INSIST_MAX = 200;
/** Where not: a shard that did not answer. */
const UNKNOWN = "shard_unavailable";

export class Clients {
  readonly #world: World;
  readonly #model: Model;
  readonly #snapshots: Snapshots;
  /** When the contents of turns expire, Unix ms. */
  readonly #expiries = new Map<number, number>();
  /** What each sender has still to do; an absent one is idle. */
  readonly #queues = new Map<string, Operation[]>();
  /** While the namespace is destroyed nobody asks anything else. */
  readonly #turns = new Turns();
  /** What searches found, by the version of the contents that they were of, and their words. */
  readonly #found = new Map<string, string>();
  violation: Violation | null = null;

  constructor(world: World, model: Model, snapshots: Snapshots) {
    this.#world = world;
    this.#model = model;
    this.#snapshots = snapshots;
  }

  isIdle(client: number): boolean {
    return !this.#queues.has(`client${client}`);
  }

  readonly expired = (state: State, nowMs = this.#world.nowMs): boolean =>
    (this.#expiries.get(turnOf(state)) ?? Number.POSITIVE_INFINITY) <= nowMs;

  /** Sends it once what its sender asked before is answered. */
  begin(operation: Operation): void {
    const sender = "client" in operation ? `client${operation.client}` : "operator";
    const queue = this.#queues.get(sender);
    if (queue !== undefined) queue.push(operation);
    else void this.#work(sender, operation);
  }

  async #work(sender: string, first: Operation): Promise<void> {
    const queue = [first];
    this.#queues.set(sender, queue);
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift())
        await this.#turns.run(next.op === "destroy", () => this.#take(sender, next!));
    } catch (error) {
      this.violation ??=
        error instanceof Violation
          ? error
          : new Violation("harness", String((error as Error).stack));
    }
    this.#queues.delete(sender);
  }

  #take(sender: string, operation: Operation): Promise<void> {
    switch (operation.op) {
      case "put":
        return this.#put(sender, operation.client, operation.documents);
      case "remove":
        return this.#remove(sender, operation.client, operation.keys);
      case "patch":
        return this.#patch(sender, idOf(operation.client, operation.key), operation.turn);
      case "removeShelf":
        return this.#removeShelf(sender, operation.client, operation.shelf);
      case "get":
        return this.#get(sender, idOf(operation.client, operation.key));
      case "search":
        return this.#search(sender, idOf(operation.client, operation.key));
      case "destroy":
        return this.#destroy(sender);
      default:
        return this.#operate(sender, operation);
    }
  }

  /** Destroys the namespace and makes it anew, however often that takes. */
  async #destroy(sender: string): Promise<void> {
    this.#model.destroying();
    await this.#insist(sender, "destroy", [], (code) => code === "namespace_not_found");
    this.#model.destroyed();
    await this.#insist(sender, "configure", [optionsWith(1.5)], () => false);
  }

  /** Asks until it is done; an attempt of which nothing is known is over before the next. */
  async #insist(
    sender: string,
    method: string,
    args: unknown[],
    isDone: (code: string | null) => boolean,
  ): Promise<void> {
    for (let tries = 0; tries < INSIST_MAX; tries++) {
      const over = Promise.withResolvers<void>();
      try {
        await this.#world.call(sender, ROOT, method, args, over.resolve);
        return;
      } catch (error) {
        const code = codeOf(error);
        if (isDone(code)) return;
        if (code !== "namespace_not_found") this.#meaning(error);
        await over.promise;
      }
    }
    throw new Violation("stuck", `${method} does not succeed`);
  }

  async #put(sender: string, client: number, documents: NewDocument[]): Promise<void> {
    const turns = new Map(documents.map(([key, turn]) => [idOf(client, key), turn]));
    for (const [, turn, at] of documents) if (at !== null) this.#expiries.set(turn, at);
    await this.#write(
      sender,
      "upsert",
      [documents.map((each) => ({ document: documentOf(client, each), if_version: null }))],
      {
        keys: [...turns.keys()],
        apply: (_, key) => stateOf(turns.get(key)!, 0),
      },
    );
  }

  async #remove(sender: string, client: number, keys: number[]): Promise<void> {
    const ids = keys.map((key) => idOf(client, key));
    const changes = ids.map((id) => ({ kind: "remove", id, if_version: null }));
    await this.#write(sender, "apply", [changes], { keys: ids, apply: () => ABSENT });
  }

  async #patch(sender: string, id: string, turn: number): Promise<void> {
    const patch = { metadata: { patch: turn } };
    await this.#write(sender, "apply", [[{ kind: "patch", id, patch, if_version: null }]], {
      keys: [id],
      apply: (state) => (state === ABSENT ? ABSENT : stateOf(turnOf(state), turn)),
    });
  }

  /** A change with an outcome for each document. */
  async #write(sender: string, method: string, args: unknown[], change: Change): Promise<void> {
    const open = this.#model.begin(change, this.#world.steps);
    const over = () => this.#model.close(open);
    let outcomes: ChangeOutcome[];
    try {
      outcomes = (await this.#world.call(sender, ROOT, method, args, over)) as ChangeOutcome[];
    } catch (error) {
      if (this.#meaning(error) === "refused")
        for (const key of change.keys) this.#model.refuse(open, key);
      return;
    }
    for (const { id, status, error } of outcomes) {
      const there = (state: State) => state !== ABSENT;
      if (status === "stored")
        this.#model.acknowledge(open, id, method === "upsert" ? () => true : there);
      else if (status === "removed") this.#model.acknowledge(open, id, there);
      else if (status === "missing")
        this.#model.acknowledge(open, id, (state) => !there(state) || this.expired(state));
      else if (error!.code !== UNKNOWN) {
        if (!REFUSALS.includes(error!.code))
          throw new Violation("refusal", `${id}: ${error!.message}`);
        this.#model.refuse(open, id);
      }
    }
  }

  async #removeShelf(sender: string, client: number, shelf: number): Promise<void> {
    const change: Change = {
      keys: Array.from({ length: KEYS }, (_, key) => idOf(client, key)),
      apply: (state) => (state !== ABSENT && shelfOf(turnOf(state)) === shelf ? ABSENT : state),
    };
    const open = this.#model.begin(change, this.#world.steps);
    const over = () => this.#model.close(open);
    const filter = { client, shelf };
    try {
      await this.#world.call(sender, ROOT, "removeWhere", [filter], over);
      for (const key of change.keys) this.#model.acknowledge(open, key, () => true);
    } catch (error) {
      if (error instanceof Violation) throw error;
      if (this.#meaning(error) === "refused")
        for (const key of change.keys) this.#model.refuse(open, key);
    }
  }

  async #get(sender: string, id: string): Promise<void> {
    const before = new Set(this.#model.possible(id));
    const begunMs = this.#world.nowMs;
    let found: StoredDocument | null;
    try {
      found = (await this.#world.call(sender, ROOT, "get", [id])) as StoredDocument | null;
    } catch (error) {
      this.#meaning(error);
      return;
    }
    const allowed = [before, this.#model.possible(id)];
    const state = foundState(found);
    if (state !== ABSENT && this.expired(state, begunMs))
      throw new Violation("expired", `${id} is ${state}, which had expired when it was asked for`);
    checkState(id, state, allowed, this.expired);
  }

  /** A document's own word finds it where it is certain, and nothing where it is certainly gone. */
  async #search(sender: string, id: string): Promise<void> {
    const before = new Set(this.#model.possible(id));
    const [turn = 0] = [...before].map(turnOf).filter((each) => each > 0);
    if (turn === 0 || !isFindable(turn)) return;
    const word = wordOf(turn);
    let reply: SearchReply;
    let version: number | null = null;
    try {
      const ask = (method: string, ...args: unknown[]) =>
        this.#world.call(sender, ROOT, method, args);
      version = (await ask("contentVersion")) as number;
      const rest = { vector: null, k: 9, mode: "bm25", filter: null, explain: false };
      reply = (await ask("search", { query: word, ...rest })) as SearchReply;
      if ((await ask("contentVersion")) !== version || version % 2 === 1) version = null;
    } catch (error) {
      this.#meaning(error);
      return;
    }
    if (version !== null && !this.#expiries.has(turn)) this.#compare(version, word, reply);
    const states = [...before, ...this.#model.possible(id)];
    const certain = states.every((state) => turnOf(state) === turn && !this.expired(state));
    const ids = new Set(reply.hits.map(({ document_id }) => document_id));
    if (certain && !ids.has(id))
      throw new Violation("not found", `search misses ${id} of turn ${turn}`);
    ids.delete(id);
    if (ids.size > 0) throw new Violation("wrong hit", `search of turn ${turn} finds ${[...ids]}`);
  }

  /** What was found at a version is found at it again. */
  #compare(version: number, word: string, { hits }: SearchReply): void {
    const found = hits.map(({ document_id }) => document_id).join(" ");
    const key = `${version} ${word}`;
    const known = this.#found.get(key) ?? found;
    this.#found.set(key, known);
    if (known !== found)
      throw new Violation("version", `${word} at ${version}: "${known}", then "${found}"`);
  }

  async #operate(sender: string, operation: Operation): Promise<void> {
    const call = (method: string, ...args: unknown[]) =>
      this.#world.call(sender, ROOT, method, args);
    try {
      if (operation.op === "compact") await call("compact", operation.rebuild);
      else if (operation.op === "configure") await call("configure", optionsWith(operation.k1));
      else if (operation.op === "cancel") await call("cancelWork");
      else if (operation.op === "restore" || operation.op === "deleteSnapshot") {
        const id = this.#snapshots.pick(operation.which);
        if (operation.op === "deleteSnapshot") this.#snapshots.deleted(id);
        if (id === null) return;
        await call(operation.op, id).catch((error) => {
          const damaged = codeOf(error) === "snapshot_damaged";
          if (!damaged || this.#snapshots.isWhole(id)) throw error;
        });
      } else await call(operation.op);
    } catch (error) {
      this.#meaning(error);
    }
  }

  /** What an error says of what was asked. Throws where there was no reason for it. */
  #meaning(error: unknown): "refused" | "unknown" {
    const code = codeOf(error);
    const message = error instanceof Error ? error.message : String(error);
    if (code === UNKNOWN || message.startsWith(INJECTED)) return "unknown";
    if (code !== null && REFUSALS.includes(code)) return "refused";
    throw new Violation("error", `${code}: ${error instanceof Error ? error.stack : message}`);
  }
}

/** Operations in turn: one that is to be alone waits for those that run, and others for it. */
class Turns {
  #running = 0;
  #idle: (() => void) | null = null;
  #alone: Promise<void> | null = null;

  async run(alone: boolean, work: () => Promise<void>): Promise<void> {
    while (this.#alone !== null) await this.#alone;
    if (!alone) {
      this.#running += 1;
      await work().finally(() => {
        this.#running -= 1;
        if (this.#running === 0) this.#idle?.();
      });
      return;
    }
    const over = Promise.withResolvers<void>();
    this.#alone = over.promise;
    if (this.#running > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    this.#idle = null;
    await work().finally(() => {
      this.#alone = null;
      over.resolve();
    });
  }
}

/** Options that differ in what they rank by. */
export function optionsWith(k1: number): NamespaceOptions {
  return { ...NAMESPACE_DEFAULTS, k1 };
}
