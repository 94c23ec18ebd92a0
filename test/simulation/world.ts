/** Objects, messages and time under one scheduler. Nothing happens by itself: every message that
 *  arrives, write that becomes durable, alarm and timer that runs is one step, and which step comes
 *  next is for the caller to say. An object's code runs to where it waits before the next step. */
import { SimulatedStorage } from "./storage.ts";

/** What runs in an object; made anew after each death. */
export type Instance = { alarm?(): Promise<void> } & Record<string, unknown>;

/** One call between objects, from or to something that is none, or of R2. */
export interface Call {
  /** Names the call in a trace, as others like it. */
  label: string;
  from: SimulatedObject | null;
  /** The caller's life that waits for the answer. */
  life: number;
  /** Whether the caller has its answer, true or false. */
  answered: boolean;
  /** Whether whoever was called can do nothing more about it. */
  over: boolean;
  /** Who works on it. */
  callee: SimulatedObject | null;
  settle(outcome: Outcome): void;
  onOver(): void;
}

type Outcome = { value: unknown } | { error: unknown };

interface Item {
  label: string;
  /** Unix ms; messages are due at once. */
  dueMs: number;
  call: Call | null;
  owner: SimulatedObject | null;
  run(): void;
}

export class SimulatedObject {
  readonly name: string;
  storage = new SimulatedStorage();
  instance: Instance | null = null;
  life = 0;
  /** Messages that leave once what was written before is durable. */
  readonly held: Item[] = [];
  /** Calls that it has not answered. */
  readonly inbound = new Set<Call>();
  alarmRuns = false;
  /** Whether the alarm that runs now will run again whatever it does. */
  again = false;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a broken connection says; nothing of the service's own words. */
export const INJECTED = "injected fault";

const FIRST_MS = Date.UTC(2026, 10, 29);

export class World {
  readonly objects = new Map<string, SimulatedObject>();
  readonly #pending: Item[] = [];
  readonly #calls = new Set<Call>();
  readonly #create: (object: SimulatedObject) => Instance;
  readonly #committed: (object: SimulatedObject) => void;
  /** The object whose code runs: timers are its own. */
  #current: SimulatedObject | null = null;
  #timers = new Map<number, Item>();
  #timer = 0;
  nowMs = FIRST_MS;
  steps = 0;
  /** Steps taken, by kind. */
  readonly counts: Record<string, number> = {};
  readonly #eager: boolean;

  /** `create` makes an object's code; `committed` hears when what it wrote is durable. A world is
   *  `eager` where messages do not wait for that. */
  constructor(
    create: (object: SimulatedObject) => Instance,
    committed: (object: SimulatedObject) => void,
    eager = false,
  ) {
    this.#eager = eager;
    this.#create = create;
    this.#committed = committed;
  }

  object(name: string): SimulatedObject {
    const known = this.objects.get(name);
    if (known !== undefined) return known;
    const made = new SimulatedObject(name);
    this.objects.set(name, made);
    return made;
  }

