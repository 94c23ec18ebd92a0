/** The automaton of a grammar, built as text is read: a set of stacks for every place in a text
 *  that differs from others. After RE2's lazy DFA (Cox, 2010), with stacks for states. */
import { GRAMMAR_STATES_MAX } from "../limits.ts";
import { Branch, type Node } from "./json-grammar.ts";
import { DEAD, type Terminal } from "./terminal.ts";

/** What is to come after the terminal that is being read. Equal ones are one object. */
interface Frame {
  readonly id: number;
  readonly node: Node;
  readonly next: Frame | null;
  readonly fewest: number;
}

/** A terminal that is being read, and what is to come. */
interface Cell {
  readonly id: number;
  readonly terminal: Terminal;
  readonly state: number;
  readonly next: Frame | null;
  readonly fewest: number;
}

/** What may come after some text. */
export interface GrammarState {
  readonly cells: readonly Cell[];
  /** Whether the text is complete: it may end here. */
  readonly complete: boolean;
  /** The fewest bytes that complete the text. */
  readonly fewest: number;
  /** By byte, the state after it; null where it may not come, undefined where nobody asked. */
  readonly after: (GrammarState | null | undefined)[];
}

export class Automaton {
  readonly start: GrammarState;
  private readonly ids = new WeakMap<object, number>();
  private frames = new Map<string, Frame>();
  private cells = new Map<string, Cell>();
  private states = new Map<string, GrammarState>();
  /** Ids are never used twice, so states from before a reset mix with later ones. */
  private nextId = 1;

  constructor(root: Node) {
    this.start = this.stateOf((cells) => this.open(this.frame(root, null), cells));
  }

  /** The state after a byte, or null where the text may not go on with it. */
  step(state: GrammarState, byte: number): GrammarState | null {
    const known = state.after[byte];
    if (known !== undefined) return known;
    const after = this.stateOf((cells) => {
      let complete = false;
      for (const { terminal, state: inside, next } of state.cells) {
        const to = terminal.step(inside, byte);
        if (to !== DEAD && this.enter(terminal, to, next, cells)) complete = true;
      }
      return complete;
    });
    state.after[byte] = after.complete || after.cells.length > 0 ? after : null;
    return state.after[byte];
  }

  /** Adds the cells at the beginning of what is to come; true where that may be nothing. Not by
   *  recursion: optional properties are a chain as long as an object has names. */
  private open(frame: Frame | null, cells: Set<Cell>): boolean {
    let complete = false;
    const todo = [frame];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      if (at === null) {
        complete = true;
        continue;
      }
      const { node, next } = at;
      if (node instanceof Branch)
        for (const sequence of node.alternatives)
          todo.push(
            sequence.reduceRight<Frame | null>((rest, part) => this.frame(part, rest), next),
          );
      else if (this.add(node, node.start, next, cells)) todo.push(next);
    }
    return complete;
  }

  private enter(terminal: Terminal, state: number, next: Frame | null, cells: Set<Cell>): boolean {
    return this.add(terminal, state, next, cells) && this.open(next, cells);
  }

  /** Adds the cell; true where its terminal may end here. */
  private add(terminal: Terminal, state: number, next: Frame | null, cells: Set<Cell>): boolean {
    const fewest = terminal.distance(state) + (next?.fewest ?? 0);
    if (fewest === Number.POSITIVE_INFINITY) return false;
    const key = `${this.idOf(terminal)},${state},${next?.id ?? 0}`;
    let cell = this.cells.get(key);
    if (!cell) {
      cell = { id: this.nextId++, terminal, state, next, fewest };
      this.cells.set(key, cell);
    }
    cells.add(cell);
    return terminal.accepts(state);
  }

  private frame(node: Node, next: Frame | null): Frame {
    const key = `${this.idOf(node)},${next?.id ?? 0}`;
    const known = this.frames.get(key);
    if (known) return known;
    const own = node instanceof Branch ? node.fewest : node.distance(node.start);
    const frame = { id: this.nextId++, node, next, fewest: own + (next?.fewest ?? 0) };
    this.frames.set(key, frame);
    return frame;
  }

  private idOf(node: object): number {
    const known = this.ids.get(node);
    if (known !== undefined) return known;
    this.ids.set(node, this.nextId);
    return this.nextId++;
  }

  private stateOf(fill: (cells: Set<Cell>) => boolean): GrammarState {
    const found = new Set<Cell>();
    const complete = fill(found);
    const cells = Array.from(found).sort((a, b) => a.id - b.id);
    const key = `${complete}${cells.map(({ id }) => id).join()}`;
    const known = this.states.get(key);
    if (known) return known;
    if (this.states.size >= GRAMMAR_STATES_MAX) this.forget();
    const fewest = complete ? 0 : Math.min(...cells.map((cell) => cell.fewest));
    const state = { cells, complete, fewest, after: new Array(256) };
    this.states.set(key, state);
    return state;
  }

  /** Drops what was built; who holds a state may go on from it. */
  private forget(): void {
    for (const state of this.states.values()) state.after.fill(undefined);
    this.states = new Map();
    this.cells = new Map();
    this.frames = new Map();
  }
}
