/** What is asked of the memory, as plain data: operations of a trace. */
import { quantizeVector } from "../../index/vectors.ts";
import type { PreparedDocument } from "../../src/memory/types.ts";
import { ABSENT, type State } from "./model.ts";

/** A document to be stored: its key, its turn, which no other has, and when it expires, Unix ms. */
export type NewDocument = [key: number, turn: number, expiresAt: number | null];

/** `client` writes to keys of its own alone, one operation after the other. */
export type Operation =
  | { op: "put"; client: number; documents: NewDocument[] }
  | { op: "remove"; client: number; keys: number[] }
  | { op: "patch"; client: number; key: number; turn: number }
  | { op: "removeShelf"; client: number; shelf: number }
  | { op: "get"; client: number; key: number }
  | { op: "search"; client: number; key: number; turn: number }
  | { op: "split" | "snapshot" | "cancel" | "stats" | "destroy" }
  | { op: "restore" | "deleteSnapshot"; which: number }
  | { op: "compact"; rebuild: boolean }
  | { op: "configure"; k1: number };

export const CLIENTS = 3;
export const KEYS = 14;
const SHELVES = 3;
const DIM = 16;

export const idOf = (client: number, key: number): string => `c${client}k${key}`;

export const stateOf = (turn: number, patch: number): State => `${turn}/${patch}`;

/** The turn of the content; 0 of nothing. */
export function turnOf(state: State): number {
  return state === ABSENT ? 0 : Number(state.split("/")[0]);
}

export const shelfOf = (turn: number): number => turn % SHELVES;

/** The word that a document's content alone has. */
export const wordOf = (turn: number): string => `turn${turn}x`;

/** Content follows from the turn. One in five has two passages, one in eleven none. */
export function documentOf(client: number, [key, turn, expiresAt]: NewDocument): PreparedDocument {
  const line = `${wordOf(turn)} lease ${turn % 7 === 0 ? "deposit" : "rent"}`;
  const text = turn % 11 === 0 ? "" : turn % 5 === 0 ? `${line}\n${line} again` : line;
  const passages = Array.from(text.matchAll(/[^\n]+/g), ({ index, 0: part }, i) => {
    const vector = Float32Array.from({ length: DIM }, (_, at) => Math.sin(turn * 37 + i + at * at));
    const end = index + part.length;
    return { start: index, end, vector: quantizeVector(vector), heading_path: [], anchor: null };
  });
  return {
    id: idOf(client, key),
    text,
    title: null,
    metadata: { client, shelf: shelfOf(turn), turn, patch: 0 },
    expires_at: expiresAt,
    digest: turn.toString(16).padStart(64, "0"),
    passages,
    brought: false,
    time: turn,
    content_type: "text/plain",
  };
}

/** Whether the content has a passage, and so can be found. */
export const isFindable = (turn: number): boolean => turn % 11 !== 0;

/** The state that a stored document's metadata tell. */
export function foundState(document: { metadata: Record<string, unknown> } | null): State {
  if (document === null) return ABSENT;
  const { turn, patch } = document.metadata;
  return stateOf(Number(turn), Number(patch));
}

type Random = () => number;
const integer = (random: Random, below: number) => Math.floor(random() * below);

/** Weights of the kinds: most are writes, since most faults only they can show. */
const KINDS: [Operation["op"], number][] = [
  ["put", 40],
  ["remove", 8],
  ["patch", 8],
  ["removeShelf", 2],
  ["get", 8],
  ["search", 8],
  ["split", 5],
  ["snapshot", 4],
  ["restore", 3],
  ["deleteSnapshot", 1],
  ["compact", 2],
  ["configure", 1],
  ["cancel", 1],
  ["stats", 1],
  ["destroy", 0.4],
];
const WEIGHT = KINDS.reduce((sum, [, weight]) => sum + weight, 0);

function kindOf(random: Random): Operation["op"] {
  let at = random() * WEIGHT;
  for (const [kind, weight] of KINDS) {
    at -= weight;
    if (at < 0) return kind;
  }
  return "put";
}

/** The next operation of a client; `turn` gives out turns. */
export function randomOperation(
  random: Random,
  client: number,
  nowMs: number,
  takeTurn: () => number,
): Operation {
  const key = () => integer(random, KEYS);
  const op = kindOf(random);
  switch (op) {
    case "put": {
      const keys = new Set(Array.from({ length: 1 + integer(random, 5) }, key));
      const expiry = () => (random() < 0.04 ? nowMs + 1_000 * integer(random, 120) : null);
      const documents = [...keys].map((each): NewDocument => [each, takeTurn(), expiry()]);
      return { op, client, documents };
    }
    case "remove":
      return { op, client, keys: [...new Set([key(), key()])] };
    case "patch":
      return { op, client, key: key(), turn: takeTurn() };
    case "removeShelf":
      return { op, client, shelf: integer(random, SHELVES) };
    case "get":
      return { op, client, key: key() };
    case "search":
      return { op, client, key: key(), turn: 0 };
    case "restore":
    case "deleteSnapshot":
      return { op, which: integer(random, 4) };
    case "compact":
      return { op, rebuild: random() < 0.3 };
    case "configure":
      return { op, k1: 1 + integer(random, 5) / 10 };
    default:
      return { op };
  }
}
