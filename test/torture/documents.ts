/** Random documents and queries of a small vocabulary: frequent terms, many ties. */
import type { TortureDocument } from "./expected-memory.ts";

export type Random = () => number;

/** Of the shipped encoder. */
const DIM = 384;
const WORDS = 400;
const DOCUMENT_WORDS_MAX = 60;
export const SHELVES = 40;
const IDS = 2_500;

export function integer(random: Random, below: number): number {
  return Math.floor(random() * below);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[integer(random, from.length)]!;
}

/** A word by Zipf's law, nearly: its number is the square of a uniform one. */
function word(random: Random): string {
  return `word${integer(random, Math.ceil(WORDS * random()) || 1)}`;
}

function words(random: Random, n: number): string {
  return Array.from({ length: n }, () => word(random)).join(" ");
}

/** A document of some id, new or known; `turn` makes its content differ from every other one. */
export function randomDocument(random: Random, turn: number): TortureDocument {
  return {
    id: `d${integer(random, IDS)}`,
    text: words(random, 1 + integer(random, DOCUMENT_WORDS_MAX)),
    metadata: { shelf: integer(random, SHELVES), turn },
    vector: randomVector(random),
  };
}

export function randomQuery(random: Random): string {
  return words(random, 1 + integer(random, 5));
}

export function randomVector(random: Random): Float32Array {
  const values = Float32Array.from({ length: DIM }, () => random() + random() - 1);
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}
