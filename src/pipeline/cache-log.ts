/** What this isolate's caches did, since it began. */

export interface CacheTotals {
  hits: number;
  semantic: number;
  misses: number;
  stored: number;
  failures: number;
  prompt_tokens_saved: number;
  completion_tokens_saved: number;
  usd_saved: number;
}

export const cacheTotals: CacheTotals = {
  hits: 0,
  semantic: 0,
  misses: 0,
  stored: 0,
  failures: 0,
  prompt_tokens_saved: 0,
  completion_tokens_saved: 0,
  usd_saved: 0,
};
