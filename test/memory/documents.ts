/** Documents for the tests, without an encoder: a text's vector is a hash of its words. */
import { type QuantizedVector, quantizeVector } from "../../index/vectors.ts";
import { ServiceError } from "../../src/errors.ts";
import type { MemoryObject } from "../../src/memory/memory-object.ts";
import type { ChangeOutcome } from "../../src/memory/shard-types.ts";
import type {
  PreparedDocument,
  PreparedPassage,
  SearchHit,
  SearchRequest,
} from "../../src/memory/types.ts";

export type Memory = DurableObjectStub<MemoryObject>;

export const DIM = 384;

/** A unit vector that depends on the text alone, f32 [384]: near for texts that share words. */
export function embedWords(text: string): Float32Array {
  const vector = new Float32Array(DIM);
  for (const word of text.toLowerCase().split(/\W+/)) {
    let state = 2166136261;
    for (const character of word) state = Math.imul(state ^ character.charCodeAt(0), 16777619);
    for (let i = 0; i < 12; i++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
      vector[(state >>> 0) % DIM]! += (state & 1) * 2 - 1;
    }
  }
  const norm = Math.hypot(...vector) || 1;
  return vector.map((value) => value / norm);
}

/** A document whose passages are its lines. */
export function prepared(
  id: string,
  text: string,
  rest: Partial<PreparedDocument> = {},
): PreparedDocument {
  const title = rest.title ?? null;
  const passages = [...text.matchAll(/[^\n]+/g)].map((line) => {
    const vector = quantizeVector(embedWords(`${title ?? ""} ${line[0]}`));
    return passage(line.index, line.index + line[0].length, vector);
  });
  return {
    id,
    text,
    title,
    metadata: {},
    expires_at: null,
    digest: digestOf(`${id} ${text}`),
    passages,
    brought: false,
    time: 0,
    content_type: "text/plain",
    ...rest,
  };
}

/** Stores documents whatever their versions. Throws the first refusal, once all are stored that
 *  are not refused. */
export async function store(
  memory: Memory,
  documents: PreparedDocument[],
): Promise<ChangeOutcome[]> {
  const changes = documents.map((document) => ({ document, if_version: null }));
  const outcomes = await memory.upsert(changes);
  for (const { error } of outcomes)
    if (error !== null) throw new ServiceError(error.code, error.message);
  return outcomes;
}

export async function hitsOf(memory: Memory, request: SearchRequest): Promise<SearchHit[]> {
  return (await memory.search(request)).hits;
}

export function passage(start: number, end: number, vector: QuantizedVector): PreparedPassage {
  return { start, end, vector, heading_path: [], anchor: null };
}

/** 64 hexadecimal digits that depend on the text. */
function digestOf(text: string): string {
  let state = 2166136261;
  return Array.from({ length: 8 }, () => {
    for (const character of text) state = Math.imul(state ^ character.charCodeAt(0), 16777619);
    return (state >>> 0).toString(16).padStart(8, "0");
  }).join("");
}
