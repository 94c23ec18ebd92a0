/** The backends of a deployment, as one engine. */

import type { BackendConfig } from "../env.ts";
import { ServiceError } from "../errors.ts";
import {
  BACKEND_IDLE_MS_MAX,
  BACKEND_QUEUE_MS_MAX,
  BACKEND_RETRY_AFTER_MS_MAX,
  BACKEND_ROUNDS_MAX,
  BACKEND_TOTAL_MS_MAX,
} from "../limits.ts";
import type { WorkersAi } from "./backend-ai.ts";
import { BackendCall } from "./backend-call.ts";
import type { Pass } from "./backend-circuit.ts";
import { BackendFailure } from "./backend-failure.ts";
import { type Member, membersOf } from "./backend-member.ts";
import { fullJitterMs } from "./backend-retry.ts";
import type { Slot } from "./backend-slots.ts";
import type { BackendAttempt, Engine, EnginePiece, EngineRequest } from "./engine.ts";

/** A member that is to be asked now. */
interface Place {
  member: Member;
  slot: Slot;
  /** Taken in the same step in which the circuit was looked at: another request's walk may come
   *  in between otherwise, and both would be the one that tries. */
  pass: Pass;
}

/** An answer whose first piece is at hand. */
interface Opened {
  member: Member;
  slot: Slot;
  attempt: BackendAttempt;
  first: IteratorResult<EnginePiece>;
  pieces: AsyncGenerator<EnginePiece>;
}

export interface PoolOptions {
  now?: () => number;
  /** In [0, 1). */
  random?: () => number;
  queueMs?: number;
  /** For the first tokens of all attempts together. */
  totalMs?: number;
  /** What a whole reply may take beyond that: its first byte comes when its last token is made. */
  wholeMs?: number;
}

/** Asks its members until one has a first token: those of the lowest order first, among equals by
 *  weighted chance, each once before any a second time. A member whose circuit is open, that asked
 *  to be left alone or whose places are taken is passed over. What the request is at fault for is
 *  thrown as it is. After the first token nothing is retried.
 *
 *  With `hedgeMs` a second such walk begins when the first has no token by then, at a backend that
 *  is not being asked where there is one; the first token wins and the other attempt is aborted. */
export class BackendPool implements Engine {
  readonly kind = "backend";
  /** That of its only member, or `backend`; each answer's first piece says who gives it. */
  readonly id: string;
  readonly model: string;
  readonly members: readonly Member[];
  readonly #options: Required<PoolOptions>;

