/** What a memory may hold: of each document all states that the answers so far allow. A change that
 *  was acknowledged happened; one that was refused did not; one whose answer was lost may have, at
 *  any time until whoever took it is through with it or dead. */
import { Violation } from "./violation.ts";

/** A document's state: `turn/patch`, each turn a content of its own, or ABSENT. */
export type State = string;
export const ABSENT: State = "-";

/** A change of some documents, from one state to the next. */
export interface Change {
  keys: string[];
  apply(state: State, key: string): State;
}

interface Known {
  possible: Set<State>;
  /** Changes that may still happen. */
  open: Set<OpenChange>;
  /** Those whose answer nobody has heard, which may be on its way when they are over. */
  unheard: Set<OpenChange>;
}

export interface OpenChange {
  change: Change;
  /** When it began, in steps. */
  began: number;
  /** Of each key: what was possible before it, what may happen beside it, and what may have come
   *  in its place since. */
  before: Map<string, Set<State>>;
  beside: Map<string, Set<OpenChange>>;
  instead: Map<string, Set<State>>;
  /** Whether a restore ended, and replaced what became of it, when it was over and its answer was
   *  not heard; and whether it was asked for while that restore was under way. */
  overtaken: boolean;
  barred: boolean;
}

/** The states of all keys at one moment. */
export type Moment = ReadonlyMap<string, ReadonlySet<State>>;

const NOTHING: ReadonlySet<State> = new Set([ABSENT]);

export class Model {
  readonly #known = new Map<string, Known>();
  /** When the restore that is under way began; null: none is. */
  #restoring: number | null = null;
  /** Changes that were open when the namespace was to be destroyed. */
  #late = new Map<string, ReadonlySet<OpenChange>>();

  #of(key: string): Known {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made: Known = { possible: new Set(NOTHING), open: new Set(), unheard: new Set() };
    this.#known.set(key, made);
    return made;
  }

  keys(): string[] {
    return [...this.#known.keys()];
  }

  possible(key: string): ReadonlySet<State> {
    return this.#of(key).possible;
  }

  /** A change was asked for. */
  begin(change: Change, began: number): OpenChange {
    const open: OpenChange = {
      ...{ change, began },
      ...{ before: new Map(), beside: new Map(), instead: new Map() },
      ...{ overtaken: false, barred: false },
    };
    for (const key of change.keys) {
      const known = this.#of(key);
      open.before.set(key, new Set(known.possible));
      open.beside.set(key, new Set(known.open));
      known.open.add(open);
      known.unheard.add(open);
      known.possible = closure(known.possible, key, known.open);
    }
    return open;
  }

  /** It happened to a document, which was then in one of the states that `matches`. */
  acknowledge(open: OpenChange, key: string, matches: (before: State) => boolean): void {
    if (open.barred || (this.#restoring !== null && open.began > this.#restoring))
      throw new Violation("late write", `${key} was written while a snapshot was being restored`);
    const known = this.#heard(open, key);
    const before = closure(open.before.get(key)!, key, open.beside.get(key)!);
    const after = [...before].filter(matches).map((state) => open.change.apply(state, key));
    if (after.length === 0)
      throw new Violation("wrong answer", `${key} cannot have been as the answer says`);
    if (open.overtaken) return;
    const beside = new Set([...open.beside.get(key)!, ...known.open]);
    const all = [...after, ...(open.instead.get(key) ?? [])];
    known.possible = closure(new Set(all), key, beside);
  }

  /** It did not happen to a document, and will not. */
  refuse(open: OpenChange, key: string): void {
    const known = this.#heard(open, key);
    if (open.overtaken) return;
    const before = open.instead.get(key) ?? open.before.get(key)!;
    const beside = new Set([...open.beside.get(key)!, ...known.open]);
    known.possible = closure(before, key, beside);
  }

  #heard(open: OpenChange, key: string): Known {
    const known = this.#of(key);
    known.open.delete(open);
    known.unheard.delete(open);
    return known;
  }

  /** Nobody can make it happen any more; whether it did is not known. */
  close(open: OpenChange): void {
    for (const key of open.change.keys) this.#of(key).open.delete(open);
  }

  moment(): Moment {
    return new Map([...this.#known].map(([key, { possible }]) => [key, new Set(possible)]));
  }

  /** The namespace is going to be destroyed; nothing else is asked of it until it is made anew. */
  destroying(): void {
    this.#late = new Map([...this.#known].map(([key, { open }]) => [key, new Set(open)]));
  }

  /** What was asked before and may still come finds the namespace that is made next. */
  destroyed(): void {
    this.#restoring = null;
    for (const [key, known] of this.#known)
      known.possible = closure(NOTHING, key, this.#late.get(key) ?? known.open);
  }

  restoreBegan(step: number): void {
    this.#restoring = step;
  }

  /** A restore ended; `moment`: what it put in the place of everything. */
  restoreEnded(moment: Moment | null): void {
    const began = this.#restoring ?? 0;
    this.#restoring = null;
    if (moment === null) return;
    for (const [key, known] of this.#known) {
      const restored = new Set(moment.get(key) ?? NOTHING);
      for (const open of known.open) {
        if (open.began > began) open.before.set(key, restored);
        else open.instead.set(key, restored);
      }
      for (const open of known.unheard)
        if (!known.open.has(open))
          Object.assign(open, { overtaken: true, barred: open.began > began });
      known.possible = closure(restored, key, known.open);
    }
  }

  /** What was found when nothing was under way. Throws where it is none of what may be. */
  settle(key: string, found: State, expired: (state: State) => boolean): void {
    const known = this.#of(key);
    checkState(key, found, [known.possible], expired);
    known.possible = new Set([found]);
    known.open.clear();
    known.unheard.clear();
  }
}

/** Throws where a state is in none of the sets. What has expired is as absent. */
export function checkState(
  key: string,
  found: State,
  allowed: readonly ReadonlySet<State>[],
  expired: (state: State) => boolean,
): void {
  const all = new Set(allowed.flatMap((states) => [...states]));
  if (all.has(found)) return;
  if (found === ABSENT && [...all].some((state) => expired(state))) return;
  const kind = found === ABSENT ? "lost" : all.has(ABSENT) && all.size === 1 ? "back" : "stale";
  throw new Violation(kind, `${key} is ${found}, which must be ${[...all].join(" or ")}`);
}

/** All states that changes, each happening or not, in any order, lead to. */
function closure(
  from: ReadonlySet<State>,
  key: string,
  changes: ReadonlySet<OpenChange>,
): Set<State> {
  const all = new Set(from);
  for (const state of all) for (const { change } of changes) all.add(change.apply(state, key));
  return all;
}
