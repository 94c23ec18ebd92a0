/** By what a cached answer is found: everything that it hangs on. */
import type { ChatMessage } from "../engine/engine.ts";
import { CACHE_QUESTION_CHARS_MAX } from "../limits.ts";
import { sha256Hex } from "./digest.ts";
import type { AnswerRequest } from "./types.ts";

/** What the answer hangs on beside the request. */
export interface CacheGround {
  /** The configured engines, by what tells them apart. */
  engines: unknown;
  /** By what the edge scores, and it is decided who answers; null where neither matters. */
  routing: unknown;
}

export interface CacheKeys {
  /** SHA-256, hex, of the request and its ground. */
  id: string;
  /** The same without the last question; null where likeness is no ground for an answer. */
  scope: string | null;
}

/** Parameters that nobody reads for what is said. */
const NEUTRAL = new Set([
  ...["user", "store", "metadata", "safety_identifier"],
  ...["prompt_cache_key", "prompt_cache_retention", "stream_options"],
]);

/** Told apart from keys of other releases: another one may answer otherwise. */
const FORMAT = "brink cache 1";

/** O(bytes of the request). Whole and streamed replies share an answer, and so do a tenant's API
 *  keys: which namespaces they may read was checked before. The conversation's name, hedging and
 *  the order of a JSON object's fields change nothing that is said. */
export function cacheKeys(request: AnswerRequest, ground: CacheGround): CacheKeys {
  const { caller, model, route, memory, explain, messages } = request;
  const given = Object.entries(request.parameters).filter(([name]) => !NEUTRAL.has(name));
  const parameters = Object.fromEntries(given);
  const rest = { tenant: caller.tenant, model, route, memory, explain, parameters, ground };
  const id = sha256Hex(`${FORMAT}\n${canonical({ rest, messages })}`);
  if (!isPlain(messages, parameters)) return { id, scope: null };
  const { content: _, ...asker } = messages.at(-1)!;
  const around = { rest, earlier: messages.slice(0, -1), asker };
  return { id, scope: sha256Hex(`${FORMAT} scope\n${canonical(around)}`) };
}

/** Whether the last message is a question in words of its own, and tools are no part of it. */
function isPlain(messages: readonly ChatMessage[], parameters: object): boolean {
  const last = messages.at(-1)!;
  if (last.role !== "user" || typeof last.content !== "string") return false;
  return !("tools" in parameters) && last.content.length <= CACHE_QUESTION_CHARS_MAX;
}

/** JSON with the fields of objects in order of their names; what is undefined is left out. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Whether the engine leaves nothing to chance with these parameters. */
export function isRepeatable({ temperature }: Record<string, unknown>): boolean {
  return temperature === 0;
}

/** Whether the request itself says how long its answer may be. */
export function isBounded({ max_tokens, max_completion_tokens }: Record<string, unknown>): boolean {
  return (max_tokens ?? max_completion_tokens) != null;
}
