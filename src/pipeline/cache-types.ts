/** What the API asks of the caches of answers. */
import type { CacheFigures } from "../ledger/cache-object.ts";
import type { Caller } from "./types.ts";

/** When an answer is kept and given again. */
export interface CachePolicy {
  /** `off`: never. `asked`: where the request says so. `repeatable`: those too that would come
   *  again the same, because nothing is sampled. `all`: every answer. */
  exact: "off" | "asked" | "repeatable" | "all";
  /** Whether a question is also answered by what was said to one that asks the same in other
   *  words. */
  semantic: boolean;
  /** How alike two questions' embeddings must be before their words are compared, 0..1. */
  cosine_min: number;
  /** How long an answer is kept, in seconds. */
  ttl_s: number;
}

/** A policy, which fields of it are a namespace's own, and what is kept. */
export interface CacheState extends CacheFigures {
  policy: CachePolicy;
  own: (keyof CachePolicy)[];
}

/** What a PUT changes: a field that is null follows the tenant's again, or the default. */
export type CacheChanges = { [F in keyof CachePolicy]?: CachePolicy[F] | null };

/** Of the caller's tenant: of a namespace, or with null of the tenant as a whole. */
export interface CacheAdmin {
  /** These throw `namespace_not_found`. */
  get(caller: Caller, namespace: string | null): Promise<CacheState>;
  put(caller: Caller, namespace: string | null, changes: CacheChanges): Promise<CacheState>;
  /** How many answers are gone. */
  purge(caller: Caller, namespace: string | null): Promise<number>;
}

/** What a request says of the cache: `on` takes sampled answers too, `off` neither reads nor keeps,
 *  `refresh` keeps what it does not read. */
export type CacheWish = "on" | "off" | "refresh";

/** Of a reply: whether it was given before. `bypass`: nobody looked for it or would keep it. */
export type CacheStatus = "hit" | "semantic" | "miss" | "refresh" | "bypass";

/** `brink.cache` of an answer that was given before. */
export interface CacheReport {
  status: "hit" | "semantic";
  /** Of the answer as it was first given. */
  trace_id: string;
  /** Unix ms. */
  answered_at: number;
  /** What the first answer took, and this one did not. `usd` is null where prices are not known. */
  saved: { prompt_tokens: number; completion_tokens: number; usd: number | null };
  /** Of `semantic`: the question that was answered, and how that is like this one. */
  question?: string;
  how?: string;
  cosine?: number;
}
