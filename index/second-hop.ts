/** What to ask next, from what a first search found: a question with two parts names in the first
 *  what leads to the second ("when was the inventor of X born"), and the passage that answers the
 *  first drowns the other out. */
import { terms } from "./terms.ts";

/** A term of the query that the passage holds already counts this much of one that it lacks. */
const HELD_WEIGHT = 0.3;
/** As does a name that the passage brings in. */
const NAME_WEIGHT = 0.3;
/** How much of the query's direction along the passage is taken out. */
const TAKEN_OUT = 0.4;
/** Names that are taken from one passage, its most frequent ones. */
const NAMES_MAX = 32;

/** A capitalized word after a word or punctuation that ends no sentence. */
const NAME = /(?<=[\p{Ll}\p{N},;:)\]”’"] )\p{Lu}[\p{L}\p{M}\p{N}'’-]+/gu;

export interface FollowUp {
  terms: { term: string; qtf: number }[];
  /** Unit-length, f32 [dim]; null where the query has none. */
  vector: Float32Array | null;
}

/** The query for what the passage leaves open: terms that it holds count less, names that it brings
 *  in (capitalized words within a sentence) are added, and the query's vector is turned away from
 *  the passage's. The weights are chosen in docs/memory.md. O(characters + dim). */
export function followUp(
  query: readonly { term: string; qtf: number }[],
  text: string,
  vector: Float32Array | null,
  passage: Float32Array | null,
): FollowUp {
  const held = new Set(terms(text, "document"));
  const asked = new Set(query.map(({ term }) => term));
  const open = query.map(({ term, qtf }) => {
    return { term, qtf: held.has(term) ? qtf * HELD_WEIGHT : qtf };
  });
  const names = namesOf(text).filter((term) => !asked.has(term));
  const added = names.slice(0, NAMES_MAX).map((term) => ({ term, qtf: NAME_WEIGHT }));
  const turned = vector === null || passage === null ? vector : turnedAway(vector, passage);
  return { terms: [...open, ...added], vector: turned };
}

/** Terms of capitalized words that do not begin a sentence, the most frequent first. Scripts that
 *  have no capitals bring none. */
export function namesOf(text: string): string[] {
  const counts = new Map<string, number>();
  for (const [name] of text.matchAll(NAME))
    for (const term of new Set(terms(name, "query"))) counts.set(term, (counts.get(term) ?? 0) + 1);
  const found = Array.from(counts, ([term, count]) => ({ term, count }));
  return found.sort((a, b) => b.count - a.count).map(({ term }) => term);
}

/** The unit vector of `vector` less TAKEN_OUT of its part along `passage`, both unit-length; zeros
 *  stay so. */
function turnedAway(vector: Float32Array, passage: Float32Array): Float32Array {
  const along = vector.reduce((sum, value, i) => sum + value * passage[i]!, 0);
  const rest = vector.map((value, i) => value - TAKEN_OUT * along * passage[i]!);
  const norm = Math.hypot(...rest) || 1;
  return rest.map((value) => value / norm);
}

/** The first search's best, and the best of the second among a quarter of the k places, or more
 *  where the first found less. Both lists best first; `idOf` says what is the same. */
export function joinHops<T>(
  k: number,
  first: readonly T[],
  second: readonly T[],
  idOf: (item: T) => string,
): { item: T; hop: 1 | 2 }[] {
  const kept = first.slice(0, k - Math.floor(k / 4));
  const joined = kept.map((item): { item: T; hop: 1 | 2 } => ({ item, hop: 1 }));
  const seen = new Set(kept.map(idOf));
  const take = (items: readonly T[], hop: 1 | 2) => {
    for (const item of items) {
      if (joined.length >= k) return;
      if (seen.has(idOf(item))) continue;
      seen.add(idOf(item));
      joined.push({ item, hop });
    }
  };
  take(second, 2);
  take(first.slice(kept.length), 1);
  return joined;
}