  constructor(members: readonly Member[], options: PoolOptions = {}) {
    this.members = members;
    this.id = members.length === 1 ? members[0]!.id : "backend";
    this.model = members.length === 1 ? members[0]!.config.model : "backend";
    const longest = Math.max(...members.map(({ config }) => config.deadlineMs));
    this.#options = {
      now: () => performance.now(),
      random: Math.random,
      queueMs: BACKEND_QUEUE_MS_MAX,
      wholeMs: BACKEND_IDLE_MS_MAX,
      totalMs: Math.max(BACKEND_TOTAL_MS_MAX, longest),
      ...options,
    };
  }

  /** The member of that id, `backend:NAME`, or those of that model; null where there is none. */
  only(id: string): BackendPool | null {
    const named = this.members.filter((member) => member.id === id);
    const found = named.length > 0 ? named : this.members.filter((m) => m.config.model === id);
    return found.length === 0 ? null : new BackendPool(found, this.#options);
  }

  async *answer(request: EngineRequest): AsyncGenerator<EnginePiece> {
    const { totalMs, now } = this.#options;
    const call = new BackendCall(request, totalMs + this.#wholeMs(request), now);
    const { hedgeMs } = request;
    const opened = await (hedgeMs == null
      ? this.#walk(call, request.signal)
      : this.#hedged(call, hedgeMs));
    const { member, pieces, first, slot } = opened;
    const served = { id: member.id, model: member.config.model, attempts: call.attempts };
    try {
      for (let next = first; !next.done; next = await pieces.next()) {
        if (next.value.usage !== undefined) member.state.used(next.value.usage);
        yield next === first ? { ...next.value, served } : next.value;
      }
    } catch (error) {
      if (error instanceof BackendFailure) member.state.broke();
      throw error;
    } finally {
      slot.release();
      await pieces.return(undefined); // a reader that left ends the backend's work too
    }
  }

  #wholeMs({ stream }: EngineRequest): number {
    return stream ? 0 : this.#options.wholeMs;
  }

  async #hedged(call: BackendCall, hedgeMs: number): Promise<Opened> {
    const { signal } = call.request;
    const lanes: { end: AbortController; walk: Promise<Opened> }[] = [];
    const start = () => {
      const end = new AbortController();
      const lane = { end, walk: this.#walk(call, AbortSignal.any([signal, end.signal])) };
      lanes.push(lane);
      return lane.walk.then((opened) => ({ opened, lane }));
    };
    const first = start();
    const over = new AbortController();
    const late = pause(hedgeMs, AbortSignal.any([signal, over.signal]));
    const early = await Promise.race([first, late]).finally(() => over.abort());
    if (early !== undefined) return early.opened;
    try {
      const { opened, lane } = await Promise.any([first, start()]);
      for (const other of lanes.filter((one) => one !== lane)) {
        other.end.abort(LOST);
        other.walk.then(leave, () => {}); // why it lost is known
      }
      return opened;
    } catch (error) {
      signal.throwIfAborted();
      const { errors } = error as AggregateError;
      throw errors.find(isFinal) ?? call.failure(this.members);
    }
  }

  async #walk(call: BackendCall, signal: AbortSignal): Promise<Opened> {
    for (let round = 1; ; round++) {
      const tried = new Set<Member>();
      const first = () => round === 1 && tried.size === 0;
      for (;;) {
        const place = call.spent() ? null : await this.#place(call, tried, first(), signal);
        if (place === null) break;
        tried.add(place.member);
        const opened = await this.#ask(call, place, signal);
        if (opened !== null) return opened;
      }
      const pauseMs = this.#pauseMs(call, round);
      if (pauseMs === null) throw call.failure(this.members);
      await pause(pauseMs, signal);
    }
  }

  /** The next member to ask, with a place at it. One that another walk of the same answer is asking
   *  is asked again only to begin with. Where all that are well are full, the wait is for one of
   *  the lowest order. */
  async #place(
    call: BackendCall,
    tried: Set<Member>,
    first: boolean,
    signal: AbortSignal,
  ): Promise<Place | null> {
    const well = this.members.filter(
      (member) => !tried.has(member) && call.hopeful(member) && member.unwell() === null,
    );
    const idle = well.filter((member) => !call.asking.has(member));
    const open = (idle.length === 0 && first ? well : idle).toSorted(byOrder);
    for (const order of new Set(open.map(({ config }) => config.order))) {
      const group = open.filter(({ config }) => config.order === order);
      const shuffled = shuffle(group, this.#options.random);
      const preferred = (member: Member) => Number(member.id === call.request.prefer);
      for (const member of shuffled.sort((a, b) => preferred(b) - preferred(a))) {
        const slot = member.state.slots.take(member.config.concurrency);
        if (slot !== null) return placeAt(member, slot);
      }
    }
    const best = open.filter(({ config }) => config.order === open[0]!.config.order);
    const [member] = shuffle(best, this.#options.random);
    if (member === undefined) return null;
    const ms = Math.min(this.#options.queueMs, call.remainingMs());
    const slot = await member.state.slots.wait(ms, signal);
    if (slot === null || member.unwell() === null) return slot && placeAt(member, slot);
    slot.release(); // who was before it in the line found out
    return this.#place(call, tried, first, signal);
  }

  /** One attempt; null where it failed and another may mend that. */
  async #ask(
    call: BackendCall,
    { member, slot, pass }: Place,
    signal: AbortSignal,
  ): Promise<Opened | null> {
    const { state, config, transport } = member;
    const { end, traceparent } = call.begin(member);
    const ms = Math.min(config.deadlineMs + this.#wholeMs(call.request), call.remainingMs());
    const pieces = transport.answer({ ...call.request, traceparent, signal }, ms);
    try {
      const first = await pieces.next();
      const attempt = end("answered");
      state.answered(pass, attempt.ms);
      return { member, slot, attempt, first, pieces };
    } catch (error) {
      slot.release();
      if (signal.aborted || !(error instanceof BackendFailure)) {
        end("abandoned");
        state.abandoned(pass);
        throw error;
      }
      end(error.kind, error.status);
      state.failed(pass, error);
      if (error.kind === "refused") throw error;
      call.failures.set(member, error);
      return null;
    }
  }

  /** How long to wait before those are asked again that may answer then, ms; null where none will
   *  in time. A backend's own Retry-After is honoured, and the jitter comes on top of it. */
  #pauseMs(call: BackendCall, round: number): number | null {
    if (round >= BACKEND_ROUNDS_MAX || call.spent()) return null;
    const waits = this.members
      .filter((member) => member.unwell() !== null || member.full() === null)
      .filter((member) => call.hopeful(member))
      .map(({ state }) => state.circuit.waitMs());
    const waitMs = Math.min(...waits);
    if (waitMs > BACKEND_RETRY_AFTER_MS_MAX) return null; // Infinity where there is none
    // A timer may ring a millisecond early, when it would be refused once more.
    const pauseMs = Math.ceil(waitMs) + 1 + fullJitterMs(round, this.#options.random());
    return pauseMs < call.remainingMs() ? pauseMs : null;
  }
}

const pools = new WeakMap<readonly BackendConfig[], BackendPool>();

/** The configured backends as one, made once for a configuration; null where there is none. `ai` is
 *  the Workers AI binding. */
export function poolOf(
  configs: readonly BackendConfig[],
  ai: WorkersAi | null,
): BackendPool | null {
  if (configs.length === 0) return null;
  const known = pools.get(configs);
  if (known !== undefined) return known;
  const pool = new BackendPool(membersOf(configs, ai));
  pools.set(configs, pool);
  return pool;
}

function placeAt(member: Member, slot: Slot): Place {
  return { member, slot, pass: member.state.circuit.pass() };
}

/** A bug, or a refusal of the request, rather than one more backend that cannot. */
function isFinal(error: unknown): boolean {
  if (error instanceof BackendFailure) return error.kind === "refused";
  return !(error instanceof ServiceError);
}

/** Why an attempt ends that another was faster than. */
const LOST = new Error("another backend was faster");

/** The slower of two that both had a first token. */
function leave({ member, slot, attempt, first, pieces }: Opened): void {
  attempt.outcome = "abandoned";
  const usage = first.done ? undefined : first.value.usage;
  if (usage !== undefined) {
    attempt.usage = usage;
    member.state.used(usage);
  }
  slot.release();
  pieces.return(undefined).catch(() => {}); // what it did is told already
}

function byOrder(a: Member, b: Member): number {
  return a.config.order - b.config.order;
}

/** In an order of chance where each comes first as often as its weight says: the keys
 *  -ln(u) / weight are exponentially distributed, and the least of them is a member's with
 *  probability weight / sum. Source: Efraimidis and Spirakis, Inf. Process. Lett. 97 (2006). */
function shuffle(members: readonly Member[], random: () => number): Member[] {
  const keyed = members.map((member) => {
    return { member, key: -Math.log(1 - random()) / member.config.weight };
  });
  return keyed.sort((a, b) => a.key - b.key).map(({ member }) => member);
}

/** Rejects with the signal's reason. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  await promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  });
}
