/** Which tokens of a vocabulary may come next in a text of a grammar. */
import { GRAMMAR_MASKS_MAX } from "../limits.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import type { Automaton, GrammarState } from "./automaton.ts";

/** The tokens in the order of their bytes, with how much of them the one before shares: walked so,
 *  each node of their trie is visited once. About 14 bytes a token and those of its text. */
export class TokenOrder {
  readonly vocab_size: number;
  /** In order: ids, where each one's bytes end, and how many it shares with the one before. */
  readonly ids: Int32Array;
  readonly ends: Int32Array;
  readonly shared: Uint16Array;
  readonly bytes: Uint8Array;
  readonly longest: number;

  constructor(tokenizer: Tokenizer) {
    this.vocab_size = tokenizer.vocab_size;
    // As strings of one unit a byte, for which sorting is built in.
    const texts: { text: string; id: number }[] = [];
    for (let id = 0; id < tokenizer.vocab_size; id++) {
      const bytes = tokenizer.bytesOf(id);
      if (bytes.length > 0 && bytes.length < 65_536 && !tokenizer.eos.has(id))
        texts.push({ text: latin1.decode(bytes), id });
    }
    texts.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : a.id - b.id));
    this.ids = Int32Array.from(texts, ({ id }) => id);
    this.ends = new Int32Array(texts.length);
    this.shared = new Uint16Array(texts.length);
    this.bytes = new Uint8Array(texts.reduce((sum, { text }) => sum + text.length, 0));
    this.longest = texts.reduce((most, { text }) => Math.max(most, text.length), 0);
    let end = 0;
    for (const [i, { id, text }] of texts.entries()) {
      const before = i === 0 ? "" : texts[i - 1]!.text;
      let shared = 0;
      while (shared < before.length && before[shared] === text[shared]) shared++;
      this.shared[i] = shared;
      this.bytes.set(tokenizer.bytesOf(id), end);
      this.ends[i] = end += text.length;
    }
  }
}

const latin1 = { decode: (bytes: Uint8Array) => String.fromCharCode(...bytes) };

/** A bit for each id, and the most bytes that any of them leaves to be written. */
export interface TokenMask {
  readonly bits: Uint32Array;
  readonly fewestMax: number;
}

/** The tokens that may follow a state, if what is then left takes `limit` bytes at most. */
export function maskOf(
  automaton: Automaton,
  state: GrammarState,
  order: TokenOrder,
  limit = Number.POSITIVE_INFINITY,
): TokenMask {
  const { ids, ends, shared, bytes } = order;
  const bits = new Uint32Array(Math.ceil(order.vocab_size / 32));
  const path: (GrammarState | null)[] = new Array(order.longest + 1);
  path[0] = state;
  let fewestMax = 0;
  // The length at which the last token failed: others that share so much fail too.
  let failed = Number.POSITIVE_INFINITY;
  for (let i = 0, start = 0; i < ids.length; start = ends[i++]!) {
    if (shared[i]! >= failed) continue;
    failed = Number.POSITIVE_INFINITY;
    const length = ends[i]! - start;
    let at: GrammarState | null = path[shared[i]!]!;
    for (let depth = shared[i]!; depth < length; depth++) {
      const byte = bytes[start + depth]!;
      const known: GrammarState | null | undefined = at.after[byte];
      at = known === undefined ? automaton.step(at, byte) : known;
      if (at === null) {
        failed = depth + 1;
        break;
      }
      path[depth + 1] = at;
    }
    if (at === null || at.fewest > limit) continue;
    if (at.fewest > fewestMax) fewestMax = at.fewest;
    bits[ids[i]! >>> 5]! |= 1 << (ids[i]! & 31);
  }
  return { bits, fewestMax };
}

/** Masks of the states that were asked for last. */
export class MaskCache {
  private readonly automaton: Automaton;
  private readonly order: TokenOrder;
  private readonly masks = new Map<GrammarState, TokenMask>();

  constructor(automaton: Automaton, order: TokenOrder) {
    this.automaton = automaton;
    this.order = order;
  }

  /** As `maskOf`. Only masks that no limit cuts are kept. */
  get(state: GrammarState, limit: number): TokenMask {
    const known = this.masks.get(state);
    const mask = known ?? maskOf(this.automaton, state, this.order);
    this.masks.delete(state);
    this.masks.set(state, mask);
    if (this.masks.size > GRAMMAR_MASKS_MAX) this.masks.delete(this.masks.keys().next().value!);
    return mask.fewestMax <= limit ? mask : maskOf(this.automaton, state, this.order, limit);
  }
}