  /** Calls a method of an object; arguments and results are copies. */
  call(
    from: SimulatedObject | string,
    to: string,
    method: string,
    args: unknown[],
    onOver: () => void = () => {},
  ): Promise<unknown> {
    const copied = structuredClone(args);
    const name = method === "shardCall" ? args[1] : method;
    return this.send(from, `${to} ${name}`, onOver, (call) => {
      const object = this.object(to);
      call.callee = object;
      object.inbound.add(call);
      const { life } = object;
      this.#enter(object, async () => {
        let outcome: Outcome;
        try {
          object.instance ??= this.#create(object);
          const work = object.instance[method] as (...args: unknown[]) => unknown;
          outcome = { value: structuredClone(await work.apply(object.instance, copied)) };
        } catch (error) {
          outcome = { error: wireError(error) };
        }
        if (object.life === life) this.#answer(object, call, outcome);
      });
    });
  }

  /** Does something at once and elsewhere, such as a call of R2, that is asked and answered by
   *  messages. */
  external<T>(from: SimulatedObject, label: string, effect: () => T): Promise<T> {
    const answered = this.send(
      from,
      label,
      () => {},
      (call) => {
        let outcome: Outcome;
        try {
          outcome = { value: effect() };
        } catch (error) {
          outcome = { error };
        }
        this.#answer(null, call, outcome);
      },
    );
    return answered as Promise<T>;
  }

  send(
    from: SimulatedObject | string,
    what: string,
    onOver: () => void,
    deliver: (call: Call) => void,
  ): Promise<unknown> {
    const caller = typeof from === "string" ? null : from;
    return new Promise((resolve, reject) => {
      const call: Call = {
        label: `${typeof from === "string" ? from : from.name}>${what}`,
        from: caller,
        life: caller?.life ?? 0,
        answered: false,
        over: false,
        callee: null,
        settle: (outcome) => ("error" in outcome ? reject(outcome.error) : resolve(outcome.value)),
        onOver,
      };
      this.#calls.add(call);
      const run = () => deliver(call);
      this.#post(caller, { label: `call ${call.label}`, dueMs: 0, call, owner: null, run });
    });
  }

  #post(sender: SimulatedObject | null, item: Item): void {
    if (sender?.storage.dirty && !this.#eager) sender.held.push(item);
    else this.#leave(item);
  }

  #leave(item: Item): void {
    this.#pending.push(item);
    // An answer that left is the last that the callee has to do with the call.
    if (item.label.startsWith("reply ")) this.#over(item.call!);
  }

  #over(call: Call): void {
    call.callee?.inbound.delete(call);
    if (call.over) return;
    call.over = true;
    call.onOver();
  }

  #answer(by: SimulatedObject | null, call: Call, outcome: Outcome): void {
    const run = () => this.#settle(call, outcome);
    this.#post(by, { label: `reply ${call.label}`, dueMs: 0, call, owner: null, run });
  }

  #settle(call: Call, outcome: Outcome): void {
    if (call.answered) return;
    call.answered = true;
    this.#calls.delete(call);
    if (call.from !== null && call.from.life !== call.life) return;
    this.#enter(call.from, () => call.settle(outcome));
  }

  #enter(object: SimulatedObject | null, work: () => void): void {
    this.#current = object;
    work();
  }

  /** What `setTimeout` is to the object whose code runs. */
  setTimer(work: () => void, ms: number): number {
    const owner = this.#current;
    const id = ++this.#timer;
    const run = () => {
      this.#timers.delete(id);
      this.#enter(owner, work);
    };
    const label = `timer ${owner?.name ?? "none"}`;
    const item: Item = { label, dueMs: this.nowMs + Math.max(0, ms), call: null, owner, run };
    this.#timers.set(id, item);
    this.#pending.push(item);
    return id;
  }

  clearTimer(id: number): void {
    const item = this.#timers.get(id);
    if (item === undefined) return;
    this.#timers.delete(id);
    const at = this.#pending.indexOf(item);
    if (at >= 0) this.#pending.splice(at, 1);
  }

  /** Names of the steps that may come next, the one that waited longest first. */
  choices(): string[] {
    const labels: string[] = [];
    for (const { name, storage } of this.objects.values())
      if (storage.dirty) labels.push(`flush ${name}`);
    for (const { label, dueMs } of this.#pending) if (dueMs <= this.nowMs) labels.push(label);
    for (const object of this.objects.values())
      if (this.#alarmIsDue(object)) labels.push(`alarm ${object.name}`);
    return labels;
  }

  /** Calls whose callers wait. */
  waiting(): string[] {
    return [...this.#calls].map(({ label }) => label);
  }

  #alarmIsDue({ storage, alarmRuns }: SimulatedObject): boolean {
    return !alarmRuns && storage.durableAlarm !== null && storage.durableAlarm <= this.nowMs;
  }

  /** When something is due next that is not yet, Unix ms; null: nothing ever. */
  nextDueMs(): number | null {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#pending) if (dueMs > this.nowMs) next = Math.min(next, dueMs);
    for (const { storage, alarmRuns } of this.objects.values()) {
      const at = storage.durableAlarm;
      if (!alarmRuns && at !== null && at > this.nowMs) next = Math.min(next, at);
    }
    return Number.isFinite(next) ? next : null;
  }

  /** Takes the step of that name; false where there is none. */
  step(label: string): boolean {
    const [kind, name = ""] = label.split(" ", 2) as [string, string?];
    const done = this.#take(kind, name, label);
    if (done) this.count(kind);
    return done;
  }

  count(kind: string): void {
    this.steps += 1;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  #take(kind: string, name: string, label: string): boolean {
    const object = this.objects.get(name) ?? null;
    if (kind === "flush") return object !== null && this.#flush(object);
    if (kind === "alarm") return object !== null && this.#alarm(object);
    if (kind === "kill") return object !== null && this.#kill(object);
    if (kind === "again") return object !== null && this.#again(object);
    if (kind === "advance") return this.#advance(Number(name));
    if (kind === "cut" || kind === "drop") return this.#cut(label.slice(kind.length + 1), kind);
    const at = this.#pending.findIndex((item) => item.label === label && item.dueMs <= this.nowMs);
    if (at < 0) return false;
    const [item] = this.#pending.splice(at, 1);
    item!.run();
    return true;
  }

  #flush(object: SimulatedObject): boolean {
    if (!object.storage.dirty) return false;
    object.storage.flush();
    this.nowMs += 1; // what is durable took its time
    this.#committed(object);
    for (const item of object.held.splice(0)) this.#leave(item);
    return true;
  }

  #alarm(object: SimulatedObject): boolean {
    if (!this.#alarmIsDue(object)) return false;
    object.alarmRuns = true;
    object.again = false;
    object.storage.beginAlarm();
    const { life } = object;
    this.#enter(object, async () => {
      object.instance ??= this.#create(object);
      let failed = false;
      await object.instance.alarm!().catch(() => {
        failed = true;
      });
      if (object.life !== life) return;
      object.alarmRuns = false;
      object.storage.endAlarm(object.again || failed);
    });
    return true;
  }

  #again(object: SimulatedObject): boolean {
    if (!object.alarmRuns || object.again) return false;
    object.again = true;
    return true;
  }

  /** The object dies: its memory, and what it wrote that is not durable. */
  #kill(object: SimulatedObject): boolean {
    if (object.instance === null) return false;
    object.storage.lose();
    object.instance = null;
    object.life += 1;
    object.alarmRuns = false;
    object.held.length = 0;
    for (let at = this.#pending.length - 1; at >= 0; at--)
      if (this.#pending[at]!.owner === object) this.#pending.splice(at, 1);
    for (const call of this.#calls) if (call.from === object) this.#calls.delete(call);
    for (const call of [...object.inbound])
      this.#answer(null, call, { error: new Error(`${INJECTED}: ${object.name} died`) });
    object.inbound.clear();
    return true;
  }

  #advance(ms: number): boolean {
    this.nowMs += ms;
    return true;
  }

  /** The connection breaks: the caller hears so now. What was called goes on, or, where the call
   *  did not arrive yet and is to be dropped, never hears of it. */
  #cut(label: string, kind: "cut" | "drop"): boolean {
    const call = [...this.#calls].find((other) => other.label === label && !other.answered);
    if (call === undefined) return false;
    if (kind === "drop") {
      const same = (item: Item) => item.call === call && item.label.startsWith("call ");
      const at = this.#pending.findIndex(same);
      if (at < 0) return false;
      this.#pending.splice(at, 1);
      this.#over(call);
    }
    this.#settle(call, { error: new Error(`${INJECTED}: connection lost`) });
    return true;
  }

  close(): void {
    for (const { storage } of this.objects.values()) storage.close();
  }
}

/** Of an error, what object RPC carries. */
function wireError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const { message, stack } = error;
  const code = (error as { code?: unknown }).code;
  return Object.assign(new Error(message), code === undefined ? {} : { code }, { stack });
}
